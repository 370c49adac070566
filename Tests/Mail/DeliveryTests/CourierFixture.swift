// SPDX-License-Identifier: Apache-2.0

import Accounts
import Backends
import Egress
import Foundation
import Intake
import Logging
import MailTypes
import Metrics
import Resolver
import Runtime
import SASL
import Sockets
import Storage
import TLS
import Transport
import Wire

@testable import Delivery

/// A store with ann, a server that takes her mail, and a courier between them, on a clock that runs a thousand times as fast.
final class CourierFixture: Sendable {
    let folder: URL
    let store: Store
    let group: EventLoopGroup
    let taker: MailTaker
    let courier: Courier
    let ledger: HostLedger
    let ann: AccountRow
    /// By which ann's mail goes out.
    let route: Lock<SubmissionRoute?>
    /// The accounts in which it was said that something may have been filed.
    let filed = Lock<[AccountKey]>([])
    private let resolver: NameResolver

    struct Setting {
        var script = MailTaker.Script()
        var limits = CourierLimits()
        var ledger = HostLedger.Limits()
        var retriesUnknown = true
        var password: String?
        var port: UInt16?
        var hasRoute = true
        var kind = AccountType.local
        /// How many times as fast as time the clock is.
        var rate: UInt64 = 1000
    }

    init(_ change: (inout Setting) -> Void = { _ in }) async throws {
        var setting = Setting()
        setting.limits.lookMilliseconds = 20
        change(&setting)
        let rate = setting.rate
        setting.limits.clockRate = Int(rate)
        let (wall, steady) = (Clock.system.now(), Clock.system.monotonic())
        let clock = Clock(
            now: { wall + (Clock.system.now() - wall) * Int64(rate) },
            monotonic: { steady &+ (Clock.system.monotonic() &- steady) &* rate }
        )
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-\(UUID().uuidString)")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try Store.open(StoreConfiguration(directory: folder.path), clock: clock, logger: logger)
        self.store = store
        group = try EventLoopGroup(count: 2)
        taker = try MailTaker(setting.script, loops: group.loops)
        resolver = NameResolver(ResolverConfiguration(), loops: group.loops)
        guard let address = EmailAddress("ann@example.org") else { throw StoreError.notFound(.account) }
        let kind = setting.kind
        ann = try await store.write { tx in
            let account = try tx.accounts.create(NewAccount(kind: kind, address: address))
            if kind == .imap {
                let remote = RemoteFolder(path: Array("INBOX".utf8), separator: nil)
                try tx.mirror.add(try FolderName("INBOX"), role: .inbox, remote, to: account.key)
            }
            return account
        }
        var policy = EgressPolicy()
        policy.allowed = [IPNetwork("127.0.0.0/8".utf8)].compactMap(\.self)
        policy.ports[.mail] = [1...65_535]
        ledger = HostLedger(setting.ledger, clock: clock)
        let route = SubmissionRoute(
            server: ServerEndpoint(host: "127.0.0.1", port: setting.port ?? taker.port, security: .none),
            credentials: setting.password.flatMap {
                SASLClientCredentials(authenticationID: Array("ann".utf8), proof: .password(Secret(Array($0.utf8))))
            },
            retriesUnknown: setting.retriesUnknown,
            version: [1]
        )
        let present = Lock<SubmissionRoute?>(setting.hasRoute ? route : nil)
        self.route = present
        let filed = filed
        let parts = CourierParts(
            store: store,
            reader: Intake(store: store),
            routes: { _ in present.withLock { $0 } },
            noteFiled: { account in filed.withLock { $0.append(account) } },
            dialer: Dialer(policy: policy, resolver: resolver, tls: try TLSClientContext()),
            ledger: ledger,
            hostname: address.domain,
            limits: setting.limits,
            metrics: MetricsRegistry(),
            clock: clock,
            logger: logger
        )
        courier = Courier(parts, loops: group.loops)
    }

    /// Ends everything.
    func end() async {
        await courier.stop(milliseconds: 10_000)
        await taker.listener.drain(milliseconds: 0)
        await resolver.stop()
        store.close()
        group.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs `body` with a fixture, and ends that whatever happens.
    static func run<R: Sendable>(
        _ change: (inout Setting) -> Void = { _ in },
        starting: Bool = true,
        _ body: (CourierFixture) async throws -> R
    ) async throws -> R {
        let fixture = try await CourierFixture(change)
        if starting { fixture.courier.start() }
        let result: Result<R, any Error>
        do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
        await fixture.end()
        return try result.get()
    }

    /// Puts a message into the outbox.
    func submit(
        _ subject: String,
        to recipients: String...,
        text: String = "hello",
        lifetimeMilliseconds: Int64 = 432_000_000
    ) async throws -> SubmissionID {
        let octets = Array("From: ann@example.org\r\nSubject: \(subject)\r\n\r\n\(text)\r\n".utf8)
        let spool = store.spool()
        try spool.append(octets)
        let body = try await spool.finish()
        let ann = ann
        return try await store.write { transaction in
            var submission = NewSubmission(
                account: ann.key,
                sender: ann.address,
                octets: .spooled(body),
                messageID: Array("\(subject)@example.org".utf8),
                expires: Timestamp(milliseconds: transaction.now.milliseconds + lifetimeMilliseconds),
                recipients: recipients.compactMap { EmailAddress($0) }.map { ($0, .queued) }
            )
            submission.id = .random()
            return try transaction.outbox.enqueue(submission).id
        }
    }

    func recipients(of id: SubmissionID) async throws -> [RecipientRow] {
        let ann = ann
        return try await store.read { try $0.outbox.get(id, in: ann.key)?.recipients ?? [] }
    }

    /// Waits until the recipients are as they should be, however long that takes.
    func wait(for id: SubmissionID, _ isAsWanted: ([RecipientRow]) -> Bool) async throws -> [RecipientRow] {
        while true {
            let rows = try await recipients(of: id)
            if isAsWanted(rows) { return rows }
            try await Task.sleep(nanoseconds: 2_000_000)
        }
    }

    func wait(for id: SubmissionID, _ states: RecipientState...) async throws -> [RecipientRow] {
        try await wait(for: id) { $0.map(\.state) == states && $0.allSatisfy { $0.ending == nil } }
    }

    /// The states that events told of, in order.
    func events(of id: SubmissionID) async throws -> [String] {
        let ann = ann
        return try await store.read { snapshot in
            var found: [String] = []
            try snapshot.events.list(of: ann.key, after: 0, limit: 1000) { event in
                let data = event.data.array()
                guard String(decoding: data, as: UTF8.self).contains("\(id)") else { return true }
                found.append(event.type.repairedUTF8String())
                return true
            }
            return found
        }
    }

    /// The texts of the messages in ann's inbox.
    func inbox() async throws -> [String] {
        let (ann, files) = (ann, store.bodies)
        return try await store.read { snapshot in
            guard let inbox = try snapshot.folders.find(.inbox, in: ann.key) else { return [] }
            return try snapshot.messages.byUID(in: inbox, limit: 100).compactMap { row in
                guard let body = try snapshot.messages.get(row.id, in: ann.key, { $0.body }) ?? nil else { return nil }
                let reader = try snapshot.openBody(body, files: files)
                var octets = ByteBuffer()
                try reader.read(0..<reader.size, into: &octets)
                return octets.bytes.repairedUTF8String()
            }
        }
    }
}
