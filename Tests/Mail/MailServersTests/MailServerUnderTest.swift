// SPDX-License-Identifier: Apache-2.0

import Accounts
import Foundation
import Intake
import Logging
import MailTypes
import Runtime
import SMTP
import Sockets
import SQLite
import TLS
import Transport
import Wire

@testable import MailServers
@testable import Storage

/// A store in a folder of its own with ann and bob, and listeners of all kinds in front of it.
final class MailServerUnderTest: Sendable {
    let folder: URL
    let store: Store
    let group: EventLoopGroup
    let exchange: Listener
    let submission: Listener
    let implicit: Listener
    let pop3: Listener
    let pop3s: Listener
    /// While it is set no commit succeeds.
    let commitsFail: Lock<Bool>
    let trust: TLSClientContext
    let ann: AccountRow
    let bob: AccountRow

    init(_ change: (inout SMTPReceiverConfiguration) -> Void = { _ in }) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-\(UUID().uuidString)")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let fault = Lock(false)
        commitsFail = fault
        var files = StoreConfiguration(directory: folder.path)
        files.commitFault = { if fault.withLock({ $0 }) { throw StoreError.failed("as was asked for") } }
        store = try Store.open(files, clock: .system, logger: logger)
        let verifier = ScramVerifier(deriving: Secret(Array("secret".utf8)), rounds: 10).octets
        let addresses = ["ann@example.org", "bob@example.org"].compactMap { EmailAddress($0) }
        let made = try await store.write { tx in
            try addresses.map { try tx.accounts.create(NewAccount(address: $0, alias: nil, verifier: verifier)) }
        }
        ann = made[0]
        bob = made[1]
        group = try EventLoopGroup(count: 1)
        let pair = try TLSServerContext.makeSelfSigned(hostnames: ["localhost"])
        let tls = try TLSServerContext(certificateChainPEM: pair.certificatePEM, privateKeyPEM: pair.keyPEM)
        trust = try TLSClientContext(trustedCertificatesPEM: pair.certificatePEM)
        var passwords = PasswordAuthenticator.Configuration()
        passwords.rounds = 10
        var configuration = SMTPReceiverConfiguration(hostName: addresses[0].domain)
        change(&configuration)
        let authenticator = PasswordAuthenticator(
            passwords,
            directory: StoreLogins(store),
            // It stands still: what is counted against guessing does not fade on a slow machine.
            clock: Clock(now: Clock.system.now, monotonic: { 1_000_000_000 }),
            pool: store.blocking,
            sleep: { _ in }
        )
        let service = SMTPService(
            configuration,
            store: store,
            passwords: authenticator,
            reader: Intake(store: store),
            tls: tls,
            logger: logger
        )
        let any = SocketAddress.loopback(port: 0)
        exchange = try service.listen(at: .init(address: any, service: .exchange), loops: group.loops)
        submission = try service.listen(at: .init(address: any, service: .submission), loops: group.loops)
        implicit = try service.listen(
            at: .init(address: any, service: .submission, isImplicitTLS: true),
            loops: group.loops
        )
        let mailboxes = POP3Service(
            POP3ServiceConfiguration(hostName: addresses[0].domain),
            store: store,
            passwords: authenticator,
            tls: tls,
            logger: logger
        )
        pop3 = try mailboxes.listen(at: any, isImplicitTLS: false, loops: group.loops)
        pop3s = try mailboxes.listen(at: any, isImplicitTLS: true, loops: group.loops)
    }

    deinit {
        store.close()
        group.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs `body` as a client of one listener, on the loop.
    func client<R: Sendable>(
        of listener: Listener,
        _ body: @escaping @Sendable (SMTPTestClient) async throws -> R
    ) async throws -> R {
        let loop = group.loops[0]
        let trust = trust
        return try await Task(executorPreference: loop) {
            let connection = try await Connection.connect(to: listener.localAddress, on: loop, milliseconds: 2000)
            let client = SMTPTestClient(connection, trust)
            defer { connection.close() }
            return try await body(client)
        }.value
    }

    /// The octets of an account's inbox, trace first, by UID.
    func inbox(of account: AccountRow) async throws -> [(trace: String, text: String)] {
        let found = try await store.read { snapshot -> [(trace: [UInt8], body: Int64)] in
            guard let inbox = try snapshot.folders.find(.inbox, in: account.key) else { return [] }
            return try snapshot.messages.byUID(in: inbox, limit: 100).compactMap { row in
                try snapshot.messages.get(row.id, in: account.key) { ($0.trace.array(), $0.body ?? 0) }
            }
        }
        var all: [(String, String)] = []
        for message in found {
            let octets = try await octets(ofBody: message.body)
            all.append((String(decoding: message.trace, as: UTF8.self), String(decoding: octets, as: UTF8.self)))
        }
        return all
    }

    private func octets(ofBody body: Int64) async throws -> [UInt8] {
        let store = store
        let reader = try await store.read { snapshot in
            try snapshot.connection.first("SELECT hash, size, data FROM bodies WHERE pk = ?1", body) {
                try BodyReader(hash: $0.array(0), size: $0.int64(1), data: $0.optionalArray(2), files: store.bodies)
            }
        }
        guard let reader else { throw StoreError.notFound(.content) }
        var buffer = ByteBuffer()
        try reader.read(0..<reader.size, into: &buffer)
        return buffer.array()
    }
}

/// Speaks SMTP, or POP3, line by line.
final class SMTPTestClient {
    let connection: Connection
    private let trust: TLSClientContext
    private var input = ByteBuffer()

    init(_ connection: Connection, _ trust: TLSClientContext) {
        self.connection = connection
        self.trust = trust
        connection.setDeadline(milliseconds: 10_000)
    }

    func send(_ text: String) async throws {
        var buffer = ByteBuffer(Array(text.utf8))
        try await connection.write(&buffer)
    }

    /// The next reply: all its lines, joined; "closed" at the end of the stream.
    func reply() async throws -> String {
        var lines: [String] = []
        while true {
            guard let line = try await line() else { return "closed" }
            lines.append(line)
            if line.utf8.count < 4 || Array(line.utf8)[3] == UInt8(ascii: " ") { return lines.joined(separator: "|") }
        }
    }

    private func line() async throws -> String? {
        while true {
            if let end = input.bytes.firstIndex(of: 10) {
                defer { input.consume(end + 1) }
                return input.bytes.extracting(0..<max(0, end - 1)).repairedUTF8String()
            }
            if try await connection.read(into: &input) == 0 { return nil }
        }
    }

    /// The next line; "closed" at the end of the stream.
    func nextLine() async throws -> String { try await line() ?? "closed" }

    /// Lines up to one that is a dot alone.
    func text() async throws -> [String] {
        var lines: [String] = []
        while let line = try await line(), line != "." { lines.append(line) }
        return lines
    }

    /// Sends a line and gives the line that answers.
    func ask(_ line: String) async throws -> String {
        try await send(line + "\r\n")
        return try await nextLine()
    }

    /// Sends a line and gives the reply.
    func command(_ line: String) async throws -> String {
        try await send(line + "\r\n")
        return try await reply()
    }

    func startTLS() async throws {
        try await connection.startTLS(trust, serverName: "localhost", unread: input)
    }
}
