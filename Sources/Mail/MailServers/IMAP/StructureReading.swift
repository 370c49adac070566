// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import MIME
import Storage
import Wire

/// BODYSTRUCTURE of a stored message (RFC 9051 §7.5.2): the parts that its layout has, told in the words of their headers.
struct StructureReading {
    private let message: OpenMessage
    private var parts: [IMAPBodyStructure.Part] = []
    /// Octets of headers that are still looked at: the structure is no larger than they are, about.
    private var headerOctets = 1 << 20
    private static let languages = 100

    static func structure(of message: OpenMessage) async throws -> IMAPBodyStructure {
        var reading = Self(message: message)
        try await reading.run()
        return IMAPBodyStructure(parts: reading.parts)
    }

    private init(message: OpenMessage) { self.message = message }

    /// Parts come behind the part around them: what holds each is known by then.
    private mutating func run() async throws {
        let layout = message.layout
        var places: [String: Int] = [:]
        var parents: [Int?] = []
        for (place, part) in layout.parts.enumerated() {
            parents.append(Self.parents(of: part.path).lazy.compactMap { places[$0] }.first)
            places[part.path] = place
        }
        let holders = Set(parents.compactMap { $0 })
        for (place, part) in layout.parts.enumerated() {
            try await add(part, parent: parents[place], hasChildren: holders.contains(place))
        }
        if parts.isEmpty { parts.append(Self.unread(octets: message.body.size)) }
    }

    /// The paths that the part around one may have, the likelier first.
    private static func parents(of path: String) -> [String] {
        guard let dot = path.utf8.lastIndex(of: ASCII.dot) else { return path == "0" ? [] : ["0"] }
        let outer = String(path[..<dot])
        return path.utf8.suffix(2).elementsEqual(".0".utf8) ? [outer] : [outer + ".0", outer]
    }

    /// What is told of a message that was not looked into.
    private static func unread(octets: Int64) -> IMAPBodyStructure.Part {
        var part = IMAPBodyStructure.Part(
            kind: .leaf,
            section: [1],
            parent: nil,
            type: Array("APPLICATION".utf8),
            subtype: Array("OCTET-STREAM".utf8)
        )
        part.encoding = Array("8BIT".utf8)
        part.octets = UInt64(max(octets, 0))
        return part
    }

    private mutating func add(_ part: MIMELayout.Part, parent: Int?, hasChildren: Bool) async throws {
        let header = try await header(of: part)
        let written = header.first("Content-Type").map { RawParameters($0) }
        let essence = part.contentType.utf8.split(separator: ASCII.slash).map { Array($0) }
        var type = essence.first ?? []
        var subtype = essence.dropFirst().first ?? []
        var parameters: [IMAPParameter] = []
        if let written, let media = written.mediaType, ASCII.lowercased(media.type) == type,
            ASCII.lowercased(media.subtype) == subtype
        {
            (type, subtype) = media
            parameters = written.parameters
        } else if part.contentType == "text/plain" {
            parameters = [IMAPParameter(name: Array("CHARSET".utf8), value: Array("us-ascii".utf8))]
        }
        let isMultipart = hasChildren && part.contentType.utf8.starts(with: "multipart/".utf8)
        if !isMultipart, part.contentType.utf8.starts(with: "multipart/".utf8) {
            // It has no parts, which BODYSTRUCTURE cannot say.
            (type, subtype, parameters) = (Array("text".utf8), Array("plain".utf8), [])
        }
        let isMessage = hasChildren && !isMultipart
        var told = IMAPBodyStructure.Part(
            kind: isMultipart ? .multipart : isMessage ? .message : .leaf,
            section: part.path.utf8.split(separator: ASCII.dot).compactMap { StrictInteger.decimal($0) }
                .compactMap { UInt32(exactly: $0) }.filter { $0 > 0 },
            parent: parent,
            type: type,
            subtype: subtype
        )
        told.parameters = parameters
        told.disposition = header.first("Content-Disposition").map { RawParameters($0) }.flatMap {
            $0.head.isEmpty ? nil : IMAPBodyStructure.Disposition(type: $0.head, parameters: $0.parameters)
        }
        told.languages =
            header.first("Content-Language").map { value in
                value.split(maxSplits: Self.languages) { $0 == ASCII.comma || ASCII.isBlank($0) }
                    .prefix(Self.languages).map { Array($0) }
            } ?? []
        told.location = header.first("Content-Location")
        if !isMultipart {
            told.id = header.first("Content-ID")
            told.description = header.first("Content-Description")
            told.md5 = header.first("Content-MD5")
            let encoding = header.first("Content-Transfer-Encoding").map { RawParameters($0).head } ?? []
            told.encoding = encoding.isEmpty ? Array("7BIT".utf8) : encoding.map(ASCII.uppercased)
            told.octets = UInt64(part.bodyRange.count)
            if isMessage || part.contentType.utf8.starts(with: "text/".utf8) || type.elementsEqual("text".utf8) {
                told.lines = try await lines(of: part)
            }
        }
        if isMessage {
            let inner = message.inner(of: part)
            var header = RawHeader([])
            if let inner { header = try await self.header(of: inner) }
            told.envelope = IMAPEnvelope(header)
        }
        parts.append(told)
    }

    /// As much of it as is still looked at.
    private mutating func header(of part: MIMELayout.Part) async throws -> RawHeader {
        guard headerOctets > 0 else { return RawHeader([]) }
        let octets = try await message.header(of: part)
        defer { headerOctets -= octets.count }
        return RawHeader(Array(octets.prefix(headerOctets)))
    }

    private func lines(of part: MIMELayout.Part) async throws -> UInt64 {
        let container = message.layout.containers(of: part).last
        var lines: UInt64 = 0
        var last: UInt8?
        var start = part.bodyRange.lowerBound
        while start < part.bodyRange.upperBound {
            let end = min(start + (64 << 10), part.bodyRange.upperBound)
            let piece = try await message.read(start..<end, in: container)
            guard !piece.isEmpty else { break }
            for byte in piece where byte == ASCII.lf { lines += 1 }
            last = piece.last
            start = end
        }
        // A last line without its end is a line.
        return last == nil || last == ASCII.lf ? lines : lines + 1
    }
}
