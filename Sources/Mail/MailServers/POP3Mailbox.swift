// SPDX-License-Identifier: Apache-2.0

import Accounts
import Logging
import MailTypes
import POP3
import POP3Sessions
import SASL
import SMTP
import Sockets
import Storage
import Transport
import Wire

/// Answers for one POP3 connection from the inbox of who logged in.
///
/// The session shows the inbox as it was at the login. Nobody else is kept out meanwhile: what others delete or move away is
/// gone or, as long as the account has it, can still be fetched; QUIT deletes what is still in the inbox of the messages that
/// were marked, in one transaction. A message's unique id is the one that it has in the API. Nothing else is changed: a message
/// that was fetched is no more seen than before.
final class POP3Mailbox: POP3ServerDelegate {
    /// Octets that are read of a body at a time, and that a header is looked for in.
    private static let pieceOctets: Int64 = 64 << 10
    private static let headerOctets: Int64 = 128 << 10

    private struct Open {
        /// The trace, and what was read of the body to find its header; then empty.
        var front: [UInt8]
        let body: BodyReader
        var offset: Int64
    }

    private let context: POP3ServiceContext
    private let connection: Connection
    private var logger: Logger
    private var account: AccountKey?
    private var inbox: FolderRow?
    private var rows: [ListedMessage] = []
    private var message: Open?

    init(_ context: POP3ServiceContext, connection: Connection) {
        self.context = context
        self.connection = connection
        logger = context.logger
        logger[metadataKey: "remote"] = "\(connection.peer)"
    }

    func replied(_ record: POP3ServerRecord) { context.observer?.replied(record) }

    // MARK: Logging in

    func authenticate(_ credentials: SASLCredentials, _ session: POP3ServerSession) async -> POP3LoginVerdict {
        let outcome = await context.passwords.authenticate(
            name: credentials.authenticationID,
            password: credentials.password,
            from: LoginSource(addressOctets: connection.peer.addressOctets)
        )
        switch outcome {
        case .accepted(let record):
            logger[metadataKey: "account"] = "\(record.account)"
            guard let maildrop = await maildrop(of: record) else {
                note(.unavailable)
                return .unavailable
            }
            note(.accepted)
            return .accept(maildrop)
        case .refused:
            note(.refused)
            return .refuse
        case .throttled:
            note(.throttled)
            return .throttled
        case .unavailable:
            note(.unavailable)
            return .unavailable
        }
    }

    private func note(_ result: AuthenticationResult) {
        context.observer?.authenticationEnded(result)
        logger.info("POP3 login \(result.rawValue)")
    }

    private func maildrop(of record: LoginRecord) async -> POP3Maildrop? {
        let limit = context.configuration.maximumMessages
        do {
            let found = try await context.store.read { snapshot -> (FolderRow, [ListedMessage])? in
                guard let account = try snapshot.accounts.get(record.account),
                    let inbox = try snapshot.folders.find(.inbox, in: account.key)
                else { return nil }
                return (inbox, try snapshot.messages.listing(of: inbox, limit: limit))
            }
            guard let found else { return nil }
            inbox = found.0
            rows = found.1
            account = found.0.account
        } catch {
            logger.error("inbox not read", metadata: ["err": "\(error)"])
            return nil
        }
        var maildrop = POP3Maildrop()
        var name = ByteBuffer()
        for row in rows {
            name.removeAll()
            row.id.append(to: &name)
            if maildrop.count == 0 { maildrop.reserve(rows.count, idOctets: rows.count * name.count) }
            maildrop.append(size: row.size, uniqueID: name.array())
        }
        return maildrop
    }

    // MARK: Reading

    func open(_ index: Int, _ session: POP3ServerSession) async -> POP3RetrievalVerdict {
        message = nil
        guard rows.indices.contains(index), let account else { return .gone }
        let id = rows[index].id
        let files = context.store.bodies
        do {
            let found = try await context.store.read { snapshot -> ([UInt8], BodyReader)? in
                let parts = try snapshot.messages.get(id, in: account) { (trace: $0.trace.array(), body: $0.body) }
                guard let parts, let body = parts.body else { return nil }
                return (parts.trace, try snapshot.openBody(body, files: files))
            }
            guard let (trace, body) = found else { return .gone }
            var opened = Open(front: trace, body: body, offset: 0)
            if !session.isUTF8, try await needsUTF8(&opened) { return .needsUTF8 }
            message = opened
            return .begin
        } catch {
            logger.error("message not read", metadata: ["message": "\(id)", "err": "\(error)"])
            return .unavailable
        }
    }

    /// Whether it is mail that SMTPUTF8 was asked for and needed for: only that has UTF-8 in its header by right.
    ///
    /// Other mail with such octets there is sent as it is, as every server does: to refuse it would keep it from all programs
    /// there are.
    private func needsUTF8(_ message: inout Open) async throws -> Bool {
        guard SMTPTrace.saysUTF8(message.front) else { return false }
        var start = ByteBuffer()
        _ = try await message.body.read(0..<Self.headerOctets, into: &start, on: context.store.blocking)
        message.offset = Int64(start.count)
        let octets = start.array()
        message.front += octets
        return Self.header(of: message.front).contains { $0 >= 0x80 }
    }

    /// Up to the first blank line.
    private static func header(of octets: [UInt8]) -> ArraySlice<UInt8> {
        var lineStart = octets.startIndex
        for index in octets.indices where octets[index] == ASCII.lf {
            if index == lineStart || index == lineStart + 1 && octets[lineStart] == ASCII.cr { return octets[..<index] }
            lineStart = index + 1
        }
        return octets[...]
    }

    func content(into octets: inout ByteBuffer) async throws -> Bool {
        guard var message else { throw BodyError.unknown }
        self.message = nil
        let before = octets.count
        if !message.front.isEmpty {
            octets.append(message.front)
            message.front = []
        } else {
            let end = min(message.offset + Self.pieceOctets, message.body.size)
            _ = try await message.body.read(message.offset..<end, into: &octets, on: context.store.blocking)
            message.offset = end
        }
        context.observer?.messageSent(octets: Int64(octets.count - before))
        guard message.offset < message.body.size else { return true }
        self.message = message
        return false
    }

    func closeMessage() { message = nil }

    // MARK: Deleting

    func delete(_ indices: [Int]) async -> Bool {
        guard let inbox else { return false }
        let doomed = indices.filter(rows.indices.contains).map { rows[$0] }
        do {
            let count = try await context.store.write { try $0.messages.expunge(doomed, from: inbox) }
            context.observer?.messagesDeleted(count)
            logger.info("POP3 messages deleted", metadata: ["messages": "\(count)"])
            return true
        } catch {
            logger.error("POP3 messages not deleted", metadata: ["err": "\(error)"])
            return false
        }
    }
}
