// SPDX-License-Identifier: Apache-2.0

internal import HTTP
internal import Wire

/// An answer of our own server, whole.
struct LocalResponse: Sendable, Equatable {
    var status = 0
    var fields: [(name: [UInt8], value: [UInt8])] = []
    var body: [UInt8] = []

    static func == (a: Self, b: Self) -> Bool {
        a.status == b.status && a.body == b.body
            && a.fields.elementsEqual(b.fields) { $0.name == $1.name && $0.value == $1.value }
    }

    func value(_ name: StaticString) -> [UInt8]? {
        fields.first { ASCII.equalsIgnoringCase($0.name, name) }?.value
    }

    /// The octets are no answer of ours.
    struct Malformed: Error, Equatable {}
}

/// Reads answers from the octets of a connection: push octets, take the answer when it is whole.
struct LocalResponseParser: ~Copyable {
    private enum State {
        case head
        case length(Int)
        case chunked(ChunkedDecoder)
        /// To the end of the connection.
        case untilEnd
    }

    private var state = State.head
    private var response = LocalResponse()
    /// Whether the request was a HEAD, whose answer has no body.
    private let isHead: Bool

    init(isHead: Bool = false) { self.isHead = isHead }

    /// Takes what it can use from the front; gives the answer once it is there.
    ///
    /// `isEnd`: nothing more will come.
    mutating func next(_ buffer: inout ByteBuffer, isEnd: Bool) throws(LocalResponse.Malformed) -> LocalResponse? {
        if case .head = state {
            guard try readHead(&buffer) else {
                if isEnd { throw LocalResponse.Malformed() }
                return nil
            }
        }
        switch state {
        case .head: return nil
        case .length(let count):
            guard buffer.count >= count else {
                if isEnd { throw LocalResponse.Malformed() }
                return nil
            }
            response.body = buffer.bytes.extracting(0..<count).array()
            buffer.consume(count)
            return take()
        case .chunked(let decoder): return try readChunks(decoder, &buffer, isEnd: isEnd)
        case .untilEnd:
            guard isEnd else { return nil }
            response.body = buffer.array()
            buffer.removeAll()
            return take()
        }
    }

    private mutating func take() -> LocalResponse {
        defer {
            response = LocalResponse()
            state = .head
        }
        return response
    }

    private mutating func readChunks(
        _ decoder: ChunkedDecoder,
        _ buffer: inout ByteBuffer,
        isEnd: Bool
    ) throws(LocalResponse.Malformed) -> LocalResponse? {
        var decoder = decoder
        var offset = 0
        while true {
            let step: HTTPBodyStep
            do { step = try decoder.next(buffer.bytes, &offset) } catch { throw LocalResponse.Malformed() }
            switch step {
            case .data(let range): response.body += buffer.bytes.extracting(range).array()
            case .needsInput:
                guard !isEnd else { throw LocalResponse.Malformed() }
                buffer.consume(offset)
                state = .chunked(decoder)
                return nil
            case .end:
                buffer.consume(offset)
                return take()
            }
        }
    }

    /// `HTTP/1.1 SP 3DIGIT SP reason CRLF *( field CRLF ) CRLF`; interim answers (1xx) are passed over.
    private mutating func readHead(_ buffer: inout ByteBuffer) throws(LocalResponse.Malformed) -> Bool {
        while let end = Self.headEnd(buffer.bytes) {
            let lines = buffer.bytes.extracting(0..<end - 4).array().split(separator: ASCII.lf).map { line in
                line.last == ASCII.cr ? line.dropLast() : line
            }
            buffer.consume(end)
            guard let first = lines.first, first.count >= 12, first.starts(with: Array("HTTP/1.1 ".utf8)),
                let status = StrictInteger.decimal(first.dropFirst(9).prefix(3), maximum: 599)
            else { throw LocalResponse.Malformed() }
            guard status >= 200 else { continue }
            response.status = Int(status)
            response.fields = lines.dropFirst().compactMap(Self.field)
            state = try bodyState()
            return true
        }
        guard buffer.count < 1 << 16 else { throw LocalResponse.Malformed() }
        return false
    }

    private func bodyState() throws(LocalResponse.Malformed) -> State {
        if isHead || response.status == 204 || response.status == 304 { return .length(0) }
        if let coding = response.value("Transfer-Encoding") {
            guard ASCII.equalsIgnoringCase(coding, "chunked") else { throw LocalResponse.Malformed() }
            return .chunked(ChunkedDecoder())
        }
        guard let text = response.value("Content-Length") else { return .untilEnd }
        guard let count = StrictInteger.decimal(text, maximum: 1 << 40) else { throw LocalResponse.Malformed() }
        return .length(Int(count))
    }

    private static func field(_ line: ArraySlice<UInt8>) -> (name: [UInt8], value: [UInt8])? {
        guard let colon = line.firstIndex(of: ASCII.colon) else { return nil }
        let value = line[(colon + 1)...].drop(while: ASCII.isBlank)
        return (Array(line[..<colon]), Array(value))
    }

    private static func headEnd(_ bytes: Span<UInt8>) -> Int? {
        var index = 3
        while index < bytes.count {
            if bytes[index] == ASCII.lf, bytes[index - 1] == ASCII.cr, bytes[index - 2] == ASCII.lf,
                bytes[index - 3] == ASCII.cr
            {
                return index + 1
            }
            index += 1
        }
        return nil
    }
}
