// SPDX-License-Identifier: Apache-2.0

import Charsets
import Wire

extension MIMELayout {
    /// The first octet; another one is a layout this version does not know, and the message is parsed again.
    ///
    /// The second form has the container of each part; it is written only where there is one.
    private static let plain: UInt8 = 1
    private static let withContainers: UInt8 = 2

    /// The compact form: numbers as 7-bit groups, offsets as distances from the part before.
    package func encoded() -> [UInt8] {
        var writer = LayoutWriter()
        let hasContainers = parts.contains { $0.container != nil }
        writer.octets.append(hasContainers ? Self.withContainers : Self.plain)
        writer.write(UInt64(parts.count))
        var last: Int64 = 0
        for part in parts {
            writer.write(part.path)
            if hasContainers { writer.write(UInt64((part.container ?? -1) + 1)) }
            writer.write(part.contentType)
            for offset in [
                part.headerRange.lowerBound, part.headerRange.upperBound, part.bodyRange.lowerBound,
                part.bodyRange.upperBound,
            ] {
                writer.write(signed: offset - last)
                last = offset
            }
            writer.octets.append(part.transferEncoding.rawValue)
            writer.octets.append(part.role.rawValue)
            writer.octets.append(part.isInline ? 1 : 0)
            writer.write(UInt64(max(part.decodedSize, 0)))
            writer.write(part.charset?.name)
            writer.write(part.filename)
            writer.write(part.contentID)
        }
        return writer.octets
    }

    /// Nil for octets that ``encoded()`` of this version did not write.
    package init?(encoded octets: Span<UInt8>) {
        var reader = LayoutReader(octets: octets.array())
        guard let version = reader.octet(), version == Self.plain || version == Self.withContainers,
            let count = reader.number(), count <= UInt64(octets.count)
        else { return nil }
        var parts: [Part] = []
        var last: Int64 = 0
        for place in 0..<count {
            // A container comes before what is in it, so that nothing can lie within itself.
            guard let path = reader.text(), let container = version == Self.plain ? 0 : reader.number(),
                container <= place, let contentType = reader.text(),
                let ranges = Self.ranges(&reader, behind: &last),
                let encoding = reader.octet().flatMap(TransferEncoding.init(rawValue:)),
                let role = reader.octet().flatMap(Role.init(rawValue:)), let isInline = reader.octet(),
                let size = reader.number(), let decodedSize = Int64(exactly: size),
                let charset = reader.optionalText(), let filename = reader.optionalText(),
                let contentID = reader.optionalText()
            else { return nil }
            parts.append(
                Part(
                    path: path,
                    container: container == 0 ? nil : Int(container) - 1,
                    contentType: contentType,
                    headerRange: ranges.header,
                    bodyRange: ranges.body,
                    transferEncoding: encoding,
                    charset: charset.map { Charset($0) ?? .unlabelled },
                    decodedSize: decodedSize,
                    role: role,
                    filename: filename,
                    contentID: contentID,
                    isInline: isInline == 1
                )
            )
        }
        guard reader.isAtEnd else { return nil }
        self.parts = parts
    }

    private static func ranges(
        _ reader: inout LayoutReader,
        behind last: inout Int64
    ) -> (header: Range<Int64>, body: Range<Int64>)? {
        var offsets: [Int64] = []
        for _ in 0..<4 {
            guard let distance = reader.signed() else { return nil }
            let (offset, overflow) = last.addingReportingOverflow(distance)
            guard !overflow, offset >= 0 else { return nil }
            offsets.append(offset)
            last = offset
        }
        guard offsets[0] <= offsets[1], offsets[2] <= offsets[3] else { return nil }
        return (offsets[0]..<offsets[1], offsets[2]..<offsets[3])
    }
}

private struct LayoutWriter {
    var octets: [UInt8] = []

    mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            octets.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        octets.append(UInt8(rest))
    }

    mutating func write(signed value: Int64) { write(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func write(_ text: String) {
        write(UInt64(text.utf8.count))
        octets.append(contentsOf: text.utf8)
    }

    /// Nil is 0, a text its length and one.
    mutating func write(_ text: String?) {
        guard let text else { return write(0) }
        write(UInt64(text.utf8.count) + 1)
        octets.append(contentsOf: text.utf8)
    }
}

private struct LayoutReader {
    let octets: [UInt8]
    private var index = 0

    init(octets: [UInt8]) { self.octets = octets }

    var isAtEnd: Bool { index == octets.count }

    mutating func octet() -> UInt8? {
        guard index < octets.count else { return nil }
        defer { index += 1 }
        return octets[index]
    }

    mutating func number() -> UInt64? {
        var value: UInt64 = 0
        for shift: UInt64 in stride(from: 0, through: 63, by: 7) {
            guard let octet = octet(), shift < 63 || octet < 2 else { return nil }
            value |= UInt64(octet & 0x7F) << shift
            if octet < 0x80 { return value }
        }
        return nil
    }

    mutating func signed() -> Int64? {
        number().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
    }

    mutating func text() -> String? { number().flatMap { take($0) } }

    /// The outer nil says that the octets are wrong.
    mutating func optionalText() -> String?? {
        guard let count = number() else { return nil }
        if count == 0 { return .some(nil) }
        return take(count - 1).map { .some($0) }
    }

    private mutating func take(_ count: UInt64) -> String? {
        guard count <= UInt64(octets.count - index) else { return nil }
        let end = index + Int(count)
        defer { index = end }
        return octets.span.extracting(index..<end).utf8String()
    }
}
