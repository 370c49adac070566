// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import SASL
import SessionSupport
import Sockets
import TestSupport
import Testing
import Transport
import Wire

@testable import IMAPSessions

/// Against servers that others wrote.
@Suite struct IMAPPeerTests {
    enum Way: String, CaseIterable, Sendable {
        case clear, startTLS, implicit, compressed

        var security: ServerEndpoint.Security {
            switch self {
            case .clear: .none
            case .startTLS, .compressed: .startTLS
            case .implicit: .implicit
            }
        }

        /// Each has an account of its own, so that all can use one server.
        var user: String {
            switch self {
            case .clear: "u1"
            case .startTLS: "u2"
            case .implicit: "u3"
            case .compressed: "u4"
            }
        }
    }

    /// Runs `body` on a loop, with a way to open sessions to `mail.example.test`, which is this machine.
    private static func run<R: Sendable>(
        _ ports: (imap: UInt16, imaps: UInt16),
        _ way: Way,
        _ body:
            @escaping @Sendable (_ open: @Sendable (_ password: String) async throws -> IMAPClientSession) async throws
            -> R
    ) async throws -> R {
        try await withDialer { dialer, pool in
            try await body { password in
                var route = IMAPClientRoute(
                    server: ServerEndpoint(
                        host: "mail.example.test",
                        port: way == .implicit ? ports.imaps : ports.imap,
                        security: way.security
                    ),
                    credentials: SASLClientCredentials(
                        authenticationID: Array(way.user.utf8),
                        proof: .password(Secret(Array(password.utf8)))
                    ),
                    identification: [IMAPParameter(name: Array("name".utf8), value: Array("test".utf8))]
                )
                route.usesCompression = way == .compressed
                return try await IMAPClientSession.open(route, dialer: dialer, pool: pool)
            }
        }
    }

    private static func message(_ number: Int, lines: Int) -> [UInt8] {
        let header =
            "From: Ann <ann@example.test>\r\nTo: bob@example.test\r\nSubject: number \(number)\r\n"
            + "Message-ID: <\(number)@example.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        return Array((header + String(repeating: "line of message \(number)\r\n", count: lines)).utf8)
    }

