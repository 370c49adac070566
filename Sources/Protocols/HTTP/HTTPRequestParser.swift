// SPDX-License-Identifier: Apache-2.0

import Wire

/// Limits of a request's head and of what frames its body.
public struct HTTPRequestLimits: Sendable {
    /// Octets of the request line (414) and of one field line (431), without CRLF.
    ///
    /// With it, the default is 8190, as in
    /// other servers, so that nothing passes here which a proxy in front would have refused.
    public var lineOctets = 8188
    /// Octets of the head (431).
    public var headOctets = 32_768
    /// Field lines (431).
    public var fields = 100
    /// Octets of one chunk's extensions.
    public var chunkExtensionOctets = 1024
    /// Octets of all field lines behind a chunked body.
    public var trailerOctets = 8192
    /// Field lines behind a chunked body.
    public var trailerFields = 32

    public init() {}
}

/// Reads the head of an HTTP/1.x request, line by line as octets come, and stops at the first doubt.
///
///     HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]        ; RFC 9112 §2.1
///
/// Lines end with CRLF and nothing else; lines are not folded; there is no space before a colon.
public struct HTTPRequestParser: ~Copyable, Sendable {
    /// What the last head that was read whole said.
    public private(set) var head = HTTPRequestHead()

    private let limits: HTTPRequestLimits
    /// Everything before this was looked at.
    private var scanned = 0
    private var lineStart = 0
    private var hasRequestLine = false
    private var emptyLines = 0
    private var isAbsolute = false
    private var hostLine: Int?
    private var lengthLine: Int?
    private var isChunked = false
    private var hasOtherCoding = false
    private var wantsClose = false
    private var wantsKeepAlive = false

    /// Empty lines before a request line that are passed over (RFC 9112 §2.2).
    private static let maximumEmptyLines = 8

    public init(limits: HTTPRequestLimits = HTTPRequestLimits()) { self.limits = limits }

    /// Forgets the head, and is ready for the next one.
    public mutating func reset() {
        head.reset()
        scanned = 0
        lineStart = 0
        hasRequestLine = false
        emptyLines = 0
        isAbsolute = false
        hostLine = nil
        lengthLine = nil
        isChunked = false
        hasOtherCoding = false
        wantsClose = false
        wantsKeepAlive = false
    }

    /// Gives up a head that is not whole: of it, only the method is still known, where it was read.
    public mutating func abandon() { head.abandon() }

    /// Looks at what has come: `octets` begins with the head's first octet each time.
    ///
    /// Returns the head's length when it is
    /// whole, nil when more must come.
    public mutating func parse(_ octets: Span<UInt8>) throws(HTTPProblem) -> Int? {
        while let end = try findLineEnd(octets) {
            let line = lineStart..<end
            lineStart = end + 2
            scanned = lineStart
            if line.isEmpty, !hasRequestLine {
                emptyLines += 1
                guard emptyLines <= Self.maximumEmptyLines else { throw .badRequestLine }
            } else if line.isEmpty {
                head.fields.octets.append(octets.extracting(0..<lineStart))
                try finish()
                return lineStart
            } else if hasRequestLine {
                try parseFieldLine(octets, line)
            } else {
                try parseRequestLine(octets, line)
            }
        }
        return nil
    }

    /// The offset of the CRLF that ends the line, or nil where it has not come.
    private mutating func findLineEnd(_ octets: Span<UInt8>) throws(HTTPProblem) -> Int? {
        let stop = min(octets.count, limits.headOctets)
        var index = octets.firstControl(from: min(scanned, stop), to: stop)
        while index < stop, octets[index] == ASCII.tab { index = octets.firstControl(from: index &+ 1, to: stop) }
        scanned = index
        guard index &- lineStart <= limits.lineOctets else { throw hasRequestLine ? .headTooLarge : .targetTooLong }
        guard index < stop else {
            guard index < limits.headOctets else { throw .headTooLarge }
            return nil
        }
        guard octets[index] == ASCII.cr else { throw .strayControl }
        guard index + 1 < octets.count else { return nil }
        guard octets[index + 1] == ASCII.lf else { throw .strayControl }
        return index
    }

    // MARK: The request line

    /// Reads `request-line`.
    ///
    ///     request-line = method SP request-target SP HTTP-version        ; RFC 9112 §3
    private mutating func parseRequestLine(_ octets: Span<UInt8>, _ line: Range<Int>) throws(HTTPProblem) {
        hasRequestLine = true
        var index = line.lowerBound
        while index < line.upperBound, ASCII.isToken(octets[index]) { index += 1 }
        guard index > line.lowerBound, index < line.upperBound, octets[index] == ASCII.space else {
            throw .badRequestLine
        }
        head.methodRange = line.lowerBound..<index
        head.outline.method = HTTPMethod(token: octets.extracting(head.methodRange))
        let start = index + 1
        guard let end = octets.firstIndex(of: ASCII.space, from: start), end > start, end < line.upperBound else {
            throw .badRequestLine
        }
        try parseVersion(octets.extracting(end + 1..<line.upperBound))
        head.targetRange = start..<end
        try parseTarget(octets, start..<end)
    }

