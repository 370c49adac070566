// SPDX-License-Identifier: Apache-2.0

import Charsets
import Wire

/// A part as somebody else describes it, without its octets: what IMAP's BODYSTRUCTURE says (RFC 9051 §7.5.2).
package struct PartDescription: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case leaf, multipart, message }

    /// As a header would have it, quotes undone.
    package struct Parameter: Hashable, Sendable {
        package var name: [UInt8]
        package var value: [UInt8]

        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    package var kind: Kind
    /// The place of the part around it; nil for the first, which is the message itself.
    package var parent: Int?
    package var type: [UInt8]
    package var subtype: [UInt8]
    package var parameters: [Parameter] = []
    package var disposition: [UInt8]?
    package var dispositionParameters: [Parameter] = []
    package var contentID: [UInt8]?
    package var encoding: [UInt8] = []
    /// Of the body, as it is encoded.
    package var octets: Int64 = 0
    package var lines: Int64 = 0

    package init(_ kind: Kind, in parent: Int?, type: [UInt8], subtype: [UInt8]) {
        self.kind = kind
        self.parent = parent
        self.type = type
        self.subtype = subtype
    }

    /// The fields that a part so described has.
    fileprivate var header: HeaderBlock {
        var header = HeaderBlock()
        header.add("Content-Type", Self.value(type + [ASCII.slash] + subtype, parameters))
        if let disposition { header.add("Content-Disposition", Self.value(disposition, dispositionParameters)) }
        if let contentID { header.add("Content-ID", contentID) }
        if !encoding.isEmpty { header.add("Content-Transfer-Encoding", encoding) }
        return header
    }

    private static func value(_ head: [UInt8], _ parameters: [Parameter]) -> [UInt8] {
        var value = head
        for parameter in parameters {
            value += [ASCII.semicolon, ASCII.space] + parameter.name + [ASCII.equals, ASCII.quote]
            for byte in parameter.value {
                if byte == ASCII.quote || byte == ASCII.backslash { value.append(ASCII.backslash) }
                value.append(byte)
            }
            value.append(ASCII.quote)
        }
        return value
    }

    /// About how many octets of content there are, as most senders encode it.
    fileprivate func decodedSize(_ encoding: TransferEncoding) -> Int64 {
        // 57 octets make a line of 76 characters and a line end.
        encoding == .base64 ? octets / 78 * 57 + octets % 78 / 4 * 3 : octets
    }
}

extension MIMEMessage {
    /// A message of which only the header is here, and what its server says of its parts.
    ///
    /// A part's `bodyRange` begins at 0: it says only how long the encoded body is. Parts beyond the limits are left out, with
    /// those inside them.
    package init(
        header octets: Span<UInt8>,
        described parts: [PartDescription],
        size: Int64,
        limits: MIMELimits = .standard
    ) {
        let head = MIMEParser.parse(octets)
        var described: [MIMEPart] = []
        // The places of those taken among ours.
        var places: [Int?] = []
        for part in parts {
            let isRoot = places.isEmpty
            let parent = part.parent.flatMap { places.indices.contains($0) ? places[$0] : nil }
            guard isRoot || parent != nil, described.count < limits.parts else {
                places.append(nil)
                continue
            }
            places.append(described.count)
            if let parent { described[parent].children.append(described.count) }
            described.append(MIMEPart(part, parent: parent, in: described, limits: limits))
        }
        self.init(parts: described, header: head.header, envelope: head.envelope, defects: [], size: size)
    }
}

extension MIMEPart {
    fileprivate init(_ part: PartDescription, parent: Int?, in parts: [MIMEPart], limits: MIMELimits) {
        let reading = PartHeader(part.header, isInDigest: false, limits: limits)
        self.init(
            path: Self.path(
                isMultipart: part.kind == .multipart,
                in: parent.map { parts[$0] },
                position: parent.map { parts[$0].children.count } ?? 1
            ),
            parent: parent,
            headerRange: 0..<0,
            bodyRange: 0..<max(part.octets, 0),
            lines: part.lines,
            contentType: reading.contentType,
            disposition: reading.disposition,
            contentID: reading.contentID,
            transferEncoding: reading.transferEncoding,
            charset: reading.charset,
            filename: reading.filename,
            decodedSize: max(part.decodedSize(reading.transferEncoding), 0)
        )
    }

    /// The path of the n-th part of another, counted from 1; of the message itself where there is none around it.
    static func path(isMultipart: Bool, in outer: MIMEPart?, position: Int) -> String {
        guard let outer else { return isMultipart ? "0" : "1" }
        if outer.contentType.isMessage, !outer.contentType.isMultipart {
            return outer.path + (isMultipart ? ".0" : ".1")
        }
        if outer.path == "0" { return "\(position)" }
        return outer.path.hasSuffix(".0") ? "\(outer.path.dropLast())\(position)" : "\(outer.path).\(position)"
    }
}

extension HeaderBlock {
    fileprivate mutating func add(_ name: StaticString, _ value: [UInt8]) {
        append(name: Array("\(name)".utf8)[...], value: value[...])
    }
}