    private static func append(
        _ session: IMAPClientSession,
        _ mailbox: IMAPMailboxName,
        _ message: [UInt8],
        _ flags: MessageFlags = MessageFlags()
    ) async throws -> IMAPAppended? {
        var rest = message[...]
        return try await session.append(IMAPAppend(mailbox, octets: UInt64(message.count), flags: IMAPFlags(flags))) {
            $0.append(rest.prefix(10_000))
            rest = rest.dropFirst(10_000)
            return !rest.isEmpty
        }
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled)) func dovecot() async throws {
        let dovecot = try DovecotIMAP()
        defer { dovecot.stop() }
        for way in Way.allCases { try await Self.work((dovecot.imap, dovecot.imaps), way, separator: ".") }
    }

    @Test(.enabled(if: CyrusIMAP.isInstalled)) func cyrus() async throws {
        let cyrus = try CyrusIMAP()
        defer { cyrus.stop() }
        for way in Way.allCases { try await Self.work((cyrus.imap, cyrus.imaps), way, separator: "/") }
    }

    private static func work(_ ports: (imap: UInt16, imaps: UInt16), _ way: Way, separator: String) async throws {
        try await run(ports, way) { open in
            let session = try await open("pw")
            #expect(session.isTLS == (way != .clear), "\(way)")
            #expect(session.isCompressed == (way == .compressed), "\(way)")
            #expect(session.enabled.contains(.qresync), "\(way)")
            try await work(session, separator: separator)
            await session.logout()
            await #expect(throws: IMAPSessionError.self) { try await open("wrong") }
        }
    }

    /// What an account does in a day.
    private static func work(_ session: IMAPClientSession, separator: String) async throws {
        // Folders.
        let folders = try await session.folders(status: [.messages, .uidNext, .uidValidity])
        #expect(folders.contains { $0.entry.role == .inbox })
        #expect(folders.first { $0.entry.role == .sent }?.entry.attributes.contains(.subscribed) == true)
        #expect(folders.first { $0.entry.role == .inbox }?.status?.messages == 0)
        let name = session.mailboxName("Entwürfe & Pläne\(separator)日本")
        try await session.createFolder(name)
        try await session.subscribe(name)
        await #expect(throws: IMAPSessionError.self) { try await session.createFolder(name) }

        // Messages in, some of them large.
        let sizes = [1, 2, 3, 20_000]
        for (number, lines) in sizes.enumerated() {
            let appended = try await append(session, name, message(number, lines: lines))
            #expect(appended?.uid == UInt32(number + 1))
        }
        let selected = try await session.select(name)
        #expect(selected.exists == 4)
        #expect(selected.uidNext == 5)
        #expect(!selected.isReadOnly)
        let validity = try #require(selected.uidValidity)
        let modSeq = try #require(selected.highestModSeq)

        // All that can be known of them.
        var messages: [IMAPFetchedMessage] = []
        let header = IMAPSection(.body, .headerFields([Array("Subject".utf8)]))
        try await session.fetch(
            IMAPNumberSet(1...IMAPNumberSet.largest),
            [.flags, .size, .internalDate, .envelope, .bodyStructure, .modSeq, .section(header)]
        ) { messages.append($0) }
        #expect(messages.map { $0.uid } == [1, 2, 3, 4])
        for (number, found) in messages.enumerated() {
            #expect(found.size == UInt64(message(number, lines: sizes[number]).count))
            #expect(found.envelope?.messageID == Array("<\(number)@example.test>".utf8))
            #expect(found.envelope?.from.first?.name == Array("Ann".utf8))
            #expect(found.bodyStructure?.part([1])?.lines == UInt64(sizes[number]))
            #expect(found.sections[header] == Array("Subject: number \(number)\r\n\r\n".utf8))
            #expect(found.modSeq != nil && found.internalDate != nil && found.isWhole)
        }

        // Bodies, whole and in part.
        for (number, lines) in sizes.enumerated() {
            var octets: [UInt8] = []
            #expect(try await session.stream(IMAPSection(), of: UInt32(number + 1)) { octets += $0 })
            #expect(octets == message(number, lines: lines))
        }
        var part: [UInt8] = []
        #expect(try await session.stream(IMAPSection(.body, .text, origin: 5), of: 1, length: 9) { part += $0 })
        #expect(part == Array("of messag".utf8))
        #expect(try await !session.stream(IMAPSection(), of: 99) { _ in })

        // Flags and searches.
        let seen = MessageFlags([.seen], keywords: ["$Postern"])
        try await session.store(IMAPNumberSet(1...2), .add, seen)
        #expect(try await session.search(.flags([.seen], areSet: true)) == IMAPNumberSet(1...2))
        #expect(try await session.search(.keyword("$Postern", isSet: false)) == IMAPNumberSet(3...4))
        #expect(try await session.search(.subject(Array("number 2".utf8))) == IMAPNumberSet(3...3))
        #expect(try await session.search(.body(Array("größe".utf8))).isEmpty)
        let left = try await session.store(IMAPNumberSet(1...3), .remove, seen, unchangedSince: modSeq)
        #expect(left.normalized == IMAPNumberSet(1...2))

        // Copies and moves.
        let copied = try await session.copy(IMAPNumberSet(1...1), to: .inbox)
        #expect(copied.first?.destination(of: 1) == 1)
        let moved = try await session.move(IMAPNumberSet([2, 4] as [UInt32]), to: .inbox)
        #expect(moved.first?.destination(of: 4) == 3)
        let statuses = try await session.status(of: [.inbox, session.mailboxName("nowhere"), name])
        #expect(statuses.map { $0?.messages } == [3, nil, 2])

        // What changed since.
        var changed: [IMAPFetchedMessage] = []
        let again = try await session.select(
            name,
            known: IMAPSelection.Known(uidValidity: validity, modSeq: modSeq, uids: IMAPNumberSet(1...4))
        ) { changed.append($0) }
        #expect(again.exists == 2)
        #expect(IMAPNumberSet(ranges: again.vanished).normalized == IMAPNumberSet([2, 4] as [UInt32]))
        #expect(changed.map { $0.uid } == [1])

        if session.enabled.contains(.qresync) {
            var later: [UInt32?] = []
            let gone = try await session.fetch(IMAPNumberSet(1...4), [.flags], changedSince: modSeq) {
                later.append($0.uid)
            }
            #expect(later == [1])
            #expect(gone.normalized == IMAPNumberSet([2, 4] as [UInt32]))
        }

        // Removing.
        try await session.store(IMAPNumberSet(1...3), .add, MessageFlags([.deleted]))
        try await session.expunge(IMAPNumberSet(3...3))
        #expect(try await session.search(.all) == IMAPNumberSet(1...1))
        _ = try await session.select(.inbox, isReadOnly: true)
        try await session.renameFolder(name, to: session.mailboxName("umbenannt"))
        try await session.deleteFolder(session.mailboxName("umbenannt"))
        #expect(try await !session.folders().contains { $0.mailbox == session.mailboxName("umbenannt") })
        #expect(session.deviations.isEmpty)
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled)) func dovecotTellsOfNewMail() async throws {
        let dovecot = try DovecotIMAP()
        defer { dovecot.stop() }
        try await Self.run((dovecot.imap, dovecot.imaps), .implicit) { open in try await Self.watch(open) }
    }

    @Test(.enabled(if: CyrusIMAP.isInstalled)) func cyrusTellsOfNewMail() async throws {
        let cyrus = try CyrusIMAP()
        defer { cyrus.stop() }
        try await Self.run((cyrus.imap, cyrus.imaps), .implicit) { open in try await Self.watch(open) }
    }

    private static func watch(_ open: (String) async throws -> IMAPClientSession) async throws {
        let watcher = try await open("pw")
        let writer = try await open("pw")
        _ = try await watcher.select(.inbox)
        _ = try await append(writer, .inbox, message(1, lines: 1))
        // Told at the beginning of IDLE, or later.
        var told: [IMAPUpdate] = []
        try await watcher.idle { update in
            told.append(update)
            return update != .exists(1)
        }
        #expect(told.contains(.exists(1)))
        _ = try await writer.select(.inbox)
        try await writer.store(IMAPNumberSet(1...1), .add, MessageFlags([.flagged]))
        try await watcher.idle { update in
            guard case .message(let message) = update else { return true }
            #expect(message.uid == 1 && message.flags?.flags.system.contains(.flagged) == true)
            return false
        }
        await writer.logout()
        await watcher.logout()
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled)) func dovecotNotifiesOfOtherFolders() async throws {
        let dovecot = try DovecotIMAP()
        defer { dovecot.stop() }
        try await Self.run((dovecot.imap, dovecot.imaps), .clear) { open in
            let watcher = try await open("pw")
            let writer = try await open("pw")
            let folder = watcher.mailboxName("Archive")
            var statuses: [IMAPMailboxStatus] = []
            let request = IMAPNotifyRequest(
                wantsStatus: true,
                [.init(.personal, [.messageNew, .messageExpunge, .flagChange])]
            )
            try await watcher.notify(request) { update in
                if case .mailboxStatus(let status) = update { statuses.append(status) }
            }
            #expect(statuses.contains { $0.mailbox == folder && $0.messages == 0 })
            _ = try await Self.append(writer, folder, Self.message(1, lines: 1))
            try await watcher.idle { update in
                guard case .mailboxStatus(let status) = update, status.mailbox == folder else { return true }
                return status.messages != 1
            }
            await writer.logout()
            await watcher.logout()
        }
    }
}
