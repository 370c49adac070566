// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SMTP
import Storage
import Testing
import Transport

@testable import MailServers

@Suite struct SMTPReceiverTests {
    @Test func aMessageIsStoredForAllItsRecipientsBeforeItIsAcknowledged() async throws {
        let server = try await MailServerUnderTest()
        let reply = try await server.client(of: server.exchange) { client in
            #expect(try await client.reply() == "220 example.org ESMTP Postern")
            #expect(try await client.command("EHLO client.example.net").contains("|250-STARTTLS|"))
            try await client.send(
                "MAIL FROM:<x@example.net>\r\nRCPT TO:<ANN@example.org>\r\nRCPT TO:<bob+tag@example.org>\r\n"
                    + "RCPT TO:<ann@example.org>\r\nDATA\r\n"
            )
            #expect(try await client.reply() == "250 2.1.0 Sender ok")
            for _ in 0..<3 { #expect(try await client.reply() == "250 2.1.5 Recipient ok") }
            #expect(try await client.reply().hasPrefix("354 "))
            return try await client.command("Subject: hello\r\n\r\n..dot\r\n.")
        }
        #expect(reply.hasPrefix("250 2.0.0 Ok: taken as cnt_"))
        for account in [server.ann, server.bob] {
            let inbox = try await server.inbox(of: account)
            #expect(inbox.map(\.text) == ["Subject: hello\r\n\r\n.dot\r\n"])
            let trace = try #require(inbox.first?.trace)
            #expect(
                trace.hasPrefix(
                    "Return-Path: <x@example.net>\r\nReceived: from client.example.net ([127.0.0.1])\r\n\tby example.org (Postern) with ESMTP\r\n\tid cnt_"
                )
            )
            #expect(!trace.contains("for <"))
        }
    }

