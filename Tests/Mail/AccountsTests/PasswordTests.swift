// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import Testing
import Wire

@testable import Accounts

/// A time that moves when told to.
final class ManualTime: Sendable {
    private let milliseconds = Lock<UInt64>(1_000_000)
    var clock: Clock {
        Clock(
            now: { [milliseconds] in Int64(milliseconds.withLock { $0 }) },
            monotonic: { [milliseconds] in milliseconds.withLock { $0 } * 1_000_000 }
        )
    }
    func advance(milliseconds step: UInt64) { milliseconds.withLock { $0 += step } }
}

@Suite struct ScramVerifierTests {
    /// RFC 7677 §3: user "user", password "pencil".
    @Test func rfc7677Example() throws {
        let decoded = Base64.decode(Array("W22ZaJ0SNY7soEsUEjb6gQ==".utf8).span)
        let salt = try #require(decoded)
        let verifier = ScramVerifier(password: Secret(Array("pencil".utf8)), salt: salt, rounds: 4096)
        let expected =
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
            + "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        #expect(verifier.octets == Array(expected.utf8))
        #expect(ScramVerifier(octets: verifier.octets) == verifier)
    }

    @Test func onlyThePasswordFits() {
        let verifier = ScramVerifier(deriving: Secret(Array("right".utf8)), rounds: 10)
        #expect(verifier.verifies(Secret(Array("right".utf8))))
        #expect(!verifier.verifies(Secret(Array("wrong".utf8))))
        #expect(!verifier.verifies(Secret([])))
    }

    @Test(arguments: [
        "", "SCRAM-SHA-256", "SCRAM-SHA-1$1:AA==$AA==:AA==", "SCRAM-SHA-256$0:AA==$AA==:AA==",
        "SCRAM-SHA-256$1:AA==$AA==:AA==", "SCRAM-SHA-256$+1:AA==$AA==:AA==",
    ])
    func malformed(_ text: String) {
        #expect(ScramVerifier(octets: Array(text.utf8)) == nil)
    }
}

@Suite struct LoginThrottleTests {
    private let source = LoginSource(addressOctets: [192, 0, 2, 1])

    @Test func sourcesAreNetworks() {
        #expect(source == LoginSource(addressOctets: [192, 0, 2, 200]))
        #expect(source != LoginSource(addressOctets: [192, 0, 3, 1]))
        #expect(source == LoginSource(addressOctets: [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 7]))
        let six: [UInt8] = [0x20, 1, 0xD, 0xB8, 0, 0, 0, 1]
        #expect(
            LoginSource(addressOctets: six + [0, 0, 0, 0, 0, 0, 0, 1])
                == LoginSource(addressOctets: six + [9, 9, 9, 9, 9, 9, 9, 9])
        )
    }

    @Test func aFullBucketBlocksUntilItLeaks() {
        var throttle = LoginThrottle(.init(failuresPerSource: 3, failuresPerName: 100, leakMilliseconds: 1000))
        for count in 1...3 { #expect(throttle.failed(source: source, name: [0x61], at: 0) == count) }
        #expect(throttle.delay(source: source, name: [0x62], at: 400) == 600)
        #expect(throttle.delay(source: source, name: [0x62], at: 1000) == nil)
        #expect(throttle.delay(source: LoginSource(addressOctets: [10, 0, 0, 1]), name: [0x61], at: 0) == nil)
    }

    @Test func namesAreCountedInAnyCase() {
        var throttle = LoginThrottle(.init(failuresPerSource: 100, failuresPerName: 2, leakMilliseconds: 1000))
        _ = throttle.failed(source: source, name: [0x61], at: 0)
        _ = throttle.failed(source: LoginSource(addressOctets: [10, 0, 0, 1]), name: [0x41], at: 0)
        #expect(throttle.delay(source: LoginSource(addressOctets: [10, 9, 0, 1]), name: [0x61], at: 0) == 1000)
    }

    @Test func memoryIsBounded() {
        var throttle = LoginThrottle(
            .init(failuresPerSource: 2, failuresPerName: 2, leakMilliseconds: 1000, buckets: 100)
        )
        for _ in 0..<2 { _ = throttle.failed(source: source, name: [0], at: 0) }
        for number in 0..<2000 {
            _ = throttle.failed(
                source: LoginSource(addressOctets: [1, UInt8(number >> 8), UInt8(number & 255), 1]),
                name: Array("\(number)".utf8),
                at: 0
            )
        }
        #expect(
            Mirror(reflecting: throttle).descendant("buckets").map { Mirror(reflecting: $0).children.count }.map {
                $0 <= 100
            } == true
        )
        #expect(throttle.delay(source: source, name: [0], at: 0) != nil)
    }
}

