// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Intake
import MIME
import Storage
import Sync
import Wire

/// `GET /v1/accounts/{account}/messages/{message}/attachments/{part}`: the octets of a part after its transfer encoding.
enum GetAttachment {
    /// What a browser shows without running anything.
    private static let safeInline: Set<String> = ["text/plain", "image/png", "image/jpeg", "image/gif", "image/webp"]

    static let operation = Operation(
        "getAttachment",
        .get,
        "/v1/accounts/{account}/messages/{message}/attachments/{part}",
        scope: .read
    ) { call in
        var query = call.query
        let asksInline = query.bool("inline") ?? false
        try await call.reading(try await call.locatedMessage()) { message, reader, sections in
            guard let path = call.parameters.string("part"), let part = reader.layout.part(path) else {
                throw APIProblem.notFound("part")
            }
            try query.finish()
            let tag = message.partTag("a", part.path)
            guard try await call.proceeds(tag: tag) else { return }
            var source = PartSource(reader: reader, part: part)
            var length: Int64? = part.decodedSize
            if let sections { length = try await source.prepare(sections) }
            try await respond(call, &source, part, length: length, tag: tag, asksInline: asksInline)
        }
    }

    private static func respond(
        _ call: Call,
        _ source: inout PartSource,
        _ part: MIMELayout.Part,
        length: Int64?,
        tag: EntityTag,
        asksInline: Bool
    ) async throws {
        let isInline = asksInline && safeInline.contains(part.contentType)
        let type = contentType(part)
        let name = SafeFilename.make(from: part.filename, contentType: ContentType(type), part: part.path)
        var fields = HTTPFields()
        fields.add("Content-Security-Policy", Sandbox.policy)
        try fields.add(
            "Content-Disposition",
            isInline ? HTTP.ContentDisposition.inline(name) : HTTP.ContentDisposition.attachment(name)
        )
        try await call.respond(
            contentType: type,
            tag: tag,
            length: length,
            fields: fields
        ) { range, buffer in
            try await source.read(range, into: &buffer)
        }
    }

    /// What the part says it is, where that can stand in a field.
    private static func contentType(_ part: MIMELayout.Part) -> [UInt8] {
        let octets = Array(part.contentType.utf8)
        let halves = octets.split(separator: ASCII.slash, omittingEmptySubsequences: false)
        guard halves.count == 2, halves.allSatisfy({ !$0.isEmpty && $0.allSatisfy(ASCII.isToken) }) else {
            return Array("application/octet-stream".utf8)
        }
        return octets
    }
}

extension ContentType {
    /// From `type/subtype`.
    fileprivate init(_ octets: [UInt8]) {
        let halves = octets.split(separator: ASCII.slash, maxSplits: 1).map { Array($0).span.repairedUTF8String() }
        self.init(halves.first ?? "", halves.last ?? "")
    }
}

/// Gives consecutive pieces of a part; the first one says where.
private struct PartSource: ~Copyable {
    private let reader: MessageReader
    private let part: MIMELayout.Part
    private var stream: PartStream?
    /// What the stream gave and was not asked for yet: a decoder may hold octets back and give them with its next piece.
    private var held = ByteBuffer()

    init(reader: MessageReader, part: MIMELayout.Part) {
        self.reader = reader
        self.part = part
    }

    /// Sees that the part can be had from the message's server; octets of content, or nil where only its end will tell.
    mutating func prepare(_ sections: RemoteSections) async throws -> Int64? {
        try await sections.prepare(part)
        if part.transferEncoding.isIdentity { return part.bodyRange.upperBound }
        guard part.bodyRange.upperBound <= RemoteSections.smallOctets else {
            // Whether it is encoded at all shows at its beginning.
            stream = reader.content(of: part)
            _ = try await stream?.read(into: &held)
            return nil
        }
        var counted = reader.content(of: part)
        var octets = ByteBuffer()
        while try await counted.read(into: &octets) > 0 {}
        return Int64(octets.count)
    }

    mutating func read(_ range: Range<Int64>, into buffer: inout ByteBuffer) async throws -> Int {
        if stream == nil { stream = reader.content(of: part, range: range.lowerBound..<Int64.max) }
        if held.isEmpty { _ = try await stream?.read(into: &held) }
        let wanted = min(held.count, range.count)
        buffer.append(held.bytes.extracting(0..<wanted))
        held.consume(wanted)
        return wanted
    }
}