    /// Reads `HTTP-version`.
    ///
    ///     HTTP-version = HTTP-name "/" DIGIT "." DIGIT        ; RFC 9112 §2.3
    private mutating func parseVersion(_ text: Span<UInt8>) throws(HTTPProblem) {
        let count = text.count
        if count == 8, text[7] == 0x31, text[5] == 0x31, text[6] == ASCII.dot, text.extracting(0..<5).equals("HTTP/") {
            head.outline.minorVersion = 1
            return
        }
        guard count > 4, text[count - 4] == ASCII.slash, ASCII.isDigit(text[count - 3]),
            text[count - 2] == ASCII.dot, ASCII.isDigit(text[count - 1])
        else { throw .badRequestLine }
        for index in 0..<count - 4 where !ASCII.isAlpha(text[index]) { throw .badRequestLine }
        guard text.extracting(0..<count - 3).equals("HTTP/"), text[count - 3] == 0x31, text[count - 1] <= 0x31 else {
            throw .unknownVersion
        }
        head.outline.minorVersion = text[count - 1] &- ASCII.zero
    }

    /// Reads `request-target`.
    ///
    ///     request-target = origin-form / absolute-form / authority-form / asterisk-form        ; RFC 9112 §3.2
    private mutating func parseTarget(_ octets: Span<UInt8>, _ target: Range<Int>) throws(HTTPProblem) {
        for index in target where octets[index] <= ASCII.space { throw .badTarget }
        if octets[target.lowerBound] == ASCII.slash {
            try parsePath(octets, target)
        } else if head.outline.method == .connect {
            guard HostSyntax.isValid(octets.extracting(target)) else { throw .badTarget }
            head.pathRange = target.lowerBound..<target.lowerBound
        } else if octets.extracting(target).equals("*") {
            // To a method that is not known, only its name matters: it is answered with 501.
            guard head.outline.method == .options || head.outline.method == .other else { throw .badTarget }
            head.pathRange = target
        } else {
            try parseAbsolute(octets, target)
        }
    }

    /// Reads `absolute-form`.
    ///
    ///     absolute-form = scheme ":" hier-part [ "?" query ]
    private mutating func parseAbsolute(_ octets: Span<UInt8>, _ target: Range<Int>) throws(HTTPProblem) {
        let text = octets.extracting(target)
        let isPlain = text.count > 7 && ASCII.equalsIgnoringCase(text.extracting(0..<7), "http://")
        let isSecure = text.count > 8 && ASCII.equalsIgnoringCase(text.extracting(0..<8), "https://")
        guard isPlain || isSecure else { throw .badTarget }
        let start = target.lowerBound + (isPlain ? 7 : 8)
        var end = start
        while end < target.upperBound, !Self.endsAuthority(octets[end]) { end += 1 }
        guard end > start, HostSyntax.isValid(octets.extracting(start..<end)) else { throw .badTarget }
        isAbsolute = true
        head.hostRange = start..<end
        try parsePath(octets, end..<target.upperBound)
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == ASCII.slash || byte == ASCII.question || byte == 0x23
    }

    /// Path and query; a fragment, which no client should send, is no part of either.
    private mutating func parsePath(_ octets: Span<UInt8>, _ range: Range<Int>) throws(HTTPProblem) {
        var index = range.lowerBound
        var isEncoded = false
        while index < range.upperBound, octets[index] != ASCII.question, octets[index] != 0x23 {
            if octets[index] == ASCII.percent { isEncoded = true }
            index += 1
        }
        head.pathRange = range.lowerBound..<index
        if index < range.upperBound, octets[index] == ASCII.question {
            let end = octets.extracting(0..<range.upperBound).firstIndex(of: 0x23, from: index)
            head.queryRange = index + 1..<(end ?? range.upperBound)
            head.outline.hasQuery = true
        }
        if head.pathRange.isEmpty {
            head.decodedPath = head.outline.method == .options ? [ASCII.asterisk] : [ASCII.slash]
        } else if isEncoded {
            head.decodedPath = try Self.decodePath(octets.extracting(head.pathRange))
        }
    }

    /// An encoded slash or NUL would be another path to whoever decodes earlier or later: it is refused.
    private static func decodePath(_ text: Span<UInt8>) throws(HTTPProblem) -> [UInt8] {
        var path: [UInt8] = []
        guard PercentEncoding.decode(text, into: &path) else { throw .badPath }
        var slashes = 0
        for index in text.indices where text[index] == ASCII.slash { slashes += 1 }
        for byte in path {
            if byte == ASCII.nul { throw .badPath }
            if byte == ASCII.slash { slashes -= 1 }
        }
        guard slashes == 0 else { throw .badPath }
        return path
    }

    // MARK: Field lines

