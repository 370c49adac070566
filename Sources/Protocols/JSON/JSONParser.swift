// SPDX-License-Identifier: Apache-2.0

import Wire

/// What a ``JSONParser`` finds, in the order of the text.
///
/// Strings and names come decoded, as UTF-8; numbers as they are written.
public protocol JSONHandler: ~Copyable {
    mutating func beginObject()
    mutating func endObject()
    mutating func beginArray()
    mutating func endArray()
    mutating func key(_ name: Span<UInt8>)
    mutating func string(_ text: Span<UInt8>)
    /// `number` of RFC 8259 §6, already checked.
    mutating func number(_ text: Span<UInt8>)
    mutating func bool(_ value: Bool)
    mutating func null()
    /// Asked at the beginning of each string value: true has it come by ``piece(_:isLast:)`` and not count against the limits.
    mutating func streamsString() -> Bool
    mutating func piece(_ text: Span<UInt8>, isLast: Bool)
}

/// A strict, incremental reader of one JSON text (RFC 8259): chunks in, events out, however the text is cut.
///
/// UTF-8 only and no byte order mark; a name twice in one object is refused, compared after undoing escapes; so is half of a surrogate
/// pair. Nothing is recursive, and what is held never exceeds ``JSONLimits``. After an error the parser repeats it.
public struct JSONParser: ~Copyable {
    //  value ─▶ string | number | literal | { keyOrEnd | [ valueOrEnd
    //  keyOrEnd, key ─▶ string ─▶ colon ─▶ value ─▶ commaOrEnd ─▶ key | value | (closed) commaOrEnd … ─▶ end
    private enum State {
        case value, valueOrEnd, keyOrEnd, key, colon, commaOrEnd, end
        case string, escape, hex, surrogateEscape, surrogateU
        case number(Number), literal(Literal)
    }

    private enum Number { case minus, zero, integer, point, fraction, exponent, exponentSign, exponentDigits }

    private enum Literal {
        case `true`, `false`, null

        var word: StaticString {
            switch self {
            case .true: "true"
            case .false: "false"
            case .null: "null"
            }
        }
    }

    private let limits: JSONLimits
    private var state = State.value
    private var failure: JSONError?
    /// One bit for each open container, the innermost lowest: 1 is an object.
    private var containers: UInt64 = 0
    private var depth = 0
    /// The names of each open object.
    private var names: [Set<[UInt8]>] = []
    /// The string or number that is being read, decoded.
    private var scratch: [UInt8] = []
    private var isKey = false
    private var isStreamed = false
    /// Continuation octets that must follow, and the range of the first.
    private var continuation = (count: 0, low: UInt8(0x80), high: UInt8(0xBF))
    private var hexDigits = 0
    private var hexValue: UInt32 = 0
    /// The first half of a pair, or 0.
    private var highSurrogate: UInt32 = 0
    private var literalOctets = 0
    private var offset = 0
    private var counted = 0
    private var values = 0

    public init(limits: JSONLimits = JSONLimits()) {
        self.limits = limits
        precondition(limits.depth <= 64)
    }

    /// Whether a string is being read that the handler wanted as a stream.
    public var isStreaming: Bool { isStreamed }

    /// Reads on.
    ///
    /// Chunks may be cut anywhere.
    public mutating func consume(
        _ chunk: Span<UInt8>,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) {
        if let failure { throw failure }
        var index = 0
        do throws(JSONError) {
            while index < chunk.count {
                let wasStreamed = isStreamed
                let next: Int
                if case .string = state {
                    next = try run(chunk, from: index, &handler)
                } else {
                    next = try step(chunk[index], &handler) ? index &+ 1 : index
                }
                offset &+= next &- index
                if !wasStreamed { counted &+= next &- index }
                index = next
                if counted > limits.octets { throw JSONError(.tooLarge, offset: offset) }
            }
        } catch {
            failure = error
            throw error
        }
        if isStreamed { flush(&handler, isLast: false) }
    }

    /// The text is over: ends a number at top level, and says whether anything is missing.
    public mutating func finish(_ handler: inout some JSONHandler & ~Copyable) throws(JSONError) {
        if let failure { throw failure }
        if case .number(let number) = state, depth == 0 { try endNumber(number, &handler) }
        guard case .end = state else {
            let error = JSONError(.unexpectedEnd, offset: offset)
            failure = error
            throw error
        }
    }

