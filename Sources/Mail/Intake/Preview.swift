// SPDX-License-Identifier: Apache-2.0

import HTMLTrees
import MIME
import Storage
import Wire

/// The first words of a message, for lists.
enum Preview {
    static let longest = 200
    /// Encoded text looked at: beyond it nothing shows in so few words.
    private static let textOctets = 8 << 10
    private static let htmlOctets = 256 << 10

    /// At most ``longest`` Unicode scalars, blanks joined; empty where there is no text.
    ///
    /// May block for the disk.
    static func make(_ layout: MIMELayout, body: BodyReader) throws -> String {
        for part in layout.text {
            let text = try BodyText.read(part, of: body, limit: textOctets)
            let preview = line(text)
            if !preview.isEmpty { return preview }
        }
        guard let part = layout.html else { return "" }
        let html = try BodyText.read(part, of: body, limit: htmlOctets)
        return line(HTMLText.plainText(of: html, limit: 4 * longest))
    }

    static func line(_ text: [UInt8]) -> String {
        var line = PreviewLine()
        if let utf8 = try? UTF8Span(validating: text.span) {
            var scalars = utf8.makeUnicodeScalarIterator()
            while line.count < longest, let scalar = scalars.next() { line.add(scalar, longest: longest) }
        } else {
            for scalar in text.span.repairedUTF8String().unicodeScalars {
                if line.count >= longest { break }
                line.add(scalar, longest: longest)
            }
        }
        return String(line.scalars)
    }
}

/// A preview that is being made, one character after the other.
private struct PreviewLine {
    private(set) var scalars = String.UnicodeScalarView()
    private(set) var count = 0
    private var owesBlank = false

    mutating func add(_ scalar: Unicode.Scalar, longest: Int) {
        if Self.isBlank(scalar) {
            owesBlank = count > 0
            return
        }
        if !scalar.isASCII, scalar.value != 0x200D, scalar.properties.generalCategory == .format { return }
        if owesBlank, count + 1 < longest {
            scalars.append(" ")
            count += 1
        }
        owesBlank = false
        scalars.append(scalar)
        count += 1
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? scalar.value <= 0x20 || scalar.value == 0x7F : scalar.properties.isWhitespace
    }
}

/// Text of a part, read on this thread.
enum BodyText {
    /// UTF-8, at most `limit` octets of it.
    static func read(_ part: MIMELayout.Part, of body: BodyReader, limit: Int) throws -> [UInt8] {
        var stream = PartStream(text: part, of: body, pool: nil)
        var text = ByteBuffer()
        while text.count <= limit, try stream.readBlocking(into: &text) > 0 {}
        return UTF8Cut.prefix(text.bytes, limit: limit)
    }
}
