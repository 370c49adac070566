// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Base64 for bodies (RFC 2045 §6.8): lines of 76 digits ended by CRLF, fed in pieces of any size.
package struct Base64LineEncoder: Sendable {
    /// Octets that do not yet make a whole line: at most 56.
    private var pending: [UInt8] = []
    private static let octetsPerLine = 57

    package init() {}

    package mutating func encode(_ bytes: Span<UInt8>, into buffer: inout ByteBuffer) {
        var index = 0
        while index < bytes.count {
            let take = min(Self.octetsPerLine - pending.count, bytes.count - index)
            pending.append(contentsOf: bytes.extracting(index..<index + take).array())
            index += take
            if pending.count == Self.octetsPerLine { flush(into: &buffer) }
        }
    }

    /// Writes what is left.
    package mutating func finish(into buffer: inout ByteBuffer) {
        if !pending.isEmpty { flush(into: &buffer) }
    }

    private mutating func flush(into buffer: inout ByteBuffer) {
        buffer.append(Base64.encode(pending))
        buffer.appendLineEnd()
        pending.removeAll(keepingCapacity: true)
    }
}

/// How a text goes into a body.
enum TextEncoding {
    case sevenBit, quotedPrintable, base64

    var name: [UInt8] {
        switch self {
        case .sevenBit: Array("7bit".utf8)
        case .quotedPrintable: Array("quoted-printable".utf8)
        case .base64: Array("base64".utf8)
        }
    }

    /// 7bit where nothing is lost by it; else quoted-printable while that stays readable; else base64.
    init(for bytes: [UInt8]) {
        var lineLength = 0
        var longest = 0
        var unsafe = 0
        for byte in bytes {
            if byte == ASCII.lf {
                lineLength = 0
            } else {
                lineLength += 1
                longest = max(longest, lineLength)
                if byte >= 0x7F || byte < 0x20 && byte != ASCII.tab && byte != ASCII.cr { unsafe += 1 }
            }
        }
        if unsafe == 0, longest <= 900 {
            self = .sevenBit
        } else {
            self = unsafe * 4 <= bytes.count ? .quotedPrintable : .base64
        }
    }

    func encode(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .sevenBit: return bytes
        case .quotedPrintable: return QuotedPrintable.encode(bytes)
        case .base64:
            var buffer = ByteBuffer()
            var encoder = Base64LineEncoder()
            encoder.encode(bytes.span, into: &buffer)
            encoder.finish(into: &buffer)
            return buffer.array()
        }
    }

    /// Text with every line end as CRLF, and one at the end.
    static func canonical(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        var previous: UInt8 = 0
        for byte in text.utf8 {
            switch byte {
            case ASCII.cr: out += [ASCII.cr, ASCII.lf]
            case ASCII.lf: if previous != ASCII.cr { out += [ASCII.cr, ASCII.lf] }
            default: out.append(byte)
            }
            previous = byte
        }
        if !out.isEmpty, out.last != ASCII.lf { out += [ASCII.cr, ASCII.lf] }
        return out
    }
}

/// Quoted-printable (RFC 2045 §6.7) of text with CRLF line ends; lines of at most 76 characters.
enum QuotedPrintable {
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var column = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == ASCII.cr, index + 1 < bytes.count, bytes[index + 1] == ASCII.lf {
                out += [ASCII.cr, ASCII.lf]
                column = 0
                index += 2
                continue
            }
            let atLineEnd = index + 1 == bytes.count || bytes[index + 1] == ASCII.cr
            let plain = byte > 0x20 && byte < 0x7F && byte != ASCII.equals || ASCII.isBlank(byte) && !atLineEnd
            let piece = plain ? [byte] : [ASCII.equals] + HeaderWriter.upperHex(byte)
            if column + piece.count > 75 {
                out += [ASCII.equals, ASCII.cr, ASCII.lf]
                column = 0
            }
            out += piece
            column += piece.count
            index += 1
        }
        return out
    }
}
