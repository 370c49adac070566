// SPDX-License-Identifier: Apache-2.0

package import MIME
package import Runtime
package import Storage
package import Wire

/// Where the encoded octets of parts come from whose message is not here.
package protocol SectionSource: Sendable {
    /// Appends octets of the part's body from the beginning of the range on, at least one, and none beyond the range.
    ///
    /// Throws ``SectionMismatch`` where the part is not as the layout says.
    func read(_ part: MIMELayout.Part, _ range: Range<Int64>, into buffer: inout ByteBuffer) async throws
}

/// A part at a server is not what the server's description of the message says: only the whole message tells what it is.
package struct SectionMismatch: Error, Hashable, Sendable {
    package init() {}
}

/// Gives the content of one part of a stored message, piece by piece: its octets as they were before they were encoded,
/// or its text as UTF-8.
///
/// Holds one piece.
package struct PartStream: ~Copyable {
    /// Encoded octets read at once.
    private static let pieceOctets: Int64 = 64 << 10

    private enum Source {
        case body(BodyReader, BlockingPool?)
        case section(any SectionSource, MIMELayout.Part)
    }

    private let source: Source
    private var rest: Range<Int64>
    /// The encoded messages around the part, the outermost first: each gives the body of the next.
    private var stages: [Stage]
    private var decoder: BodyDecoder
    /// Decodes instead of the other where text is wanted.
    private var textDecoder: TextDecoder?
    private var isFinished = false
    /// Decoded octets still to be left out, and still to be given.
    private var skip: Int64
    private var left: Int64

    /// - Parameters:
    ///   - containers: the encoded messages around the part, the outermost first: see ``MIMELayout/containers(of:)``.
    ///   - range: the octets of the content that are wanted; nil for all.
    ///   - pool: where reading waits for the disk; nil to wait on this thread.
    package init(
        content part: MIMELayout.Part,
        within containers: [MIMELayout.Part] = [],
        of body: BodyReader,
        range: Range<Int64>? = nil,
        pool: BlockingPool?
    ) {
        self.init(part, within: containers, of: .body(body, pool), range: range)
        leaveOutUnread(part)
    }

    /// The content of a part that is not here.
    ///
    /// - Parameter range: the octets of the content that are wanted; nil for all.
    package init(content part: MIMELayout.Part, of source: any SectionSource, range: Range<Int64>? = nil) {
        self.init(part, within: [], of: .section(source, part), range: range)
        leaveOutUnread(part)
    }

    private mutating func leaveOutUnread(_ part: MIMELayout.Part) {
        guard part.transferEncoding.isIdentity, stages.isEmpty else { return }
        // Where nothing is encoded, what is left out need not be read.
        rest = min(rest.lowerBound + skip, rest.upperBound)..<rest.upperBound
        skip = 0
    }

    /// The part's text, converted to UTF-8.
    package init(
        text part: MIMELayout.Part,
        within containers: [MIMELayout.Part] = [],
        of body: BodyReader,
        pool: BlockingPool?
    ) {
        self.init(part, within: containers, of: .body(body, pool), range: nil)
        textDecoder = TextDecoder(part.transferEncoding, charset: part.charset)
    }

    /// The text of a part that is not here, converted to UTF-8.
    package init(text part: MIMELayout.Part, of source: any SectionSource) {
        self.init(part, within: [], of: .section(source, part), range: nil)
        textDecoder = TextDecoder(part.transferEncoding, charset: part.charset)
    }

    private init(
        _ part: MIMELayout.Part,
        within containers: [MIMELayout.Part],
        of source: Source,
        range: Range<Int64>?
    ) {
        self.source = source
        decoder = BodyDecoder(part.transferEncoding)
        textDecoder = nil
        rest = (containers.first ?? part).bodyRange
        stages = zip(containers, containers.dropFirst() + [part]).map { container, inside in
            Stage(container, inside: inside.bodyRange)
        }
        skip = max(range?.lowerBound ?? 0, 0)
        left = range.map { $0.upperBound - $0.lowerBound } ?? .max
    }

    /// Appends the next piece and says how many octets it has; 0 is the end.
    package mutating func read(into buffer: inout ByteBuffer) async throws -> Int {
        while let range = nextRange() {
            var encoded = ByteBuffer()
            switch source {
            case .body(let body, let pool?): try await body.read(range, into: &encoded, on: pool)
            case .body(let body, nil): try body.read(range, into: &encoded)
            case .section(let source, let part):
                // The end of the content needs no octets.
                if !range.isEmpty { try await source.read(part, range, into: &encoded) }
                rest = range.lowerBound + Int64(encoded.count)..<rest.upperBound
            }
            let count = take(consume encoded, into: &buffer)
            if case .section = source, textDecoder?.isNotEncoded ?? decoder.isNotEncoded { throw SectionMismatch() }
            if count > 0 { return count }
        }
        return 0
    }

    /// As ``read(into:)``, waiting for the disk on this thread; gives nothing of a part that is not here.
    package mutating func readBlocking(into buffer: inout ByteBuffer) throws -> Int {
        guard case .body(let body, _) = source else { return 0 }
        while let range = nextRange() {
            var encoded = ByteBuffer()
            try body.read(range, into: &encoded)
            let count = take(consume encoded, into: &buffer)
            if count > 0 { return count }
        }
        return 0
    }

    /// The octets to read next; empty once when all were read, so that the decoder is finished; nil at the end.
    private mutating func nextRange() -> Range<Int64>? {
        guard !isFinished, left > 0 else { return nil }
        if case .section = source, !rest.isEmpty { return rest }
        let end = min(rest.upperBound, rest.lowerBound + Self.pieceOctets)
        defer { rest = end..<rest.upperBound }
        return rest.lowerBound..<end
    }

    private mutating func take(_ piece: consuming ByteBuffer, into buffer: inout ByteBuffer) -> Int {
        var encoded = piece
        var decoded = ByteBuffer()
        if encoded.isEmpty { isFinished = true }
        for index in stages.indices { encoded = stages[index].take(encoded, isLast: isFinished) }
        if textDecoder != nil {
            textDecoder?.decode(encoded.bytes, into: &decoded)
            if isFinished { textDecoder?.finish(into: &decoded) }
        } else {
            decoder.decode(encoded.bytes, into: &decoded)
            if isFinished { decoder.finish(into: &decoded) }
        }
        let skipped = min(skip, Int64(decoded.count))
        skip -= skipped
        decoded.consume(Int(skipped))
        if Int64(decoded.count) > left { decoded.truncate(to: Int(left)) }
        left -= Int64(decoded.count)
        buffer.append(decoded.bytes)
        return decoded.count
    }
}

/// One encoded message around a part: its content decoded, and of that the body of what is inside.
private struct Stage {
    private var decoder: BodyDecoder
    private var skip: Int64
    private var left: Int64

    init(_ container: MIMELayout.Part, inside: Range<Int64>) {
        decoder = BodyDecoder(container.transferEncoding)
        skip = inside.lowerBound
        left = inside.upperBound - inside.lowerBound
    }

    mutating func take(_ encoded: borrowing ByteBuffer, isLast: Bool) -> ByteBuffer {
        var decoded = ByteBuffer()
        decoder.decode(encoded.bytes, into: &decoded)
        if isLast { decoder.finish(into: &decoded) }
        let skipped = min(skip, Int64(decoded.count))
        skip -= skipped
        decoded.consume(Int(skipped))
        if Int64(decoded.count) > left { decoded.truncate(to: Int(left)) }
        left -= Int64(decoded.count)
        return decoded
    }
}
