// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Intake
import MIME
import Storage
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
        let message = try await call.storedMessage()
        let reader = try await message.reader(call.store)
        guard let path = call.parameters.string("part"), let part = reader.layout.part(path) else {
            throw APIProblem.notFound("part")
        }
        var query = call.query
        let asksInline = query.bool("inline") ?? false
        try query.finish()
        let tag = message.partTag("a", part.path)
        guard try await call.proceeds(tag: tag) else { return }
        try await respond(call, reader, part, tag: tag, asksInline: asksInline)
    }

    private static func respond(
        _ call: Call,
        _ reader: MessageReader,
        _ part: MIMELayout.Part,
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
        var source = PartSource(reader: reader, part: part)
        try await call.respond(
            contentType: type,
            tag: tag,
            length: part.decodedSize,
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

    mutating func read(_ range: Range<Int64>, into buffer: inout ByteBuffer) async throws -> Int {
        if stream == nil { stream = reader.content(of: part, range: range.lowerBound..<part.decodedSize) }
        if held.isEmpty { _ = try await stream?.read(into: &held) }
        let wanted = min(held.count, range.count)
        buffer.append(held.bytes.extracting(0..<wanted))
        held.consume(wanted)
        return wanted
    }
}
