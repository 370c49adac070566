// SPDX-License-Identifier: Apache-2.0

import Wire

/// What a body's decoder found next in the octets it was shown.
public enum HTTPBodyStep: Equatable, Sendable {
    /// These octets of the input are the body's.
    case data(Range<Int>)
    /// All input was taken; more must come.
    case needsInput
    /// The body, trailers included, has ended.
    case end
}

/// Takes the chunked coding off a body (RFC 9112 §7.1).
///
///     chunked-body = *chunk last-chunk trailer-section CRLF
///     chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
///     chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
///
/// Each line ends with CRLF and nothing else: whoever took a bare LF here would see another message than its neighbour.
public struct ChunkedDecoder: Sendable {
    private enum State: Sendable {
        case size(digits: Int)
        case extensionName(octets: Int)
        case extensionValue(octets: Int)
        case extensionQuoted
        case extensionEscape
        case extensionRest
        case sizeEnd
        case data
        case dataCR
        case dataLF
        case trailer
        case trailerLF
        case end
    }

    private let limits: HTTPRequestLimits
    private var state = State.size(digits: 0)
    private var remaining: UInt64 = 0
    private var extensionOctets = 0
    private var trailerOctets = 0
    private var line: [UInt8] = []
    /// The field lines behind the body, without those that may not stand there (RFC 9110 §6.5.1).
    public private(set) var trailers = HTTPFields()

    public init(limits: HTTPRequestLimits = HTTPRequestLimits()) { self.limits = limits }

    /// Octets of the present chunk that have not come.
    public var remainingInChunk: UInt64 { remaining }

    /// Looks at `input` from `offset` on, and moves `offset` behind what it took.
    public mutating func next(_ input: Span<UInt8>, _ offset: inout Int) throws(HTTPProblem) -> HTTPBodyStep {
        while true {
            if case .end = state { return .end }
            guard offset < input.count else { return .needsInput }
            if case .data = state {
                let count = Int(min(UInt64(input.count - offset), remaining))
                let range = offset..<offset + count
                remaining -= UInt64(count)
                offset += count
                if remaining == 0 { state = .dataCR }
                return .data(range)
            }
            state = try state(after: input[offset])
            offset += 1
        }
    }

    private mutating func state(after byte: UInt8) throws(HTTPProblem) -> State {
        switch state {
        case .size(let digits): return try size(digits, byte)
        case .extensionName, .extensionValue, .extensionQuoted, .extensionEscape, .extensionRest:
            return try chunkExtension(byte)
        case .sizeEnd:
            guard byte == ASCII.lf else { throw .badChunk }
            extensionOctets = 0
            return remaining == 0 ? .trailer : .data
        case .dataCR:
            guard byte == ASCII.cr else { throw .badChunk }
            return .dataLF
        case .dataLF:
            guard byte == ASCII.lf else { throw .badChunk }
            return .size(digits: 0)
        case .trailer: return try trailer(byte)
        case .trailerLF:
            guard byte == ASCII.lf else { throw .badTrailer }
            return try endTrailerLine()
        case .data, .end: preconditionFailure("no octet is read here")
        }
    }

    private mutating func size(_ digits: Int, _ byte: UInt8) throws(HTTPProblem) -> State {
        if let value = ASCII.hexValue(byte) {
            guard digits < 16 else { throw .badChunk }
            remaining = remaining << 4 | UInt64(value)
            return .size(digits: digits + 1)
        }
        guard digits > 0 else { throw .badChunk }
        switch byte {
        case ASCII.cr: return .sizeEnd
        case ASCII.semicolon: return .extensionName(octets: 0)
        default: throw .badChunk
        }
    }

