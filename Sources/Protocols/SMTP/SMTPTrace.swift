// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// What a server puts in front of a message it takes (RFC 5321 §4.4): where it came from and whom an answer goes to.
///
/// It is kept apart from the message, because one message serves many mailboxes. Everything in it was checked when it
/// was received, and non-ASCII octets appear only where SMTPUTF8 was agreed upon; no line is longer than 998 octets.
package struct SMTPTrace: Sendable {
    package var reversePath: EmailAddress?
    package var session: SMTPSession
    /// The address the connection came from; nil where it has none, as with a local socket.
    package var peer: InternetAddress?
    /// Ours.
    package var hostName: Domain
    /// Version and cipher, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; nil without TLS, or where it is not known.
    package var tls: String?
    /// What the message can be found by in our logs.
    package var id: String
    /// The recipient where there was exactly one: with more, each would learn of the others (RFC 5321 §7.6).
    package var recipient: EmailAddress?
    package var isUTF8: Bool
    package var date: Timestamp

    package init(
        reversePath: EmailAddress?,
        session: SMTPSession,
        peer: InternetAddress?,
        hostName: Domain,
        tls: String?,
        id: String,
        recipient: EmailAddress?,
        isUTF8: Bool,
        date: Timestamp
    ) {
        self.reversePath = reversePath
        self.session = session
        self.peer = peer
        self.hostName = hostName
        self.tls = tls
        self.id = id
        self.recipient = recipient
        self.isUTF8 = isUTF8
        self.date = date
    }

    /// Whether such octets say that SMTPUTF8 was asked for (RFC 6531 §4.3).
    package static func saysUTF8(_ octets: [UInt8]) -> Bool {
        let words = octets.split(whereSeparator: ASCII.isWhitespace)
        return zip(words, words.dropFirst()).contains {
            $0.elementsEqual("with".utf8) && $1.starts(with: "UTF8SMTP".utf8)
        }
    }

    /// `Return-Path` and `Received`, each ended by CRLF: for a mailbox.
    ///
    /// ```
    /// Return-path-line  = "Return-Path:" FWS Reverse-path <CRLF>
    /// ```
    package var octets: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append("Return-Path: <")
        if let reversePath { buffer.append(reversePath.octets) }
        buffer.append(">\r\n")
        return buffer.array() + received
    }

    /// `Received`, ended by CRLF: for another server, which adds its own.
    ///
    /// ```
    /// Time-stamp-line   = "Received:" FWS Stamp <CRLF>
    /// Stamp             = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
    /// ```
    package var received: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append("Received: from ")
        appendClient(to: &buffer)
        buffer.append("\r\n\tby ")
        buffer.append(hostName.octets)
        buffer.append(" (Postern) with ")
        buffer.append(utf8: session.protocolName(isUTF8: isUTF8))
        if let tls { appendComment(tls, to: &buffer) }
        buffer.append("\r\n\tid ")
        appendPrintable(Array(id.utf8), to: &buffer)
        if let recipient {
            buffer.append("\r\n\tfor <")
            buffer.append(recipient.octets)
            buffer.append(">")
        }
        buffer.append(";\r\n\t")
        buffer.append(rfc5322: date)
        buffer.appendLineEnd()
        return buffer.array()
    }

    private func appendClient(to buffer: inout ByteBuffer) {
        appendPrintable(session.clientName ?? Array("unknown".utf8), to: &buffer)
        guard let peer else { return }
        buffer.append(" (")
        buffer.append(peer.literalOctets)
        buffer.append(")")
    }

    private func appendComment(_ text: String, to buffer: inout ByteBuffer) {
        buffer.append(" (")
        for byte in text.utf8 where (0x20...0x7E).contains(byte) && !Array("()\\".utf8).contains(byte) {
            buffer.append(byte)
        }
        buffer.append(")")
    }

    /// The octets that may stand in a trace field; `?` for others.
    private func appendPrintable(_ octets: [UInt8], to buffer: inout ByteBuffer) {
        for byte in octets {
            buffer.append((0x21...0x7E).contains(byte) || (isUTF8 && byte >= 0x80) ? byte : ASCII.question)
        }
    }
}
