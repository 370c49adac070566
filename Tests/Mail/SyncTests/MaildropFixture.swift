// SPDX-License-Identifier: Apache-2.0

import Accounts
import Backends
import Crypto
import Foundation
import Intake
import Logging
import MailTypes
import Metrics
import Resolver
import Runtime
import SessionSupport
import Sockets
import Storage
import Testing
import Transport
import Wire

@testable import Sync

/// A store with ann, whose mail is at a POP3 server, and what fetches it.
final class MaildropFixture: Sendable {
    let store: Store
    let server: MaildropServer
    let ann: AccountRow
    private let mailboxes: RemoteMailboxes
    private let credentials = RemoteCredentials(SecretBox(key: Secret([UInt8](repeating: 1, count: 32))))
    private let group: EventLoopGroup
    private let resolver: NameResolver
    private let workers = BlockingPool(name: "remote", threads: 1)
    private let folder: URL
    /// Milliseconds that the clock is ahead.
    private let ahead: Lock<Int64>

    struct Setting {
        var messages: [MaildropServer.Message] = []
        var script = MaildropServer.Script()
        var deleteAfterDays: Int?
        var limits = RemoteLimits()
        var maximumMessageOctets: Int64?
        /// The process died once while it read this.
        var poison: [UInt8]?
    }

    private init(_ setting: Setting) async throws {
        let ahead = Lock<Int64>(0)
        self.ahead = ahead
        // It stands still but where a test turns it.
        let began = Clock.system.now()
        let clock = Clock(now: { began + ahead.withLock { $0 } }, monotonic: Clock.system.monotonic)
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-pop3-\(UUID().uuidString)")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var configuration = StoreConfiguration(directory: folder.path)
        if let octets = setting.maximumMessageOctets { configuration.maximumMessageOctets = octets }
        if let poison = setting.poison {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            // The slot that it then leaves: the digest, and that it is set.
            try Data(Digest.sha256(poison) + [1]).write(to: folder.appendingPathComponent("parsing.slots"))
        }
        let store = try Store.open(configuration, clock: clock, logger: logger)
        self.store = store
        group = try EventLoopGroup(count: 1)
        resolver = NameResolver(ResolverConfiguration(), loops: group.loops)
        server = try MaildropServer(setting.messages, setting.script, loops: group.loops)
        let address = try #require(EmailAddress("ann@example.org"))
        ann = try await store.write { try $0.accounts.create(NewAccount(kind: .pop3, address: address)) }
        var limits = setting.limits
        // Each poll is asked for.
        limits.maildropPollMilliseconds = 3_600_000
        limits.firstPauseMilliseconds = 3_600_000
        limits.lastPauseMilliseconds = 3_600_000
        mailboxes = RemoteMailboxes(
            RemoteParts(
                store: store,
                intake: Intake(store: store),
                credentials: credentials,
                tokens: NoAccessTokens(),
                dialer: try Dialer.loopback(resolver, trusting: nil),
                ledger: HostLedger(Self.ledger, clock: clock),
                submissionLedger: HostLedger(clock: clock),
                hostname: address.domain,
                limits: limits,
                workers: workers,
                clock: clock,
                logger: logger
            ),
            loops: group.loops
        )
        try await put(deleteAfterDays: setting.deleteAfterDays)
        try await mailboxes.start()
    }

    private static var ledger: HostLedger.Limits {
        var limits = HostLedger.Limits()
        limits.firstDelayMilliseconds = 1
        limits.longestDelayMilliseconds = 1
        return limits
    }

    /// Runs `body` with it, and expects of the store that it keeps all its rules.
    static func run(
        _ change: (inout Setting) -> Void,
        _ body: (MaildropFixture) async throws -> Void
    ) async throws {
        var setting = Setting()
        change(&setting)
        let fixture = try await MaildropFixture(setting)
        do {
            try await body(fixture)
            await fixture.mailboxes.stop()
            #expect(try await fixture.store.verify() == [])
        } catch {
            Issue.record(error)
        }
        await fixture.end()
    }

    private func end() async {
        await mailboxes.stop()
        await server.stop()
        await resolver.stop()
        workers.stop()
        store.close()
        group.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// The account's server is as it says from now on.
    func put(deleteAfterDays: Int?, password: String = "pw") async throws {
        let known = RemoteServer(
            service: .pop3,
            host: "127.0.0.1",
            port: server.port,
            security: .none,
            username: "ann",
            credential: .password,
            secret: credentials.seal(Secret(Array(password.utf8)), for: .pop3, of: ann.id),
            deleteAfterDays: deleteAfterDays
        )
        try await store.write { [ann] in try $0.remoteServers.put(known, of: ann.key) }
        mailboxes.note(ann)
    }

    func advance(days: Int64) { ahead.withLock { $0 += days * 86_400_000 } }

    /// Has the server asked; why it was not, if so.
    @discardableResult
    func poll() async throws -> RemoteError? {
        try await #require(mailboxes[ann.key]).refresh(milliseconds: 60_000)
    }

    func folder(_ role: FolderRole = .inbox) async throws -> FolderRow {
        let found = try await store.read { [ann] in try $0.folders.find(role, in: ann.key) }
        return try #require(found)
    }

    /// What is in a folder, the newest first.
    func messages(_ role: FolderRole = .inbox) async throws -> [MessageRow] {
        let folder = try await folder(role)
        return try await store.read { [ann] snapshot in
            try snapshot.messages.rows(matching: MessageFilter(folder: folder.key), in: ann.key, limit: 1000)
        }
    }

    /// The octets of messages.
    func texts(_ role: FolderRole = .inbox) async throws -> [String] {
        var texts: [String] = []
        for row in try await messages(role) {
            let body = try await store.read { [ann] in try $0.messages.get(row.id, in: ann.key) { $0.body } ?? nil }
            let reader = try await store.openBody(try #require(body))
            var octets = ByteBuffer()
            try await reader.read(0..<reader.size, into: &octets, on: store.blocking)
            texts.append(octets.bytes.repairedUTF8String())
        }
        return texts
    }

    /// Types of the account's events.
    func events() async throws -> [EventType] {
        try await store.read { [ann] snapshot in
            var types: [EventType] = []
            try snapshot.events.list(of: ann.key, after: 0, limit: 10_000) {
                if let type = EventType(rawValue: $0.type.repairedUTF8String()) { types.append(type) }
                return true
            }
            return types
        }
    }

    func condition() async throws -> RemoteAccountState.Condition? {
        try await store.read { [ann] in try $0.mirror.state(of: ann.key)?.condition }
    }
}