    /// Reads `field-line`.
    ///
    ///     field-line = field-name ":" OWS field-value OWS        ; RFC 9112 §5
    private mutating func parseFieldLine(_ octets: Span<UInt8>, _ line: Range<Int>) throws(HTTPProblem) {
        guard head.fields.lines.count < limits.fields else { throw .headTooLarge }
        var colon = line.lowerBound
        while colon < line.upperBound, ASCII.isToken(octets[colon]) { colon &+= 1 }
        guard colon > line.lowerBound, colon < line.upperBound, octets[colon] == ASCII.colon else {
            throw .badFieldLine
        }
        var start = colon &+ 1
        var end = line.upperBound
        while start < end, ASCII.isBlank(octets[start]) { start &+= 1 }
        while start < end, ASCII.isBlank(octets[end &- 1]) { end &-= 1 }
        try note(octets.extracting(line.lowerBound..<colon), octets.extracting(start..<end))
        head.fields.lines.append(
            HTTPFields.Line(
                nameStart: UInt32(line.lowerBound),
                nameEnd: UInt32(colon),
                valueStart: UInt32(start),
                valueEnd: UInt32(end)
            )
        )
    }

    /// Keeps the line's number where the field frames the message; reads it where that can be done at once.
    private mutating func note(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(HTTPProblem) {
        let number = head.fields.lines.count
        switch name.count {
        case 4 where ASCII.equalsIgnoringCase(name, "Host"):
            guard hostLine == nil, HostSyntax.isValid(value) else { throw .badHost }
            hostLine = number
        case 6 where ASCII.equalsIgnoringCase(name, "Expect"):
            guard ASCII.equalsIgnoringCase(value, "100-continue") else { throw .badExpectation }
            head.outline.expectsContinue = head.outline.minorVersion == 1
        case 6 where ASCII.equalsIgnoringCase(name, "Origin"):
            head.outline.originLine = head.outline.originLine ?? number
        case 10 where ASCII.equalsIgnoringCase(name, "Connection"):
            readConnection(value)
        case 12 where ASCII.equalsIgnoringCase(name, "X-Request-Id"):
            head.outline.requestIDLine = head.outline.requestIDLine ?? number
        case 14 where ASCII.equalsIgnoringCase(name, "Content-Length"):
            guard lengthLine == nil, value.count <= 18, let length = StrictInteger.decimal(value) else {
                throw .badContentLength
            }
            lengthLine = number
            head.outline.framing = length == 0 ? .none : .length(length)
        case 17 where ASCII.equalsIgnoringCase(name, "Transfer-Encoding"):
            try readCodings(value)
        default: break
        }
    }

    /// Reads `Connection`.
    ///
    ///     Connection = [ connection-option *( OWS "," OWS connection-option ) ]        ; RFC 9110 §7.6.1
    private mutating func readConnection(_ value: Span<UInt8>) {
        var start = 0
        while start <= value.count {
            let comma = value.firstIndex(of: ASCII.comma, from: start) ?? value.count
            let option = value.extracting(start..<comma).trimmingBlanks()
            if ASCII.equalsIgnoringCase(option, "close") { wantsClose = true }
            if ASCII.equalsIgnoringCase(option, "keep-alive") { wantsKeepAlive = true }
            start = comma + 1
        }
    }

    /// Reads `Transfer-Encoding`.
    ///
    ///     Transfer-Encoding = [ transfer-coding *( OWS "," OWS transfer-coding ) ]        ; RFC 9112 §6.1
    private mutating func readCodings(_ value: Span<UInt8>) throws(HTTPProblem) {
        var start = 0
        while start <= value.count {
            let comma = value.firstIndex(of: ASCII.comma, from: start) ?? value.count
            let coding = value.extracting(start..<comma).trimmingBlanks()
            guard !coding.isEmpty, !isChunked else { throw .badTransferEncoding }
            for index in coding.indices where !ASCII.isToken(coding[index]) { throw .badTransferEncoding }
            if ASCII.equalsIgnoringCase(coding, "chunked") { isChunked = true } else { hasOtherCoding = true }
            start = comma + 1
        }
    }

    private mutating func finish() throws(HTTPProblem) {
        if let hostLine, !isAbsolute {
            let line = head.fields.lines[hostLine]
            head.hostRange = Int(line.valueStart)..<Int(line.valueEnd)
        }
        guard hostLine != nil || head.outline.minorVersion == 0 else { throw .badHost }
        if isChunked || hasOtherCoding {
            guard isChunked, lengthLine == nil, head.outline.minorVersion == 1 else { throw .badTransferEncoding }
            guard !hasOtherCoding else { throw .unknownCoding }
            head.outline.framing = .chunked
        }
        head.outline.keepsAlive = !wantsClose && (head.outline.minorVersion == 1 || wantsKeepAlive)
    }
}

extension Span where Element == UInt8 {
    /// Without SP and HTAB at both ends.
    @_lifetime(copy self)
    func trimmingBlanks() -> Span<UInt8> {
        var start = 0
        var end = count
        while start < end, ASCII.isBlank(self[start]) { start += 1 }
        while start < end, ASCII.isBlank(self[end - 1]) { end -= 1 }
        return extracting(start..<end)
    }
}
