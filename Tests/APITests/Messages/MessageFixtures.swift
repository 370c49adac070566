// SPDX-License-Identifier: Apache-2.0

import Testing

/// Messages to put into folders.
enum Letters {
    /// A message of two texts and an attachment, with LF line ends so that they have to be made CRLF.
    static let rich = """
        From: Bob <bob@example.org>
        To: Ann <ann@example.com>
        Subject: =?utf-8?Q?Caf=C3=A9?=
        Date: Wed, 01 Apr 2026 09:30:00 +0200
        Message-ID: <rich@example.org>
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: multipart/alternative; boundary=c

        --c
        Content-Type: text/plain; charset=iso-8859-1
        Content-Transfer-Encoding: quoted-printable

        Caf=E9 at nine
        --c
        Content-Type: text/html; charset=utf-8

        <p>Café <script>alert(1)</script></p>
        --c--
        --b
        Content-Type: application/pdf; name="../re port.pdf"
        Content-Transfer-Encoding: base64
        Content-Disposition: attachment; filename="../re port.pdf"

        AAECAwQFBgcICQ==
        --b--

        """

    static func plain(_ number: Int, replyTo: Int? = nil) -> String {
        let reply = replyTo.map { "In-Reply-To: <n\($0)@example.org>\n" } ?? ""
        return """
            From: Bob <bob@example.org>
            To: ann@example.com
            Subject: Letter \(number)
            Message-ID: <n\(number)@example.org>
            \(reply)
            Text \(number)

            """
    }
}

extension TestServer {
    /// Puts a message into a folder; its answer.
    @discardableResult
    func append(_ text: String, to account: String, _ query: String = "") throws -> TestResponse {
        let answer = try send(
            "POST",
            "/v1/accounts/\(account)/messages\(query)",
            fields: [("Content-Type", "message/rfc822")],
            body: Array(text.utf8)
        )
        guard answer.status == 201 else { throw TestClient.Failure(reason: answer.text) }
        return answer
    }

    /// An account and the path of its messages.
    func mailbox() throws -> (account: String, messages: String) {
        let account = try account()
        return (account, "/v1/accounts/\(account)/messages")
    }
}