@Suite struct PasswordAuthenticatorTests {
    private final class Directory: LoginDirectory {
        let record: Lock<LoginRecord?>
        let lookups = Lock(0)
        init(_ record: LoginRecord?) { self.record = Lock(record) }
        func login(named name: [UInt8]) async throws -> LoginRecord? {
            record.withLock { $0.flatMap { $0.address.octets == name ? $0 : nil } }
        }
    }

    private let time = ManualTime()
    private let slept = Lock<[UInt64]>([])
    private let pool = BlockingPool(name: "test", threads: 1)
    private let source = LoginSource(addressOctets: [192, 0, 2, 1])

    private func record(_ password: String, suspended: Bool = false) throws -> LoginRecord {
        LoginRecord(
            account: AccountID.random(),
            address: try #require(EmailAddress("ann@example.org")),
            verifier: ScramVerifier(deriving: Secret(Array(password.utf8)), rounds: 5).octets,
            isSuspended: suspended
        )
    }

    private func authenticator(_ directory: Directory) -> PasswordAuthenticator {
        var configuration = PasswordAuthenticator.Configuration()
        configuration.rounds = 5
        configuration.failuresPerSource = 3
        return PasswordAuthenticator(configuration, directory: directory, clock: time.clock, pool: pool) { [slept] in
            let time = $0
            slept.withLock { $0.append(time) }
        }
    }

    private func attempt(
        _ authenticator: PasswordAuthenticator,
        _ password: String,
        name: String = "ann@example.org"
    ) async -> String {
        switch await authenticator.authenticate(
            name: Array(name.utf8),
            password: Secret(Array(password.utf8)),
            from: source
        ) {
        case .accepted: "accepted"
        case .refused: "refused"
        case .throttled: "throttled"
        case .unavailable: "unavailable"
        }
    }

    @Test func rightAndWrong() async throws {
        let authenticator = authenticator(Directory(try record("right")))
        #expect(await attempt(authenticator, "right") == "accepted")
        #expect(await attempt(authenticator, "right") == "accepted")
        #expect(await attempt(authenticator, "wrong") == "refused")
        #expect(await attempt(authenticator, "right", name: "nobody@example.org") == "refused")
        #expect(slept.withLock { $0 } == [100, 200])
    }

    @Test func aSuspendedAccountIsRefusedEvenWhenRemembered() async throws {
        let record = try record("right")
        let directory = Directory(record)
        let authenticator = authenticator(directory)
        #expect(await attempt(authenticator, "right") == "accepted")
        directory.record.withLock {
            $0 = LoginRecord(
                account: record.account,
                address: record.address,
                verifier: record.verifier,
                isSuspended: true
            )
        }
        #expect(await attempt(authenticator, "right") == "refused")
    }

    @Test func aNewPasswordEndsTheOldOne() async throws {
        let old = try record("old")
        let directory = Directory(old)
        let authenticator = authenticator(directory)
        #expect(await attempt(authenticator, "old") == "accepted")
        let verifier = ScramVerifier(deriving: Secret(Array("new".utf8)), rounds: 5).octets
        directory.record.withLock {
            $0 = LoginRecord(account: old.account, address: old.address, verifier: verifier, isSuspended: false)
        }
        #expect(await attempt(authenticator, "old") == "refused")
        #expect(await attempt(authenticator, "new") == "accepted")
    }

    @Test func guessingIsStoppedButTheOwnerWhoIsKnownGetsIn() async throws {
        let authenticator = authenticator(Directory(try record("right")))
        #expect(await attempt(authenticator, "right") == "accepted")
        for _ in 0..<3 { #expect(await attempt(authenticator, "wrong") == "refused") }
        #expect(await attempt(authenticator, "wrong") == "throttled")
        #expect(await attempt(authenticator, "right") == "accepted")
        time.advance(milliseconds: 300_001)
        for _ in 0..<3 { _ = await attempt(authenticator, "wrong") }
        #expect(await attempt(authenticator, "right") == "throttled")
        time.advance(milliseconds: 30_000)
        #expect(await attempt(authenticator, "right") == "accepted")
    }
}
