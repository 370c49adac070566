// SPDX-License-Identifier: Apache-2.0

public import Wire

/// Reads a `multipart/form-data` body (RFC 7578) as it comes: part by part, each part's octets in pieces.
///
/// The parser holds back only what may be the beginning of a delimiter, or the header of a part: never a body.
///
///     multipart-body := [preamble CRLF] dash-boundary CRLF body-part *encapsulation close-delimiter [CRLF epilogue]
///     delimiter      := CRLF "--" boundary            ; RFC 2046 §5.1.1
public struct MultipartParser: ~Copyable {
    public struct Limits: Sendable {
        public var parts = 1000
        /// Octets of all field lines of one part.
        public var headerOctets = 8192
        /// Field lines of one part.
        public var headerFields = 20
        /// Octets before the first delimiter, and after the last.
        public var discardedOctets = 65_536

        public init() {}
    }

    public enum Event: Sendable {
        /// A part begins.
        case part(MultipartPart)
        /// Octets of the part that began last were appended to the buffer that was handed in.
        case body
        /// The part has ended.
        case partEnd
        /// The closing delimiter was seen; anything more is ignored.
        case end
        /// All input was taken; hand in more.
        case needsInput
    }

    private enum State {
        case preamble
        /// A delimiter was seen; its rest is `--`, or blanks and CRLF.
        case delimiterEnd
        case header
        case body
        /// The delimiter behind a part was seen, and nobody told yet.
        case partEnd
        case epilogue
    }

    private let limits: Limits
    /// CR LF, `--`, boundary.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// How much of the delimiter was seen at the end of what came.
    private var matched: Int
    /// Whether the CRLF that `matched` begins with is not of the part's own octets.
    private var isAtStart = true
    /// The field lines of the part that begins, or the rest of a delimiter line.
    private var held: [UInt8] = []
    private var parts = 0
    private var discarded = 0

    /// `boundary` is what ``MediaType/boundary`` gave: 1…70 octets.
    public init(boundary: some Sequence<UInt8>, limits: Limits = Limits()) {
        self.limits = limits
        delimiter = [ASCII.cr, ASCII.lf, ASCII.hyphen, ASCII.hyphen] + boundary
        // The first delimiter may stand at the very beginning, as if a CRLF had gone before.
        matched = 2
    }

    /// Takes octets from the front of `input` up to the next event; a part's octets go to the end of `body`.
    ///
    /// After ``Event/needsInput`` `input` is empty.
    public mutating func next(
        _ input: inout ByteBuffer,
        body: inout ByteBuffer
    ) throws(HTTPProblem) -> Event {
        while true {
            switch state {
            case .preamble:
                guard try skipPreamble(&input) else { return .needsInput }
                state = .delimiterEnd
            case .delimiterEnd:
                guard let isLast = try readDelimiterEnd(&input) else { return .needsInput }
                state = isLast ? .epilogue : .header
                if isLast { return .end }
            case .header:
                guard let part = try readHeader(&input) else { return .needsInput }
                // A part without octets ends with the delimiter whose CRLF ended its header.
                matched = 2
                state = .body
                return .part(part)
            case .body:
                let before = body.count
                if copyBody(&input, to: &body) { state = .partEnd }
                if body.count > before { return .body }
                if state == .body { return .needsInput }
            case .partEnd:
                state = .delimiterEnd
                return .partEnd
            case .epilogue:
                try discard(input.count)
                input.removeAll()
                return .needsInput
            }
        }
    }

    /// 400 where the closing delimiter has not come.
    ///
    /// Call it when the body has ended.
    public func finish() throws(HTTPProblem) {
        guard state == .epilogue else { throw Self.malformed }
    }

    private mutating func discard(_ octets: Int) throws(HTTPProblem) {
        discarded += octets
        guard discarded <= limits.discardedOctets else { throw Self.malformed }
    }

    private mutating func skipPreamble(_ input: inout ByteBuffer) throws(HTTPProblem) -> Bool {
        var nothing = ByteBuffer()
        let before = input.count
        let found = copyBody(&input, to: &nothing)
        try discard(before - input.count)
        return found
    }

    /// Moves octets until the delimiter was seen whole (true) or `input` is empty (false).
    ///
    /// What may be the beginning of a
    /// delimiter is kept back as a number, `matched`, and written out when it turns out to be none.
    private mutating func copyBody(_ input: inout ByteBuffer, to body: inout ByteBuffer) -> Bool {
        let taken = scan(input.bytes, to: &body)
        input.consume(taken)
        guard matched == delimiter.count else { return false }
        matched = 0
        return true
    }

    /// How many octets were taken.
    private mutating func scan(_ octets: Span<UInt8>, to body: inout ByteBuffer) -> Int {
        var index = 0
        while index < octets.count, matched < delimiter.count {
            if matched == 0 {
                let stop = octets.firstIndex(of: ASCII.cr, from: index) ?? octets.count
                body.append(octets.extracting(index..<stop))
                index = stop
                guard index < octets.count else { break }
            }
            let byte = octets[index]
            // CR is nowhere in a delimiter but at its front: a mismatch leaves nothing of what was matched.
            if matched > 0, byte != delimiter[matched] { release(into: &body) }
            if byte == delimiter[matched] { matched += 1 } else { body.append(byte) }
            index += 1
        }
        return index
    }

    private mutating func release(into body: inout ByteBuffer) {
        body.append(delimiter.span.extracting((isAtStart ? 2 : 0)..<matched))
        isAtStart = false
        matched = 0
    }

    /// `--` (true), or blanks and CRLF (false); nil where more must come.
    private mutating func readDelimiterEnd(_ input: inout ByteBuffer) throws(HTTPProblem) -> Bool? {
        while !input.isEmpty {
            held.append(input.bytes[0])
            input.consume(1)
            if held.span.equals("--") {
                held.removeAll()
                return true
            }
            if held.count >= 2, held[held.count - 2] == ASCII.cr, held[held.count - 1] == ASCII.lf {
                held.removeAll()
                return false
            }
            guard Self.mayEndDelimiter(held.span) else { throw Self.malformed }
        }
        return nil
    }

    private static func mayEndDelimiter(_ text: Span<UInt8>) -> Bool {
        let last = text[text.count - 1]
        if text.count > 1, text[text.count - 2] == ASCII.cr { return false }
        if text[0] == ASCII.hyphen { return text.count == 1 }
        return text.count <= 64 && (ASCII.isBlank(last) || last == ASCII.cr)
    }

    private mutating func readHeader(_ input: inout ByteBuffer) throws(HTTPProblem) -> MultipartPart? {
        while !input.isEmpty {
            held.append(input.bytes[0])
            input.consume(1)
            guard held.count <= limits.headerOctets else { throw Self.headerTooLarge }
            if held.last == ASCII.lf, held.count == 2 || held.suffix(4).elementsEqual([13, 10, 13, 10]) {
                let part = try MultipartPart(header: held.span, maximumFields: limits.headerFields)
                held.removeAll()
                parts += 1
                guard parts <= limits.parts else { throw Self.tooManyParts }
                isAtStart = true
                return part
            }
        }
        return nil
    }

    static let malformed = HTTPProblem(
        .badRequest,
        "invalid_multipart",
        "The body is not well-formed multipart/form-data."
    )
    private static let headerTooLarge = HTTPProblem(
        .badRequest,
        "invalid_multipart",
        "The header of a part is too large."
    )
    private static let tooManyParts = HTTPProblem(.contentTooLarge, "too_many_parts", "The body has too many parts.")
}