    // MARK: Structure

    /// Takes one octet; false when it ended a number and is to be seen again.
    private mutating func step(_ byte: UInt8, _ handler: inout some JSONHandler & ~Copyable) throws(JSONError) -> Bool {
        switch state {
        case .value:
            if !Self.isSpace(byte) { try beginValue(byte, &handler) }
        case .valueOrEnd:
            if byte == ASCII.closeBracket {
                endContainer(&handler)
            } else if !Self.isSpace(byte) {
                try beginValue(byte, &handler)
            }
        case .keyOrEnd where byte == ASCII.closeBrace:
            endContainer(&handler)
        case .keyOrEnd, .key:
            if byte == ASCII.quote {
                beginString(isKey: true)
            } else if !Self.isSpace(byte) {
                throw error(.unexpectedOctet)
            }
        case .colon:
            if byte == ASCII.colon {
                state = .value
            } else if !Self.isSpace(byte) {
                throw error(.unexpectedOctet)
            }
        case .commaOrEnd:
            if !Self.isSpace(byte) { try separate(byte, &handler) }
        case .end:
            if !Self.isSpace(byte) { throw error(.unexpectedOctet) }
        case .number(let number):
            return try step(number, byte, &handler)
        case .literal(let literal):
            try step(literal, byte, &handler)
        case .string:
            preconditionFailure("strings are read in runs")
        case .escape, .hex, .surrogateEscape, .surrogateU:
            try stepEscape(byte)
        }
        return true
    }

    private static func isSpace(_ byte: UInt8) -> Bool { ASCII.isWhitespace(byte) }

