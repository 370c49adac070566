// SPDX-License-Identifier: Apache-2.0

import Accounts
import Intake
import MailTypes
import OAuth
import OAuthSupport
import Runtime
import Simulation
import Storage
import Testing
import Wire

@testable import Sync

/// A day of an account whose server does what servers do within a day, on a clock that is put forward: each trouble is told of
/// once, and in the end all is well.
@Suite struct DayAtAServerTests {
    private static let tickMilliseconds: Int64 = 600_000
    private static let ticksPerHour = 6

    @Test func withAPassword() async throws {
        let passed = Lock<Int64>(0)
        try await SimulatedAccount.run(clock: .system(ahead: passed)) { account in
            let events = try await Day(account, passed).live { day in
                if day.isRefusedFrom(tick: 20) { account.server.accept("new") }
                guard day.isRefusedUntil(tick: 23) else { return }
                try await account.store.write { tx in
                    var imap = try #require(try tx.remoteServers.get(.imap, of: account.account.key))
                    let password = Secret(Array("new".utf8))
                    imap.secret = account.credentials.seal(password, for: .imap, of: account.account.id)
                    try tx.remoteServers.put(imap, of: account.account.key)
                }
                account.reconnect()
            }
            #expect(events == Day.expected)
        }
    }

    @Test func withTokens() async throws {
        let passed = Lock<Int64>(0)
        let revoked = Lock(false)
        let server = Lock<SimulatedAccount?>(nil)
        let (events, renewals) = try await FakeTokenEndpoint.run { turn, form in
            if revoked.withLock({ $0 }), !form.contains("refresh_token=again&") {
                return (400, #"{"error":"invalid_grant"}"#)
            }
            // The one before is good for a while still.
            while server.withLock({ $0 }) == nil { try? await Task.sleep(for: .milliseconds(5)) }
            server.withLock { $0 }?.server.accept("access\(turn)", also: true)
            return FakeTokenEndpoint.token("access\(turn)")
        } _: { provider in
            let events = Lock<[String: Int]>([:])
            try await SimulatedAccount.run(clock: .system(ahead: passed), provider: provider) { account in
                server.withLock { $0 = account }
                let told = try await Day(account, passed).live { day in
                    if day.isRefusedFrom(tick: 20) {
                        revoked.withLock { $0 = true }
                        account.server.accept("none")
                    }
                    guard day.isRefusedUntil(tick: 23), let keeper = account.keeper else { return }
                    revoked.withLock { $0 = false }
                    let grant = keeper.grant(
                        refresh: Secret(Array("again".utf8)),
                        at: "generic",
                        for: account.account.id
                    )
                    try await account.store.write { try $0.oauthGrants.put(grant, of: account.account.key) }
                    account.reconnect()
                }
                events.withLock { $0 = told }
            }
            server.withLock { $0 = nil }
            return (events.withLock { $0 }, provider.forms.withLock { $0.count })
        }
        #expect(events == Day.expected)
        // A token is good for an hour, and renewed when one is needed and its end is near: not oftener.
        #expect((20...30).contains(renewals), "\(renewals)")
    }

    /// The day, ten minutes at a time.
    final class Day {
        /// How often which event is told of, in the account's log.
        static let expected = [
            "account.authentication_failed": 1, "account.recovered": 1, "folder.resynced": 1, "folder.deleted": 1,
            "message.received": 23, "message.moved": 1, "message.deleted": 1, "message.added": 1,
        ]

        private let account: SimulatedAccount
        private let passed: Lock<Int64>
        private var tick = 0
        private var expectedInInbox = 20

        init(_ account: SimulatedAccount, _ passed: Lock<Int64>) {
            self.account = account
            self.passed = passed
        }

        func isRefusedFrom(tick: Int) -> Bool { self.tick == tick }
        func isRefusedUntil(tick: Int) -> Bool { self.tick == tick }
        private var isRefused: Bool { (20..<23).contains(tick) }

        /// Lives through it; what was told of, and how often.
        func live(credentials: (Day) async throws -> Void) async throws -> [String: Int] {
            try await account.settled(20)
            let key = account.account.key
            let before = try await account.store.read { try $0.events.bounds(of: key).newest }
            let first = try await account.inbox()
            for _ in 1...(24 * DayAtAServerTests.ticksPerHour) {
                tick += 1
                passed.withLock { $0 += DayAtAServerTests.tickMilliseconds }
                try await credentials(self)
                try await happen()
                try await account.mailbox.noteStaleness()
                if isRefused {
                    try await account.wait { [account] in
                        try await account.store.read { try $0.mirror.state(of: account.account.key) }?.condition
                            == .authenticationFailed
                    }
                } else {
                    try await account.settled(expectedInInbox)
                }
            }
            #expect(account.isWatching)
            #expect(try await account.store.verify() == [])
            let last = try await account.inbox()
            #expect(Set(last.map(\.id)).isSuperset(of: first.dropFirst().map(\.id)))
            return try await account.store.read { [account] snapshot in
                var counts: [String: Int] = [:]
                try snapshot.events.list(of: account.account.key, after: before, limit: 1_000) { event in
                    counts[event.type.repairedUTF8String(), default: 0] += 1
                    return true
                }
                return counts
            }
        }

        /// What the server does, and what its user does meanwhile.
        private func happen() async throws {
            let mailbox = account.server.mailbox
            // Every hour connections end, as they do where tokens do, and mail comes.
            if tick % DayAtAServerTests.ticksPerHour == 0, tick < 24 * DayAtAServerTests.ticksPerHour {
                account.server.cutConnections()
                mailbox.deliver(Array("Subject: \(tick)\r\n\r\nNew\r\n".utf8))
                expectedInInbox += 1
            }
            switch tick {
            case 20: account.server.cutConnections()
            case 50:
                mailbox.renumber("INBOX")
                account.server.cutConnections()
            case 80: try await overQuota()
            case 100:
                let archive = try #require(try await folder("Archive"))
                let message = try #require(try await account.inbox().first)
                try await account.mailbox.move([message], to: archive)
                expectedInInbox -= 1
            case 110:
                mailbox.remove("Archive")
                try await account.wait { [self] in
                    _ = try await account.mailbox.refresh(milliseconds: 5_000)
                    return try await folder("Archive") == nil
                }
            default: break
            }
        }

        /// For a while the server takes nothing more; then it does.
        private func overQuota() async throws {
            account.server.misbehave([.isOverQuota])
            account.server.cutConnections()
            await #expect(throws: RemoteError.overQuota("No room")) { try await self.append() }
            account.server.misbehave([])
            account.server.cutConnections()
            // What is in the middle of being cut may be so once more.
            try await account.wait { [self] in (try? await append()) != nil }
        }

        private func append() async throws {
            let drafts = try #require(try await folder("Drafts"))
            let taken = try await Intake(store: account.store).take(Array("Subject: x\r\n\r\n".utf8), door: .strict)
            _ = try await account.mailbox.append(taken, to: drafts, flags: MessageFlags([.draft]), internalDate: nil)
        }

        private func folder(_ name: String) async throws -> FolderRow? {
            let key = account.account.key
            return try await account.store.read { try $0.folders.find(FolderName(name), in: key) }
        }
    }
}
