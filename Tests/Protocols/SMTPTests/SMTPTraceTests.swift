// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import SMTP

@Suite struct SMTPTraceTests {
    private func trace(
        client: String = "client.example",
        isTLS: Bool = false,
        login: String? = nil,
        isUTF8: Bool = false,
        recipient: String? = nil,
        tls: String? = nil
    ) throws -> String {
        var session = SMTPSession(isTLS: isTLS)
        session.clientName = Array(client.utf8)
        session.isExtended = true
        session.login = login.map { Array($0.utf8) }
        let trace = SMTPTrace(
            reversePath: EmailAddress("x@example.net"),
            session: session,
            peer: .ipv4([192, 0, 2, 1]),
            hostName: try #require(Domain("mx.example.org")),
            tls: tls,
            id: "m1",
            recipient: recipient.flatMap { EmailAddress($0) },
            isUTF8: isUTF8,
            date: Timestamp(seconds: 1_775_035_800)
        )
        return trace.octets.span.repairedUTF8String()
    }

    @Test func plain() throws {
        let expected =
            "Return-Path: <x@example.net>\r\nReceived: from client.example ([192.0.2.1])\r\n\tby mx.example.org (Postern) "
            + "with ESMTP\r\n\tid m1;\r\n\tWed, 01 Apr 2026 09:30:00 +0000\r\n"
        #expect(try trace() == expected)
    }

    @Test func underTLSAfterLoginForOne() throws {
        let text = try trace(isTLS: true, login: "a", recipient: "b@example.org", tls: "TLSv1.3 (X)\r\nEvil: 1")
        #expect(text.contains("with ESMTPSA (TLSv1.3 XEvil: 1)\r\n\tid m1\r\n\tfor <b@example.org>;\r\n"))
    }

    @Test func namesThatAreNotASCIINeedTheExtension() throws {
        #expect(try trace(client: "ж").contains("from ?? ("))
        #expect(
            try trace(client: "ж", isUTF8: true).contains(
                "from ж ([192.0.2.1])\r\n\tby mx.example.org (Postern) with UTF8SMTP\r\n"
            )
        )
    }
}
