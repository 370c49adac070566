// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// One reply of RFC 5321 §4.2, with its enhanced status code (RFC 2034) on every line that may have one.
package struct SMTPReply: Hashable, Sendable {
    /// The three digits: 200…599.
    package let code: UInt16
    /// Nil for the greeting, EHLO, HELO, 334 and 354 (RFC 2034 §3).
    package let status: EnhancedStatusCode?
    /// At least one.
    ///
    /// Written as they are, apart from controls and octets above 0x7F, which become `?`.
    package let lines: [String]

    package init(_ code: UInt16, _ status: EnhancedStatusCode?, _ lines: String...) {
        self.init(code, status, lines: lines)
    }

    package init(_ code: UInt16, _ status: EnhancedStatusCode?, lines: [String]) {
        precondition((200...599).contains(code) && !lines.isEmpty)
        self.code = code
        self.status = status
        self.lines = lines
    }

    /// The longest line written, CRLF included (RFC 5321 §4.5.3.1.5); what is longer is cut.
    package static let maximumLineOctets = 512

    package var isPositive: Bool { code < 400 }

    /// ```
    /// Reply-line     = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
    /// ```
    package func append(to output: inout ByteBuffer) {
        for (index, line) in lines.enumerated() {
            let start = output.count
            output.append(decimal: code)
            output.append(index == lines.count - 1 ? ASCII.space : ASCII.hyphen)
            if let status {
                output.append(utf8: status.description)
                output.append(ASCII.space)
            }
            let room = Self.maximumLineOctets - 2 - (output.count - start)
            for byte in line.utf8.prefix(room) {
                output.append((0x20...0x7E).contains(byte) || byte == ASCII.tab ? byte : ASCII.question)
            }
            output.appendLineEnd()
        }
    }
}

extension EnhancedStatusCode {
    /// Shorthand for the tables of replies.
    static func code(_ statusClass: UInt8, _ subject: UInt16, _ detail: UInt16) -> Self {
        Self(statusClass, subject, detail)
    }
}
