// SPDX-License-Identifier: Apache-2.0

import Charsets
import HTMLTrees
package import MIME
package import Runtime
package import Storage
import Wire

/// Reads texts and attachments out of a stored message by its layout, without parsing it again.
package struct MessageReader: Sendable {
    package let layout: MIMELayout
    private let source: Source
    private let pool: BlockingPool?

    private enum Source: Sendable {
        case body(BodyReader)
        case sections(any SectionSource)
    }

    /// Text read in full, or as much of it as was asked for.
    package struct Text: Sendable {
        /// UTF-8.
        package var octets: [UInt8]
        package var isTruncated: Bool
    }

    /// - Parameters:
    ///   - layout: as ``MIMELayout/encoded()`` wrote it; what this version cannot read counts as a message without parts.
    ///   - pool: where reading waits for the disk; nil to wait on this thread.
    package init(layout: Span<UInt8>, body: BodyReader, pool: BlockingPool?) {
        self.layout = MIMELayout(encoded: layout) ?? MIMELayout(parts: [])
        source = .body(body)
        self.pool = pool
    }

    /// Reads a message that is not here, by its parts.
    ///
    /// - Parameter pool: where HTML is read.
    package init(layout: Span<UInt8>, sections: any SectionSource, pool: BlockingPool?) {
        self.layout = MIMELayout(encoded: layout) ?? MIMELayout(parts: [])
        source = .sections(sections)
        self.pool = pool
    }

    /// The message's plain text, at most `limit` octets: that of all its text parts, with a blank line between two, or
    /// what its HTML says where these say nothing; nil where it has neither.
    package func text(limit: Int) async throws -> Text? {
        let parts = layout.text
        var text = ByteBuffer()
        for part in parts {
            if !text.isEmpty { text.append("\r\n") }
            try await append(part, to: &text, limit: limit)
            if text.count > limit { break }
        }
        if layout.html != nil, text.bytes.indices.allSatisfy({ ASCII.isWhitespace(text.bytes[$0]) }) {
            return try await textOfHTML(limit: limit)
        }
        return parts.isEmpty ? nil : Self.cut(text, limit: limit)
    }

    /// The targets of links stand behind their texts.
    private func textOfHTML(limit: Int) async throws -> Text? {
        guard let html = try await html(limit: HTMLText.longestHTML) else { return nil }
        // Some octets more show whether there is more; blanks at the end are not kept.
        let (more, isTooMany) = limit.addingReportingOverflow(1_024)
        let convert = { @Sendable in
            HTMLText.plainText(of: html.octets, limit: isTooMany ? limit : more, withLinks: true)
        }
        let octets = try await pool?.run(convert) ?? convert()
        return Text(
            octets: UTF8Cut.prefix(octets.span, limit: limit),
            isTruncated: html.isTruncated || octets.count > limit
        )
    }

    /// The message's HTML as it came, in UTF-8, at most `limit` octets; nil where it has none.
    package func html(limit: Int) async throws -> Text? {
        guard let part = layout.html else { return nil }
        var html = ByteBuffer()
        try await append(part, to: &html, limit: limit)
        return Self.cut(html, limit: limit)
    }

    /// The content of any part, its transfer encoding undone.
    package func content(of part: MIMELayout.Part, range: Range<Int64>? = nil) -> PartStream {
        switch source {
        case .body(let body):
            PartStream(content: part, within: layout.containers(of: part), of: body, range: range, pool: pool)
        case .sections(let source): PartStream(content: part, of: source, range: range)
        }
    }

    /// The text of a text part as UTF-8.
    package func textStream(of part: MIMELayout.Part) -> PartStream {
        switch source {
        case .body(let body):
            PartStream(text: part, within: layout.containers(of: part), of: body, pool: pool)
        case .sections(let source): PartStream(text: part, of: source)
        }
    }

    private func append(_ part: MIMELayout.Part, to buffer: inout ByteBuffer, limit: Int) async throws {
        var stream = textStream(of: part)
        while buffer.count <= limit, try await stream.read(into: &buffer) > 0 {}
    }

    private static func cut(_ text: borrowing ByteBuffer, limit: Int) -> Text {
        let isTruncated = text.count > limit
        return Text(octets: UTF8Cut.prefix(text.bytes, limit: limit), isTruncated: isTruncated)
    }
}

/// Cuts UTF-8 between characters.
enum UTF8Cut {
    static func prefix(_ text: Span<UInt8>, limit: Int) -> [UInt8] {
        guard text.count > limit else { return text.array() }
        var end = max(limit, 0)
        while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return text.extracting(0..<end).array()
    }
}
