// SPDX-License-Identifier: Apache-2.0

internal import Logging
internal import Wire

/// One thing that happened, and how it is written: always exactly one line, whatever the texts hold.
struct LogLine: Sendable {
    let level: Logger.Level
    let message: String
    let component: String
    let metadata: Logger.Metadata

    /// Octets of one text that are written; what is beyond is cut, with `…` in its place.
    static let longestText = 4096
    private static let ownKeys: Set<String> = ["level", "ts", "msg", "component"]

    /// The facts in a fixed order; a key that is ours gets a `_` behind it.
    private var facts: [(key: String, value: Logger.Metadata.Value)] {
        metadata.sorted { $0.key < $1.key }.map { (Self.ownKeys.contains($0.key) ? "\($0.key)_" : $0.key, $0.value) }
    }

    /// `{"level":"info","ts":"2026-04-01T09:30:00.000Z","msg":"…","component":"…", facts}` and LF.
    func appendJSON(to buffer: inout ByteBuffer, at time: Timestamp) {
        buffer.append("{\"level\":\"")
        buffer.append(utf8: level.rawValue)
        buffer.append("\",\"ts\":\"")
        buffer.append(rfc3339: time)
        buffer.append("\",\"msg\":")
        Self.append(quoted: message, to: &buffer)
        buffer.append(",\"component\":")
        Self.append(quoted: component, to: &buffer)
        for (key, value) in facts {
            buffer.append(ASCII.comma)
            Self.append(quoted: key, to: &buffer)
            buffer.append(ASCII.colon)
            Self.append(json: value, to: &buffer)
        }
        buffer.append("}\n")
    }

    /// `level=info ts=2026-04-01T09:30:00.000Z msg="…" component=… facts` and LF.
    func appendLogfmt(to buffer: inout ByteBuffer, at time: Timestamp) {
        buffer.append("level=")
        buffer.append(utf8: level.rawValue)
        buffer.append(" ts=")
        buffer.append(rfc3339: time)
        buffer.append(" msg=")
        Self.append(quoted: message, to: &buffer)
        buffer.append(" component=")
        Self.append(quoted: component, to: &buffer)
        for (key, value) in facts {
            buffer.append(ASCII.space)
            for byte in key.utf8 { buffer.append(ASCII.isToken(byte) ? byte : ASCII.underscore) }
            buffer.append(ASCII.equals)
            Self.append(quoted: value.description, to: &buffer)
        }
        buffer.append(ASCII.lf)
    }

    private static func append(json value: Logger.Metadata.Value, to buffer: inout ByteBuffer) {
        switch value {
        case .string(let text): append(quoted: text, to: &buffer)
        case .stringConvertible(let fact): append(convertible: fact, to: &buffer)
        // Facts are flat; what is not is written as text, so that no nesting from outside is followed.
        case .dictionary, .array: append(quoted: value.description, to: &buffer)
        }
    }

    private static func append(convertible fact: any CustomStringConvertible, to buffer: inout ByteBuffer) {
        switch fact {
        case let number as any BinaryInteger: buffer.append(utf8: "\(number)")
        case let truth as Bool: buffer.append(utf8: truth ? "true" : "false")
        case let number as Double where number.isFinite: buffer.append(utf8: "\(number)")
        default: append(quoted: fact.description, to: &buffer)
        }
    }

    /// A JSON string in which nothing controls a terminal or ends a line: C0, DEL, C1, the line and paragraph separators
    /// and the bidirectional controls are escaped.
    static func append(quoted text: String, to buffer: inout ByteBuffer) {
        buffer.append(ASCII.quote)
        var octets = 0
        for scalar in text.unicodeScalars {
            octets += UTF8.width(scalar)
            guard octets <= longestText else {
                buffer.append("…")
                break
            }
            append(scalar, to: &buffer)
        }
        buffer.append(ASCII.quote)
    }

    private static func append(_ scalar: Unicode.Scalar, to buffer: inout ByteBuffer) {
        switch scalar.value {
        case 0x0A: buffer.append("\\n")
        case 0x0D: buffer.append("\\r")
        case 0x09: buffer.append("\\t")
        case 0x22: buffer.append("\\\"")
        case 0x5C: buffer.append("\\\\")
        case 0x00...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF:
            buffer.append("\\u")
            for shift in [12, 8, 4, 0] as [UInt32] {
                let digit = UInt8(scalar.value >> shift & 0xF)
                buffer.append(digit < 10 ? ASCII.zero + digit : 0x61 + digit - 10)
            }
        default: for unit in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { buffer.append(unit) }
        }
    }
}