    @Test func thereIsNoRelayAndNoUnknownUser() async throws {
        let server = try await MailServerUnderTest()
        let replies = try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("HELO c")
            _ = try await client.command("MAIL FROM:<x@example.net>")
            var replies: [String] = []
            for address in [
                "a@elsewhere.example", "ann@example.org@elsewhere.example", "nobody@example.org",
                "ann%elsewhere.example@example.org", "@example.org:a@elsewhere.example",
            ] {
                replies.append(try await client.command("RCPT TO:<\(address)>"))
            }
            return replies
        }
        #expect(
            replies.map { String($0.prefix(9)) } == [
                "550 5.7.1", "501 5.1.3", "550 5.1.1", "550 5.1.1", "550 5.7.1",
            ]
        )
    }

    @Test func postmasterIsWhoWasNamed() async throws {
        let server = try await MailServerUnderTest { $0.postmaster = EmailAddress("bob@example.org") }
        let replies = try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("HELO c")
            _ = try await client.command("MAIL FROM:<>")
            return [
                try await client.command("RCPT TO:<PostMaster>"),
                try await client.command("RCPT TO:<postmaster@example.org>"),
                try await client.command("RCPT TO:<postmaster@elsewhere.example>"), try await client.command("DATA"),
                try await client.command("Subject: x\r\n."),
            ]
        }
        #expect(replies.map { String($0.prefix(3)) } == ["250", "250", "550", "354", "250"])
        #expect(try await server.inbox(of: server.bob).count == 1)
    }

    @Test func postmasterIsTheOldestAccountWhereNobodyWasNamed() async throws {
        let server = try await MailServerUnderTest()
        for address in ["Postmaster", "postMASTER@example.org"] {
            let reply = try await server.client(of: server.exchange) { client in
                _ = try await client.reply()
                _ = try await client.command("HELO c")
                _ = try await client.command("MAIL FROM:<>")
                #expect(try await client.command("RCPT TO:<postmaster@elsewhere.example>").hasPrefix("550 5.7.1"))
                #expect(try await client.command("RCPT TO:<\(address)>").hasPrefix("250 2.1.5"))
                _ = try await client.command("DATA")
                return try await client.command("Subject: x\r\n.")
            }
            #expect(reply.hasPrefix("250 "))
        }
        let inbox = try await server.inbox(of: server.ann)
        #expect(inbox.count == 2 && inbox[0].trace.contains("for <ann@example.org>"))
    }

    @Test func submissionNeedsTLSAndALoginAndItsOwnSender() async throws {
        let server = try await MailServerUnderTest()
        let replies = try await server.client(of: server.submission) { client in
            var replies = [try await client.reply(), try await client.command("EHLO c")]
            replies.append(try await client.command("MAIL FROM:<ann@example.org>"))
            replies.append(try await client.command("STARTTLS"))
            try await client.startTLS()
            replies.append(try await client.command("EHLO c"))
            for line in [
                "MAIL FROM:<ann@example.org>", "AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==",
                "AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=", "MAIL FROM:<bob@example.org>",
                "MAIL FROM:<ann+x@example.org>",
                "RCPT TO:<bob@example.org>", "RCPT TO:<x@elsewhere.example>", "DATA", "Subject: s\r\n\r\nb\r\n.",
            ] {
                replies.append(try await client.command(line))
            }
            return replies
        }
        #expect(
            replies.map { String($0.prefix(9)) } == [
                "220 examp", "250-examp", "530 5.7.0", "220 2.0.0", "250-examp", "530 5.7.0", "535 5.7.8", "235 2.7.0",
                "550 5.7.1", "250 2.1.0", "250 2.1.5", "550 5.4.4", "354 End d", "250 2.0.0",
            ]
        )
        let message = try #require(try await server.inbox(of: server.bob).first)
        #expect(message.trace.contains("with ESMTPSA (TLSv1.3 "))
        #expect(message.trace.contains("for <bob@example.org>;"))
        #expect(
            message.text.hasPrefix("Date: ") && message.text.contains("\r\nFrom: ann+x@example.org\r\nMessage-ID: <")
        )
        #expect(message.text.hasSuffix("@example.org>\r\nSubject: s\r\n\r\nb\r\n"))
    }

    @Test(arguments: [
        ("From: ann@example.org\r\nDate: x\r\nMessage-ID: <y>\r\n\r\nb", "250 2.0.0"),
        ("From: Ann <ANN+tag@Example.org>\r\n\r\nb", "250 2.0.0"),
        ("From: bob@example.org\r\n\r\nb", "550 5.7.1"),
        ("From: ann@example.org, bob@example.org\r\n\r\nb", "550 5.7.1"),
        ("From: ann@example.org\r\nFROM : bob@example.org\r\n\r\nb", "550 5.6.0"),
        ("From: \"ann@example.org\"\r\n <bob@example.org>\r\n\r\nb", "550 5.7.1"),
        ("From: undisclosed:;\r\n\r\nb", "550 5.6.0"),
        ("From: bob@example.org", "550 5.7.1"),
        ("From: ann@example.org\r\nSender: Ann <ann+x@example.org>\r\n\r\nb", "250 2.0.0"),
        ("From: ann@example.org\r\nSender: bob@example.org\r\n\r\nb", "550 5.7.1"),
        ("Sender: ann@example.org\r\nsender: bob@example.org\r\n\r\nb", "550 5.7.1"),
        ("no header at all", "250 2.0.0"),
    ])
    func fromBelongsToTheLogin(_ message: String, _ expected: String) async throws {
        let server = try await MailServerUnderTest()
        let reply = try await server.client(of: server.implicit) { client in
            try await client.startTLS()
            _ = try await client.reply()
            _ = try await client.command("EHLO c")
            _ = try await client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=")
            _ = try await client.command("MAIL FROM:<ann@example.org>")
            _ = try await client.command("RCPT TO:<bob@example.org>")
            _ = try await client.command("DATA")
            return try await client.command(message + "\r\n.")
        }
        #expect(reply.hasPrefix(expected), "\(reply)")
        let isTaken = expected.hasPrefix("250")
        let inbox = try await server.inbox(of: server.bob)
        #expect(inbox.count == (isTaken ? 1 : 0))
        if isTaken { #expect(inbox[0].text.contains(message)) }
    }

    @Test func aMessageBeyondTheSpoolsMemoryArrivesWhole() async throws {
        let server = try await MailServerUnderTest()
        let line = String(repeating: "x", count: 76) + "\r\n"
        let body = "Subject: large\r\n\r\n" + String(repeating: line, count: 20_000)
        let reply = try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("EHLO c")
            _ = try await client.command("MAIL FROM:<x@example.net> SIZE=\(body.utf8.count)")
            _ = try await client.command("RCPT TO:<ann@example.org>")
            _ = try await client.command("DATA")
            try await client.send(body)
            return try await client.command(".")
        }
        #expect(reply.hasPrefix("250 "))
        #expect(try await server.inbox(of: server.ann).first?.text == body)
    }

    @Test func nothingIsKeptOfAMessageThatIsCutOff() async throws {
        let server = try await MailServerUnderTest()
        try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("EHLO c")
            _ = try await client.command("MAIL FROM:<x@example.net>")
            _ = try await client.command("RCPT TO:<ann@example.org>")
            _ = try await client.command("DATA")
            try await client.send("Subject: cut off\r\n\r\n" + String(repeating: "x\r\n", count: 100_000))
        }
        #expect(await server.exchange.drain(milliseconds: 5000))
        #expect(try await server.inbox(of: server.ann).isEmpty)
    }

    @Test func aSuspendedMailboxAndAFullOneTakeNothing() async throws {
        let server = try await MailServerUnderTest()
        let (ann, bob) = (server.ann.key, server.bob.key)
        try await server.store.write { tx in
            var change = AccountChange()
            change.isSuspended = true
            try tx.accounts.update(ann, change)
            change = AccountChange()
            change.quota = .some(10)
            try tx.accounts.update(bob, change)
        }
        let replies = try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("EHLO c")
            return [
                try await client.command("MAIL FROM:<x@example.net> SIZE=11"),
                try await client.command("RCPT TO:<ann@example.org>"),
                try await client.command("RCPT TO:<bob@example.org>"), try await client.command("RSET"),
                try await client.command("MAIL FROM:<x@example.net>"),
                try await client.command("RCPT TO:<bob@example.org>"),
                try await client.command("DATA"), try await client.command("more than ten octets\r\n."),
            ]
        }
        #expect(
            replies.map { String($0.prefix(9)) } == [
                "250 2.1.0", "550 5.2.1", "452 4.2.2", "250 2.0.0", "250 2.1.0", "250 2.1.5", "354 End d", "452 4.2.2",
            ]
        )
    }

    @Test func drainingEndsSessionsBetweenTransactions() async throws {
        let server = try await MailServerUnderTest()
        let replies = try await server.client(of: server.exchange) { client in
            var replies = [try await client.reply()]
            async let drained = server.exchange.drain(milliseconds: 5000)
            replies.append(try await client.reply())
            replies.append(try await client.reply())
            return replies + ["\(await drained)"]
        }
        #expect(
            replies == [
                "220 example.org ESMTP Postern", "421 4.3.2 example.org Service shutting down, try again later",
                "closed", "true",
            ]
        )
    }

    @Test func plaintextBehindSTARTTLSIsRefused() async throws {
        let server = try await MailServerUnderTest()
        let replies = try await server.client(of: server.exchange) { client in
            _ = try await client.reply()
            _ = try await client.command("EHLO c")
            try await client.send("STARTTLS\r\nMAIL FROM:<evil@example.net>\r\n")
            return [try await client.reply(), try await client.reply()]
        }
        #expect(replies.map { String($0.prefix(9)) } == ["554 5.5.1", "closed"])
    }

    @Test func guessesOfManyConnectionsAreStopped() async throws {
        let server = try await MailServerUnderTest()
        var last = ""
        for _ in 0..<11 {
            last = try await server.client(of: server.implicit) { client in
                try await client.startTLS()
                _ = try await client.reply()
                _ = try await client.command("EHLO c")
                _ = try await client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==")
                return try await client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==")
            }
        }
        #expect(last == "454 4.7.0 Too many failed logins, try again later")
    }
}