    private mutating func chunkExtension(_ byte: UInt8) throws(HTTPProblem) -> State {
        extensionOctets += 1
        guard extensionOctets <= limits.chunkExtensionOctets else { throw .badChunk }
        switch state {
        case .extensionName(let octets):
            if ASCII.isToken(byte) { return .extensionName(octets: octets + 1) }
            if octets == 0 {
                guard ASCII.isBlank(byte) else { throw .badChunk }
                return state
            }
            return byte == ASCII.equals ? .extensionValue(octets: 0) : try extensionEnd(byte)
        case .extensionValue(let octets):
            if ASCII.isToken(byte) { return .extensionValue(octets: octets + 1) }
            if octets == 0 {
                if byte == ASCII.quote { return .extensionQuoted }
                guard ASCII.isBlank(byte) else { throw .badChunk }
                return state
            }
            return try extensionEnd(byte)
        case .extensionQuoted:
            guard HTTPFields.isSafe(byte) else { throw .badChunk }
            if byte == ASCII.backslash { return .extensionEscape }
            return byte == ASCII.quote ? .extensionRest : .extensionQuoted
        case .extensionEscape:
            guard HTTPFields.isSafe(byte) else { throw .badChunk }
            return .extensionQuoted
        default: return try extensionEnd(byte)
        }
    }

    private func extensionEnd(_ byte: UInt8) throws(HTTPProblem) -> State {
        switch byte {
        case ASCII.cr: return .sizeEnd
        case ASCII.semicolon: return .extensionName(octets: 0)
        default: throw .badChunk
        }
    }

    private mutating func trailer(_ byte: UInt8) throws(HTTPProblem) -> State {
        trailerOctets += 1
        guard trailerOctets <= limits.trailerOctets else { throw .badTrailer }
        if byte == ASCII.cr { return .trailerLF }
        guard HTTPFields.isSafe(byte) else { throw .badTrailer }
        line.append(byte)
        return .trailer
    }

    private mutating func endTrailerLine() throws(HTTPProblem) -> State {
        guard !line.isEmpty else { return .end }
        let text = line
        line.removeAll()
        guard trailers.count < limits.trailerFields, let field = FieldLine(text.span) else { throw .badTrailer }
        let name = text.span.extracting(0..<field.nameEnd)
        for framing: StaticString in ["Content-Length", "Transfer-Encoding", "Host"]
        where ASCII.equalsIgnoringCase(name, framing) { throw .badTrailer }
        if !Self.isDropped(name) { trailers.append(name: name, value: text.span.extracting(field.value)) }
        return .trailer
    }

    /// Fields that steer a request, or say who sends it: they come before the body or not at all.
    private static func isDropped(_ name: Span<UInt8>) -> Bool {
        let names: [StaticString] = [
            "Authorization", "Proxy-Authorization", "Cookie", "Connection", "Content-Encoding", "Content-Type",
            "Content-Range", "Expect", "Trailer", "TE", "Upgrade", "Origin", "Cache-Control", "Idempotency-Key",
            "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range",
        ]
        return names.contains { ASCII.equalsIgnoringCase(name, $0) }
    }
}

/// Finds a request body's octets, however it is framed.
public struct HTTPBodyDecoder: Sendable {
    private enum Framing: Sendable {
        case length(UInt64)
        case chunked(ChunkedDecoder)
    }

    private var framing: Framing

    public init(_ framing: HTTPBodyFraming, limits: HTTPRequestLimits = HTTPRequestLimits()) {
        self.framing =
            switch framing {
            case .none: .length(0)
            case .length(let octets): .length(octets)
            case .chunked: .chunked(ChunkedDecoder(limits: limits))
            }
    }

    /// The octets that are known to come, beyond those seen: all of them for a length, the present chunk's for chunks.
    public var announced: UInt64 {
        switch framing {
        case .length(let octets): octets
        case .chunked(let decoder): decoder.remainingInChunk
        }
    }

    public var trailers: HTTPFields {
        switch framing {
        case .length: HTTPFields()
        case .chunked(let decoder): decoder.trailers
        }
    }

    public mutating func next(_ input: Span<UInt8>, _ offset: inout Int) throws(HTTPProblem) -> HTTPBodyStep {
        switch framing {
        case .length(let octets):
            if octets == 0 { return .end }
            guard offset < input.count else { return .needsInput }
            let count = Int(min(UInt64(input.count - offset), octets))
            framing = .length(octets - UInt64(count))
            offset += count
            return .data(offset - count..<offset)
        case .chunked(var decoder):
            // One owner at a time: the decoder's arrays are not copied.
            framing = .length(0)
            defer { framing = .chunked(decoder) }
            return try decoder.next(input, &offset)
        }
    }
}
