// SPDX-License-Identifier: Apache-2.0

import Crypto
import HTMLTrees
import JSON
import MIME
package import Storage
import Wire

/// Reads the words of stored messages for the search index: its header is read again, its texts by the layout.
///
/// HTML is parsed here that was not when the message came in; so this too is guarded, by a hash of what the store keeps of
/// the message. Nobody waits for it, and any end of the process may meet it: so only the third one leaves the message without
/// words, and a reading that succeeds forgets those before.
package struct SearchText: SearchTextExtractor {
    private let quarantine: QuarantineSlots
    /// Ends of the process after which a message is no longer read.
    private static let strikes = 3

    package init(quarantine: QuarantineSlots) { self.quarantine = quarantine }

    package var version: Int64 { 1 }

    package func text(of content: StoredContent) throws -> SearchableText {
        guard !content.isQuarantined, let layout = MIMELayout(encoded: content.layout.span) else {
            return SearchableText()
        }
        guard let body = content.body else { return Self.read(summary: content.summary, layout) }
        let digest = Digest.sha256(content.summary + content.detail + content.layout)
        guard let key = BodyHash(octets: digest), quarantine.strikes(of: key) < Self.strikes else {
            return SearchableText()
        }
        let text = try quarantine.guarding(key) { try Self.read(layout, of: body) }
        if quarantine.strikes(of: key) > 0 { try quarantine.release(key) }
        return text
    }

    /// Of a message whose octets are at its server: what its summary says.
    static func read(summary: [UInt8], _ layout: MIMELayout) -> SearchableText {
        var text = SearchableText()
        let braced = [ASCII.openBrace] + summary + [ASCII.closeBrace]
        guard let members = (try? JSONValue(parsing: braced.span))?.object else { return text }
        text.subject = members["subject"]?.string ?? []
        text.from = words(members, ["from", "sender"])
        text.to = words(members, ["to"])
        text.cc = words(members, ["cc"])
        text.bcc = words(members, ["bcc"])
        text.filenames = Array(layout.attachments.compactMap(\.filename).joined(separator: " ").utf8)
        return text
    }

    private static func words(_ members: JSONObject, _ names: [StaticString]) -> [UInt8] {
        var words: [[UInt8]] = []
        for name in names {
            guard let value = members[name] else { continue }
            for address in value.array ?? [value] {
                for part in ["name", "address", "group"] as [StaticString] {
                    if let text = address.object?[part]?.string { words.append(text) }
                }
            }
        }
        return Array(words.joined(separator: [ASCII.space]))
    }

    static func read(_ layout: MIMELayout, of body: BodyReader) throws -> SearchableText {
        var text = SearchableText()
        try readHeader(layout, of: body, into: &text)
        text.body = try bodyText(layout, of: body)
        let names = layout.attachments.compactMap(\.filename)
        text.filenames = Array(names.joined(separator: " ").utf8)
        return text
    }

    private static func readHeader(_ layout: MIMELayout, of body: BodyReader, into text: inout SearchableText) throws {
        guard let header = layout.parts.first?.headerRange else { return }
        var octets = ByteBuffer()
        let longest = Int64(MIMELimits.standard.headerOctets * 2)
        try body.read(header.lowerBound..<min(header.upperBound, header.lowerBound + longest), into: &octets)
        let envelope = MIMEParser.parse(octets.bytes).envelope
        text.subject = Array((envelope.subject ?? "").utf8)
        text.from = words(envelope.from + (envelope.sender.map { [$0] } ?? []))
        text.to = words(envelope.to)
        text.cc = words(envelope.cc)
        text.bcc = words(envelope.bcc)
    }

    private static func words(_ addresses: [MailAddress]) -> [UInt8] {
        Array(
            addresses.map { [$0.name, $0.address, $0.group].compactMap(\.self).joined(separator: " ") }.joined(
                separator: " "
            ).utf8
        )
    }

    /// The plain texts; where there are none, what the HTML says.
    private static func bodyText(_ layout: MIMELayout, of body: BodyReader) throws -> [UInt8] {
        var text: [UInt8] = []
        for part in layout.text where text.count < Self.maximumBodyOctets {
            if !text.isEmpty { text.append(ASCII.lf) }
            text += try BodyText.read(part, of: body, limit: Self.maximumBodyOctets - text.count)
        }
        let hasWords = text.contains { !ASCII.isWhitespace($0) }
        guard !hasWords, let part = layout.html else { return text }
        let html = try BodyText.read(part, of: body, limit: HTMLText.longestHTML)
        return HTMLText.plainText(of: html, limit: Self.maximumBodyOctets)
    }
}
