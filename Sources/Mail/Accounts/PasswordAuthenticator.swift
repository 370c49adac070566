// SPDX-License-Identifier: Apache-2.0

import Crypto
package import MailTypes
package import Runtime
package import Wire

/// Who has a login name.
package struct LoginRecord: Sendable {
    package let account: AccountID
    package let address: EmailAddress
    /// As ``ScramVerifier/octets`` wrote it; nil when nobody can log in.
    package let verifier: [UInt8]?
    package let isSuspended: Bool

    package init(account: AccountID, address: EmailAddress, verifier: [UInt8]?, isSuspended: Bool) {
        self.account = account
        self.address = address
        self.verifier = verifier
        self.isSuspended = isSuspended
    }
}

/// Where logins are looked up.
package protocol LoginDirectory: Sendable {
    /// The local account that a login name (an address, or an alias) belongs to.
    func login(named name: [UInt8]) async throws -> LoginRecord?
}

/// How an attempt ended.
package enum LoginOutcome: Sendable {
    case accepted(LoginRecord)
    /// Name or password are wrong, or the account is suspended: which of them, nobody learns.
    case refused
    /// Not checked: too many failures came from there, or on this name.
    case throttled(retryAfterSeconds: UInt64)
    /// Could not be checked now.
    case unavailable
}

/// Checks the passwords of local accounts, for every protocol that takes one.
///
/// A password is checked against its verifier on a thread of its own, since that is slow on purpose. A correct one is
/// remembered for some minutes as a MAC under a key that exists in this process only, so that a client that logs in for
/// each message costs little. Wrong ones are answered late, counted, and after too many not checked at all.
package final class PasswordAuthenticator: Sendable {
    package struct Configuration: Sendable {
        /// For new verifiers, and for the pretence made on names that do not exist.
        package var rounds = ScramVerifier.defaultRounds
        package var rememberedMilliseconds: UInt64 = 300_000
        package var failuresPerSource = 20
        package var failuresPerName = 50
        /// The first failure of a source is answered this late, each further one twice as late, to the maximum.
        package var delayMilliseconds: UInt64 = 100
        package var maximumDelayMilliseconds: UInt64 = 3000

        package init() {}
    }

    private struct Remembered {
        let mac: [UInt8]
        let until: UInt64
    }

    private struct State {
        var throttle: LoginThrottle
        var remembered: [AccountID: Remembered] = [:]
    }

    private let configuration: Configuration
    private let directory: any LoginDirectory
    private let clock: Clock
    private let pool: BlockingPool
    private let key = RandomOctets.make(32)
    private let state: Lock<State>
    private let sleep: @Sendable (UInt64) async -> Void
    /// Checked when a name does not exist, so that it takes as long as one that does.
    private let pretence: ScramVerifier

    /// `sleep` waits so many milliseconds.
    package init(
        _ configuration: Configuration = Configuration(),
        directory: any LoginDirectory,
        clock: Clock,
        pool: BlockingPool,
        sleep: @escaping @Sendable (UInt64) async -> Void = { try? await Task.sleep(for: .milliseconds($0)) }
    ) {
        self.configuration = configuration
        self.directory = directory
        self.clock = clock
        self.pool = pool
        self.sleep = sleep
        var limits = LoginThrottle.Limits()
        limits.failuresPerSource = configuration.failuresPerSource
        limits.failuresPerName = configuration.failuresPerName
        state = Lock(State(throttle: LoginThrottle(limits)))
        pretence = ScramVerifier(unmatchableWithRounds: configuration.rounds)
    }

    /// Derives the verifier of a new password, on a blocking thread.
    package func verifier(for password: Secret) async throws -> ScramVerifier {
        let rounds = configuration.rounds
        return try await pool.run { ScramVerifier(deriving: password, rounds: rounds) }
    }

    package func authenticate(name: [UInt8], password: Secret, from source: LoginSource) async -> LoginOutcome {
        let record: LoginRecord?
        do {
            record = try await directory.login(named: name)
        } catch {
            return .unavailable
        }
        if let record, isRemembered(password, record) { return .accepted(record) }
        if let delay = state.withLock({ $0.throttle.delay(source: source, name: name, at: now) }) {
            return .throttled(retryAfterSeconds: (delay + 999) / 1000)
        }
        do {
            guard try await isRight(password, record), let record else { return await refuse(source, name) }
            remember(password, record)
            return .accepted(record)
        } catch {
            return .unavailable
        }
    }

    private var now: UInt64 { clock.monotonic() / 1_000_000 }

    private func isRight(_ password: Secret, _ record: LoginRecord?) async throws -> Bool {
        let verifier = record.flatMap { $0.isSuspended ? nil : $0.verifier }.flatMap(ScramVerifier.init(octets:))
        let checked = verifier ?? pretence
        let matches = try await pool.run { checked.verifies(password) }
        return matches && verifier != nil
    }

    private func refuse(_ source: LoginSource, _ name: [UInt8]) async -> LoginOutcome {
        let failures = state.withLock { $0.throttle.failed(source: source, name: name, at: now) }
        let doublings = UInt64(min(failures - 1, 16))
        await sleep(min(configuration.delayMilliseconds << doublings, configuration.maximumDelayMilliseconds))
        return .refused
    }

    // MARK: Remembering

    private func isRemembered(_ password: Secret, _ record: LoginRecord) -> Bool {
        guard !record.isSuspended else { return false }
        let now = now
        let known = state.withLock { state -> Remembered? in
            guard let known = state.remembered[record.account], known.until > now else {
                state.remembered[record.account] = nil
                return nil
            }
            return known
        }
        guard let known else { return false }
        return ConstantTime.equals(known.mac, mac(password, record))
    }

    private func remember(_ password: Secret, _ record: LoginRecord) {
        let entry = Remembered(mac: mac(password, record), until: now + configuration.rememberedMilliseconds)
        state.withLock { $0.remembered[record.account] = entry }
    }

    /// Binds password, account and verifier: with a new verifier nothing remembered fits any more.
    private func mac(_ password: Secret, _ record: LoginRecord) -> [UInt8] {
        let verifier = Digest.sha256(record.verifier ?? [])
        return password.withOctets { HMACSHA256.code(of: record.account.octets + verifier + $0, key: key) }
    }
}
