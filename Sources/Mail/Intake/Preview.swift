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
        var line = String.UnicodeScalarView()
        var owesBlank = false
        var count = 0
        for scalar in text.span.repairedUTF8String().unicodeScalars where count < longest {
            if scalar.properties.isWhitespace || scalar.value < 0x20 || scalar.value == 0x7F {
                owesBlank = count > 0
                continue
            }
            if scalar.properties.generalCategory == .format, scalar.value != 0x200D { continue }
            if owesBlank, count + 1 < longest {
                line.append(" ")
                count += 1
            }
            owesBlank = false
            line.append(scalar)
            count += 1
        }
        return String(line)
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
