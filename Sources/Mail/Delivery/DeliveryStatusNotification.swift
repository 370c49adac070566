// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Wire

/// What tells a sender that a message did not come through: a report of RFC 3464 in the form of RFC 6522.
struct DeliveryStatusNotification: Sendable {
    struct Failure: Sendable {
        let address: EmailAddress
        let outcome: RecipientOutcome
    }

    /// Our name, as which we report.
    let reporter: Domain
    /// Of the server that did not take it; nil where there was none.
    let remote: String?
    let recipient: EmailAddress
    let submission: SubmissionRow
    /// At least one.
    let failures: [Failure]
    /// Of the message: the octets of its header section, as much of them as was read.
    let header: [UInt8]
    let now: Timestamp
    let messageID: MessageID
    /// 24 or so octets that are in no header: `[A-Za-z0-9]`.
    let boundary: [UInt8]

    /// The whole message, with CRLF line ends.
    func octets() -> [UInt8] {
        var out = ByteBuffer()
        writeHeader(&out)
        part("text/plain; charset=utf-8", encoding: true, &out)
        writeText(&out)
        part("message/delivery-status", encoding: false, &out)
        writeStatus(&out)
        part("text/rfc822-headers", encoding: header.contains { $0 > 0x7F }, &out)
        out.append(header)
        if header.last != ASCII.lf { out.appendLineEnd() }
        out.append("\r\n--")
        out.append(boundary)
        out.append("--\r\n")
        return out.array()
    }

    private func writeHeader(_ out: inout ByteBuffer) {
        out.append("From: Mail delivery <MAILER-DAEMON@")
        out.append(reporter.octets)
        out.append(">\r\nTo: <")
        out.append(recipient.octets)
        out.append(">\r\nSubject: Your message could not be delivered\r\nDate: ")
        out.append(rfc5322: now)
        out.append("\r\nMessage-ID: <")
        out.append(messageID.octets)
        out.append(">\r\n")
        if let id = submission.messageID {
            for name: StaticString in ["In-Reply-To: <", "References: <"] {
                out.append(name)
                out.append(id)
                out.append(">\r\n")
            }
        }
        out.append("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n")
        out.append("Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"")
        out.append(boundary)
        out.append("\"\r\n\r\n")
    }

    private func part(_ type: StaticString, encoding isEightBit: Bool, _ out: inout ByteBuffer) {
        out.append("\r\n--")
        out.append(boundary)
        out.append("\r\nContent-Type: ")
        out.append(type)
        if isEightBit { out.append("\r\nContent-Transfer-Encoding: 8bit") }
        out.append("\r\n\r\n")
    }

    private func writeText(_ out: inout ByteBuffer) {
        out.append(utf8: "Postern at \(reporter) could not deliver the message that you sent on ")
        out.append(rfc5322: submission.created)
        out.append("\r\nto the following, and has given up:\r\n")
        for failure in failures {
            out.append("\r\n  ")
            out.append(failure.address.octets)
            out.append("\r\n    ")
            out.append(utf8: Self.sentence(failure.outcome))
            out.appendLineEnd()
        }
        out.append("\r\nThe header of your message is attached.\r\n")
    }

    private static func sentence(_ outcome: RecipientOutcome) -> String {
        let code = outcome.code.map { "\($0) " } ?? ""
        let status = outcome.status.map { "\($0) " } ?? ""
        let words = outcome.reply ?? "no reason was given"
        let said = outcome.code == nil ? words : "the server said: \(code)\(status)\(words)"
        return outcome.state == .expired ? "Its time ran out. Last: \(said)" : said
    }

    /// ```
    /// delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )       ; RFC 3464 §2.1
    /// ```
    private func writeStatus(_ out: inout ByteBuffer) {
        out.append("Reporting-MTA: dns; ")
        out.append(reporter.octets)
        out.append("\r\nArrival-Date: ")
        out.append(rfc5322: submission.created)
        out.appendLineEnd()
        for failure in failures {
            out.append("\r\nFinal-Recipient: ")
            out.append(failure.address.isASCII ? "rfc822; " : "utf-8; ")
            out.append(failure.address.octets)
            out.append("\r\nAction: failed\r\nStatus: ")
            out.append(utf8: status(of: failure.outcome))
            if let remote {
                out.append("\r\nRemote-MTA: dns; ")
                out.append(utf8: remote)
            }
            if let code = failure.outcome.code {
                out.append(utf8: "\r\nDiagnostic-Code: smtp; \(code) ")
                if let status = failure.outcome.status { out.append(utf8: status + " ") }
                out.append(utf8: Self.ascii(failure.outcome.reply ?? ""))
            }
            out.append("\r\nLast-Attempt-Date: ")
            out.append(rfc5322: now)
            out.appendLineEnd()
        }
    }

    private func status(of outcome: RecipientOutcome) -> String {
        // A time that ran out is final, whatever the last try said (RFC 3463 §3.5: delivery time expired).
        if outcome.state == .expired { return "4.4.7" }
        return outcome.status ?? "5.0.0"
    }

    /// A field of this kind is ASCII, on one line; long ones stay long, which nobody minds in a report.
    private static func ascii(_ text: String) -> String {
        String(decoding: text.utf8.prefix(900).map { (0x20...0x7E).contains($0) ? $0 : ASCII.question }, as: UTF8.self)
    }
}
