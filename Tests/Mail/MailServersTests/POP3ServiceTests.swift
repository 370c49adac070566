// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import Storage
import Testing
import Transport

@testable import MailServers

@Suite struct POP3ServiceTests {
    private func deliver(_ messages: [String], to server: MailServerUnderTest, options: String = "") async throws {
        try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("EHLO c")
            for message in messages {
                #expect(try await client.command("MAIL FROM:<x@example.net>\(options)").hasPrefix("250"))
                #expect(try await client.command("RCPT TO:<ann@example.org>").hasPrefix("250"))
                #expect(try await client.command("DATA").hasPrefix("354"))
                #expect(try await client.command("\(message)\r\n.").hasPrefix("250"))
            }
        }
    }

    /// Runs `body` as ann, logged in over TLS.
    private func asAnn<R: Sendable>(
        _ server: MailServerUnderTest,
        _ body: @escaping @Sendable (SMTPTestClient) async throws -> R
    ) async throws -> R {
        try await server.client(of: server.pop3s) { client in
            try await client.startTLS()
            #expect(try await client.nextLine() == "+OK example.org Postern is ready")
            _ = try await client.ask("USER ann@example.org")
            #expect(try await client.ask("PASS secret").hasPrefix("+OK "))
            return try await body(client)
        }
    }

    private func rows(_ server: MailServerUnderTest) async throws -> [MessageRow] {
        let ann = server.ann.key
        return try await server.store.read { snapshot in
            guard let inbox = try snapshot.folders.find(.inbox, in: ann) else { return [] }
            return try snapshot.messages.byUID(in: inbox, limit: 100)
        }
    }

    @Test func theInboxIsShownBehindSTLS() async throws {
        let server = try await MailServerUnderTest()
        try await deliver(["Subject: one\r\n\r\n..dot", "Subject: two\r\n\r\nbody"], to: server)
        let ids = try await rows(server).map(\.id.description)
        try await server.client(of: server.pop3) { client in
            #expect(try await client.nextLine() == "+OK example.org Postern is ready")
            #expect(try await client.ask("USER ann@example.org") == "-ERR [SYS/PERM] TLS comes first: STLS")
            #expect(try await client.ask("STLS") == "+OK Begin TLS")
            try await client.startTLS()
            #expect(try await client.ask("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==").hasPrefix("-ERR [AUTH]"))
            #expect(try await client.ask("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=").hasPrefix("+OK 2 messages"))
            #expect(try await client.ask("UIDL") == "+OK 2 messages")
            #expect(try await client.text() == ["1 \(ids[0])", "2 \(ids[1])"])
            let size = try await client.ask("LIST 1")
            #expect(try await client.ask("RETR 1") == "+OK Here it is")
            let lines = try await client.text()
            #expect(lines.first == "Return-Path: <x@example.net>")
            #expect(lines.suffix(3) == ["Subject: one", "", "..dot"])
            // The dot that was added is not counted.
            #expect(size == "+OK 1 \(lines.reduce(-1) { $0 + $1.utf8.count + 2 })")
            #expect(try await client.ask("TOP 2 0") == "+OK Here it is")
            #expect(try await client.text().suffix(2) == ["Subject: two", ""])
            #expect(try await client.ask("QUIT") == "+OK Bye")
        }
        #expect(try await rows(server).count == 2)
    }

    @Test func onlyQUITDeletes() async throws {
        let server = try await MailServerUnderTest()
        try await deliver((1...3).map { "Subject: \($0)\r\n" }, to: server)
        try await asAnn(server) { client async throws in
            #expect(try await client.ask("DELE 1") == "+OK Marked")
        }
        #expect(try await rows(server).count == 3)
        try await asAnn(server) { client async throws in
            try await client.send("DELE 1\r\nDELE 3\r\nQUIT\r\n")
            for answer in ["+OK Marked", "+OK Marked", "+OK Bye", "closed"] {
                #expect(try await client.nextLine() == answer)
            }
        }
        #expect(try await rows(server).map(\.uid) == [2])
    }

    @Test func whatOthersTookAwayIsNotDeletedAgain() async throws {
        let server = try await MailServerUnderTest()
        try await deliver((1...4).map { "Subject: \($0)\r\n" }, to: server)
        let store = server.store
        let ann = server.ann.key
        let rows = try await rows(server)
        try await asAnn(server) { client async throws in
            try await store.write { tx in
                guard let archive = try tx.folders.find(.archive, in: ann) else { throw StoreError.notFound(.folder) }
                try tx.messages.expunge(rows[0])
                try tx.messages.move(rows[1], to: archive)
            }
            #expect(try await client.ask("RETR 1") == "-ERR The message is gone")
            #expect(try await client.ask("RETR 2") == "+OK Here it is")
            #expect(try await client.text().contains("Subject: 2"))
            for number in 1...3 { #expect(try await client.ask("DELE \(number)") == "+OK Marked") }
            #expect(try await client.ask("QUIT") == "+OK Bye")
        }
        #expect(try await self.rows(server).map(\.uid) == [4])
        let moved = try await store.read { try $0.messages.find(rows[1].id, in: ann) }
        #expect(moved != nil)
    }

    @Test func nothingIsDeletedWhereTheCommitFails() async throws {
        let server = try await MailServerUnderTest()
        try await deliver((1...3).map { "Subject: \($0)\r\n" }, to: server)
        try await asAnn(server) { client async throws in
            for number in 1...3 { #expect(try await client.ask("DELE \(number)") == "+OK Marked") }
            server.commitsFail.withLock { $0 = true }
            #expect(try await client.ask("QUIT") == "-ERR [SYS/TEMP] Nothing was deleted, try again later")
            #expect(try await client.nextLine() == "closed")
        }
        server.commitsFail.withLock { $0 = false }
        #expect(try await rows(server).count == 3)
    }

    @Test func mailThatNeedsUTF8IsForThoseWhoTakeIt() async throws {
        let server = try await MailServerUnderTest()
        try await deliver(["Subject: \u{FC}\r\n\r\nbody"], to: server, options: " BODY=8BITMIME SMTPUTF8")
        try await deliver(["Subject: x\r\n\r\n\u{FC}"], to: server, options: " BODY=8BITMIME SMTPUTF8")
        // Nobody asked for SMTPUTF8: sent as it came.
        try await deliver(["Subject: \u{FC}\r\n\r\nbody"], to: server, options: " BODY=8BITMIME")
        try await asAnn(server) { client async throws in
            #expect(try await client.ask("RETR 1") == "-ERR [UTF8] The message has UTF-8 in its header")
            for (number, last) in [(2, "\u{FC}"), (3, "body")] {
                #expect(try await client.ask("RETR \(number)") == "+OK Here it is")
                #expect(try await client.text().last == last)
            }
        }
        try await server.client(of: server.pop3s) { client in
            try await client.startTLS()
            _ = try await client.nextLine()
            #expect(try await client.ask("UTF8") == "+OK UTF-8 it is")
            _ = try await client.ask("USER ann@example.org")
            _ = try await client.ask("PASS secret")
            #expect(try await client.ask("RETR 1") == "+OK Here it is")
            #expect(try await client.text().suffix(3) == ["Subject: \u{FC}", "", "body"])
        }
    }

    @Test func aLargeMessageComesAsItIs() async throws {
        let server = try await MailServerUnderTest()
        let lines = (0..<20_000).map { "line \($0) of a message that has a file of its own" }
        try await deliver(["Subject: x\r\n\r\n\(lines.joined(separator: "\r\n"))"], to: server)
        let found = try await asAnn(server) { client async throws in
            _ = try await client.ask("RETR 1")
            return try await client.text()
        }
        #expect(found.suffix(20_000).elementsEqual(lines))
    }

    @Test func aStoppingServerEndsIdleSessionsAndLetsOthersDelete() async throws {
        let server = try await MailServerUnderTest()
        try await deliver((1...2).map { "Subject: \($0)\r\n" }, to: server)
        let listener = server.pop3s
        try await asAnn(server) { client async throws in
            _ = try await client.ask("DELE 1")
            async let isDrained = listener.drain(milliseconds: 20_000)
            while !client.connection.hasPeerClosed, try await client.ask("NOOP") != "closed" {
                if try await client.ask("QUIT") == "+OK Bye" { break }
            }
            let hasDrained = await isDrained
            #expect(hasDrained)
        }
        #expect(try await rows(server).map(\.uid) == [2])
    }
}
