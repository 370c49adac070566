// SPDX-License-Identifier: Apache-2.0

import Crypto
import HTMLTrees
package import MIME
package import Storage
import Wire

/// The first words of a message at a server, read from the beginning of one part.
package struct MirroredPreview: Sendable {
    /// Encoded octets that are looked at: in HTML the words come late.
    private static let textOctets = 2 << 10
    private static let htmlOctets = 16 << 10

    /// The part to be read.
    package let part: MIMELayout.Part
    /// Octets of it that are wanted.
    package var octets: Int { part.role == .html ? Self.htmlOctets : Self.textOctets }

    /// Nil where there is no text to be read.
    package init?(layout: [UInt8]) {
        guard let layout = MIMELayout(encoded: layout.span),
            let part = layout.text.first(where: { !$0.bodyRange.isEmpty }) ?? layout.html,
            part.contentType == "text/plain" || part.contentType == "text/html"
        else { return nil }
        self.part = part
    }

    /// The words at the beginning of the part, from its first octets; none where their reading once ended the process.
    package func words(_ encoded: [UInt8], quarantine: QuarantineSlots) throws -> String {
        var decoder = TextDecoder(part.transferEncoding, charset: part.charset)
        var text = ByteBuffer()
        decoder.decode(encoded.span, into: &text)
        guard part.role == .html else { return Preview.line(text.array()) }
        let html = text.array()
        guard let key = BodyHash(octets: Digest.sha256(html)), !quarantine.isQuarantined(key) else { return "" }
        return try quarantine.guarding(key) {
            Preview.line(HTMLText.plainText(of: html, limit: 4 * Preview.longest))
        }
    }

    /// What a server says are the first words (RFC 8970), as a list shows them.
    package static func words(told: [UInt8]) -> String { Preview.line(told) }
}
