// SPDX-License-Identifier: Apache-2.0

import Wire

/// The modified UTF-7 of mailbox names (RFC 3501 §5.1.3): printable ASCII stands for itself but `&`, which is written `&-`; runs of
/// anything else are UTF-16 in a base64 with `,` for `/` and without padding, between `&` and `-`.
package enum ModifiedUTF7 {
    package static func encode(_ text: String) -> [UInt8] {
        var output: [UInt8] = []
        var units: [UInt8] = []
        for scalar in text.unicodeScalars {
            if let byte = UInt8(exactly: scalar.value), (0x20...0x7E).contains(byte) {
                flush(&units, into: &output)
                output.append(byte)
                if byte == ampersand { output.append(ASCII.hyphen) }
            } else {
                for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter { units += unit.bigEndianOctets }
            }
        }
        flush(&units, into: &output)
        return output
    }

    private static var ampersand: UInt8 { 0x26 }

    private static func flush(_ units: inout [UInt8], into output: inout [UInt8]) {
        guard !units.isEmpty else { return }
        output.append(ampersand)
        for digit in Base64.encode(units) where digit != ASCII.equals {
            output.append(digit == ASCII.slash ? ASCII.comma : digit)
        }
        output.append(ASCII.hyphen)
        units = []
    }

    /// Nil where the octets are no modified UTF-7: a run that does not end, is not whole UTF-16, or holds what must stand for
    /// itself.
    package static func decode(_ octets: Span<UInt8>) -> String? {
        var text = String.UnicodeScalarView()
        var index = 0
        while index < octets.count {
            let byte = octets[index]
            guard (0x20...0x7E).contains(byte) else { return nil }
            index += 1
            guard byte == ampersand else {
                text.append(Unicode.Scalar(byte))
                continue
            }
            guard let end = octets.firstIndex(of: ASCII.hyphen, from: index) else { return nil }
            if end == index {
                text.append(Unicode.Scalar(byte))
            } else {
                guard let run = run(octets.extracting(index..<end)) else { return nil }
                text.append(contentsOf: run)
            }
            index = end + 1
        }
        return String(text)
    }

    private static func run(_ digits: Span<UInt8>) -> [Unicode.Scalar]? {
        var base64: [UInt8] = []
        for index in digits.indices {
            guard digits[index] != ASCII.slash, digits[index] != ASCII.equals else { return nil }
            base64.append(digits[index] == ASCII.comma ? ASCII.slash : digits[index])
        }
        while base64.count % 4 != 0 { base64.append(ASCII.equals) }
        guard let octets = Base64.decode(base64.span), octets.count % 2 == 0 else { return nil }
        let units = stride(from: 0, to: octets.count, by: 2).map { UInt16(octets[$0]) << 8 | UInt16(octets[$0 + 1]) }
        var scalars: [Unicode.Scalar] = []
        var decoder = UTF16()
        var rest = units.makeIterator()
        while true {
            switch decoder.decode(&rest) {
            case .scalarValue(let scalar):
                // Printable ASCII in a run is a second spelling of the same name.
                guard !(0x20...0x7E).contains(scalar.value) else { return nil }
                scalars.append(scalar)
            case .emptyInput: return scalars
            case .error: return nil
            }
        }
    }
}