    private func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason, offset: offset) }

    private mutating func count() throws(JSONError) {
        values &+= 1
        if values > limits.values { throw error(.tooLarge) }
    }

    private mutating func beginValue(
        _ byte: UInt8,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) {
        try count()
        switch byte {
        case ASCII.openBrace:
            try open(isObject: true)
            handler.beginObject()
        case ASCII.openBracket:
            try open(isObject: false)
            handler.beginArray()
        case ASCII.quote:
            beginString(isKey: false)
            isStreamed = handler.streamsString()
        case ASCII.hyphen: beginNumber(.minus, byte)
        case ASCII.zero: beginNumber(.zero, byte)
        case 0x31...0x39: beginNumber(.integer, byte)
        case UInt8(ascii: "t"): beginLiteral(.true)
        case UInt8(ascii: "f"): beginLiteral(.false)
        case UInt8(ascii: "n"): beginLiteral(.null)
        default: throw error(.unexpectedOctet)
        }
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard depth < limits.depth else { throw error(.tooDeep) }
        depth &+= 1
        containers = containers << 1 | (isObject ? 1 : 0)
        if isObject { names.append([]) }
        state = isObject ? .keyOrEnd : .valueOrEnd
    }

    private mutating func separate(_ byte: UInt8, _ handler: inout some JSONHandler & ~Copyable) throws(JSONError) {
        let isObject = containers & 1 == 1
        switch byte {
        case ASCII.comma: state = isObject ? .key : .value
        case ASCII.closeBrace where isObject, ASCII.closeBracket where !isObject: endContainer(&handler)
        default: throw error(.unexpectedOctet)
        }
    }

    private mutating func endContainer(_ handler: inout some JSONHandler & ~Copyable) {
        if containers & 1 == 1 {
            names.removeLast()
            handler.endObject()
        } else {
            handler.endArray()
        }
        containers >>= 1
        depth &-= 1
        endValue()
    }

    private mutating func endValue() { state = depth == 0 ? .end : .commaOrEnd }

    // MARK: Literals and numbers

    private mutating func beginLiteral(_ literal: Literal) {
        literalOctets = 1
        state = .literal(literal)
    }

    private mutating func step(
        _ literal: Literal,
        _ byte: UInt8,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) {
        let place = literalOctets
        guard literal.word.withUTF8Buffer({ $0[place] == byte }) else { throw error(.unexpectedOctet) }
        literalOctets &+= 1
        guard literalOctets == literal.word.utf8CodeUnitCount else { return }
        switch literal {
        case .true: handler.bool(true)
        case .false: handler.bool(false)
        case .null: handler.null()
        }
        endValue()
    }

    private mutating func beginNumber(_ number: Number, _ byte: UInt8) {
        scratch.removeAll(keepingCapacity: true)
        scratch.append(byte)
        state = .number(number)
    }

    // number = [ minus ] int [ frac ] [ exp ]
    // int = zero / ( digit1-9 *DIGIT )   frac = decimal-point 1*DIGIT   exp = e [ minus / plus ] 1*DIGIT
    private mutating func step(
        _ number: Number,
        _ byte: UInt8,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) -> Bool {
        let next: Number?
        switch (number, byte) {
        case (.minus, ASCII.zero): next = .zero
        case (.minus, 0x31...0x39), (.integer, 0x30...0x39): next = .integer
        case (.zero, ASCII.dot), (.integer, ASCII.dot): next = .point
        case (.point, 0x30...0x39), (.fraction, 0x30...0x39): next = .fraction
        case (.zero, 0x45), (.zero, 0x65), (.integer, 0x45), (.integer, 0x65), (.fraction, 0x45), (.fraction, 0x65):
            next = .exponent
        case (.exponent, ASCII.plus), (.exponent, ASCII.hyphen): next = .exponentSign
        case (.exponent, 0x30...0x39), (.exponentSign, 0x30...0x39), (.exponentDigits, 0x30...0x39):
            next = .exponentDigits
        default: next = nil
        }
        guard let next else {
            try endNumber(number, &handler)
            return false
        }
        guard scratch.count < limits.numberOctets else { throw error(.tooLarge) }
        scratch.append(byte)
        state = .number(next)
        return true
    }

    private mutating func endNumber(
        _ number: Number,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) {
        switch number {
        case .zero, .integer, .fraction, .exponentDigits: break
        case .minus, .point, .exponent, .exponentSign: throw error(.unexpectedOctet)
        }
        handler.number(scratch.span)
        endValue()
    }

    // MARK: Strings

    private mutating func beginString(isKey: Bool) {
        self.isKey = isKey
        scratch.removeAll(keepingCapacity: true)
        continuation.count = 0
        highSurrogate = 0
        state = .string
    }

    /// Reads a string on from `start` to its end, to an escape or to the end of the chunk; returns where to go on.
    private mutating func run(
        _ chunk: Span<UInt8>,
        from start: Int,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) -> Int {
        var index = start
        while index < chunk.count {
            index = Self.skipPlain(chunk, from: index, unlessWithin: continuation.count)
            guard index < chunk.count else { break }
            let byte = chunk[index]
            if continuation.count > 0 {
                guard byte >= continuation.low, byte <= continuation.high else {
                    throw fault(.invalidUTF8, index, start)
                }
                continuation = (continuation.count - 1, 0x80, 0xBF)
            } else if byte >= 0x80 {
                guard let expected = UTF8Sequence.expectation(after: byte) else {
                    throw fault(.invalidUTF8, index, start)
                }
                continuation = expected
            } else if byte == ASCII.quote {
                try endString(chunk.extracting(start..<index), at: index &- start, &handler)
                return index &+ 1
            } else if byte == ASCII.backslash {
                scratch.append(chunk, start..<index)
                state = .escape
                return index &+ 1
            } else if byte < 0x20 {
                throw fault(.controlCharacter, index, start)
            }
            index &+= 1
        }
        if isStreamed, scratch.isEmpty {
            handler.piece(chunk.extracting(start..<index), isLast: false)
        } else {
            scratch.append(chunk, start..<index)
        }
        return index
    }

    private func fault(_ reason: JSONError.Reason, _ index: Int, _ start: Int) -> JSONError {
        JSONError(reason, offset: offset + index - start)
    }

    /// The offset of the first octet from `start` on that is not plain ASCII text, or the count.
    private static func skipPlain(_ chunk: Span<UInt8>, from start: Int, unlessWithin continuations: Int) -> Int {
        guard continuations == 0 else { return start }
        return chunk.withUnsafeBytes { bytes in
            var index = start
            while bytes.count &- index >= 8 {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let hits = JSONEscaping.special(word)
                if hits != 0 { return index &+ hits.trailingZeroBitCount >> 3 }
                index &+= 8
            }
            while index < bytes.count {
                let byte = bytes[index]
                if byte < 0x20 || byte >= 0x80 || byte == ASCII.quote || byte == ASCII.backslash { return index }
                index &+= 1
            }
            return index
        }
    }

    private mutating func endString(
        _ rest: Span<UInt8>,
        at length: Int,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) {
        if isStreamed {
            flush(&handler, isLast: false)
            isStreamed = false
            handler.piece(rest, isLast: true)
            endValue()
            return
        }
        if isKey {
            try endKey(rest, at: length, &handler)
        } else if scratch.isEmpty {
            handler.string(rest)
            endValue()
        } else {
            scratch.append(rest, 0..<rest.count)
            handler.string(scratch.span)
            endValue()
        }
    }

    private mutating func endKey(
        _ rest: Span<UInt8>,
        at length: Int,
        _ handler: inout some JSONHandler & ~Copyable
    ) throws(JSONError) {
        try count()
        scratch.append(rest, 0..<rest.count)
        guard names[names.count - 1].insert(scratch).inserted else {
            throw JSONError(.duplicateKey, offset: offset + length)
        }
        handler.key(scratch.span)
        state = .colon
    }

    private mutating func flush(_ handler: inout some JSONHandler & ~Copyable, isLast: Bool) {
        guard !scratch.isEmpty else { return }
        handler.piece(scratch.span, isLast: isLast)
        scratch.removeAll(keepingCapacity: true)
    }

    // MARK: Escapes

    private mutating func stepEscape(_ byte: UInt8) throws(JSONError) {
        switch state {
        case .surrogateEscape:
            guard byte == ASCII.backslash else { throw error(.loneSurrogate) }
            state = .surrogateU
        case .surrogateU:
            guard byte == UInt8(ascii: "u") else { throw error(.loneSurrogate) }
            beginHex()
        case .hex:
            guard let digit = ASCII.hexValue(byte) else { throw error(.invalidEscape) }
            hexValue = hexValue << 4 | UInt32(digit)
            hexDigits &+= 1
            if hexDigits == 4 { try endHex() }
        default:
            try beginEscape(byte)
        }
    }

    private mutating func beginEscape(_ byte: UInt8) throws(JSONError) {
        let decoded: UInt8
        switch byte {
        case ASCII.quote, ASCII.backslash, ASCII.slash: decoded = byte
        case UInt8(ascii: "b"): decoded = 0x08
        case UInt8(ascii: "f"): decoded = 0x0C
        case UInt8(ascii: "n"): decoded = ASCII.lf
        case UInt8(ascii: "r"): decoded = ASCII.cr
        case UInt8(ascii: "t"): decoded = ASCII.tab
        case UInt8(ascii: "u"): return beginHex()
        default: throw error(.invalidEscape)
        }
        scratch.append(decoded)
        state = .string
    }

    private mutating func beginHex() {
        hexDigits = 0
        hexValue = 0
        state = .hex
    }

    private mutating func endHex() throws(JSONError) {
        let unit = hexValue
        if highSurrogate != 0 {
            guard unit & 0xFC00 == 0xDC00 else { throw error(.loneSurrogate) }
            append(scalar: 0x10000 + (highSurrogate & 0x3FF) << 10 + unit & 0x3FF)
            highSurrogate = 0
        } else if unit & 0xFC00 == 0xD800 {
            highSurrogate = unit
            state = .surrogateEscape
            return
        } else {
            guard unit & 0xFC00 != 0xDC00 else { throw error(.loneSurrogate) }
            append(scalar: unit)
        }
        state = .string
    }

    /// `scalar` is no surrogate and below 0x110000.
    private mutating func append(scalar: UInt32) {
        func octet(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(scalar >> shift & 0x3F) }
        switch scalar {
        case 0..<0x80: scratch.append(UInt8(scalar))
        case 0x80..<0x800: scratch += [0xC0 | UInt8(scalar >> 6), octet(0)]
        case 0x800..<0x10000: scratch += [0xE0 | UInt8(scalar >> 12), octet(6), octet(0)]
        default: scratch += [0xF0 | UInt8(scalar >> 18), octet(12), octet(6), octet(0)]
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        bytes.extracting(range).withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}
