// SPDX-License-Identifier: Apache-2.0

import Wire

/// Reads a message (RFC 5322, RFC 2045, RFC 2046) in pieces, in one pass, and notes where its parts lie.
///
/// It holds headers and the beginning of a line, never a body. It refuses nothing: what is odd is read in one stated
/// way and named in ``MIMEMessage/defects``.
///
///     header ──empty line──► body of a leaf ──delimiter──► header of the next part
///        │                   │
///        ├──multipart──► preamble ──delimiter──► header of its first part
///        └──message────► header of the message inside
///     close delimiter ──► epilogue, until a delimiter of a multipart around it
///
/// Lines end with LF; a CR before it belongs to the end. A line that begins with `--` and a boundary is a delimiter: see
/// ``BoundarySet``.
package struct MIMEParser: ~Copyable {
    private enum Mode {
        case header
        case leaf
        /// Preamble, epilogue, and what lies beyond the limits.
        case skipping
    }

    private let limits: MIMELimits
    private var mode = Mode.header
    private var tree: PartTree
    private var header = HeaderReader()
    /// The lines of the header since one that is neither a field nor a continuation, until it shows what they are.
    private var odd: OddLines?
    /// The delimiter that the header being read announces, once a line asked for it; empty if there is none.
    private var ownDelimiter: [UInt8]?
    /// Octets taken in all.
    private var offset: Int64 = 0
    /// Line ends met.
    private var lineCount: Int64 = 0
    /// Where the line began that is being read.
    private var lineStart: Int64 = 0
    /// Octets of the line end before `lineStart`.
    private var lastLineEnd: Int64 = 0

    /// The line being read, while it is one of a header or may be a delimiter; else empty.
    private var line: [UInt8] = []
    /// Whether `line` is as long as a delimiter may be, and is one.
    private var isLongDelimiter = false
    /// Whether `line` is being gathered.
    private var isGathering = true
    /// Whether the last octet of a line that is not gathered was a CR.
    private var endsWithCR = false
    /// Octets at the end of what the leaf got that may turn out to belong to a delimiter.
    private var heldLineEnd: [UInt8] = []

    private var sizing = BodyDecoder(.binary)
    private var scratch = ByteBuffer()
    private var decodedSize: Int64 = 0
    /// Octets of the leaf as they came.
    private var encodedSize: Int64 = 0
    private var watchesForUU = false
    /// The leaf's content, where it is an encoded message and not too long.
    private var encodedMessage: [UInt8]?
    private var sawNUL = false

    package init(limits: MIMELimits = .standard) {
        self.limits = limits
        tree = PartTree(limits: limits)
    }

    /// Takes the next octets of the message.
    package mutating func consume(_ chunk: Span<UInt8>) {
        var index = 0
        while index < chunk.count {
            index = isGathering ? gather(chunk, from: index) : passThrough(chunk, from: index)
        }
    }

    package mutating func consume(_ chunk: [UInt8]) { consume(chunk.span) }

    /// The message as a whole at once.
    package static func parse(_ message: Span<UInt8>, limits: MIMELimits = .standard) -> MIMEMessage {
        var parser = MIMEParser(limits: limits)
        parser.consume(message)
        return parser.finish()
    }

    package static func parse(_ message: [UInt8], limits: MIMELimits = .standard) -> MIMEMessage {
        parse(message.span, limits: limits)
    }

    /// Says that nothing follows and gives what was found.
    package mutating func finish() -> MIMEMessage {
        endEverything()
        return tree.message(size: offset)
    }

    private mutating func endEverything() {
        let hasUnendedLine = offset > lineStart
        if isGathering, !line.isEmpty { endGatheredLine(lineEnd: 0) }
        if mode == .header { endHeaders(at: offset, lines: lineCount) }
        releaseHeldLineEnd()
        endLeaf()
        if sawNUL { tree.note(.nulOctet, at: nil) }
        tree.closeAll(at: offset, lines: lineCount + (hasUnendedLine ? 1 : 0))
    }

    // MARK: Lines

    /// Adds to the gathered line up to its end, or up to where it can no longer be one that matters.
    private mutating func gather(_ chunk: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < chunk.count {
            let byte = chunk[index]
            index += 1
            offset += 1
            if byte == ASCII.lf {
                var lineEnd: Int64 = 1
                if line.last == ASCII.cr {
                    line.removeLast()
                    lineEnd = 2
                }
                endGatheredLine(lineEnd: lineEnd)
                return index
            }
            appendToGathered(byte)
            if mode == .header, line.count == OddLines.mostOctets { endHeaderBeforeLongLine() }
            if mode != .header, !gatheredMayMatter() {
                releaseGathered()
                return index
            }
        }
        return index
    }

    /// Of what is too long to be looked at only the last octet is kept, which may be a CR.
    private mutating func appendToGathered(_ byte: UInt8) {
        if line.count < (mode == .header ? HeaderReader.longestLine : longestDelimiter) {
            line.append(byte)
        } else {
            line[line.count - 1] = byte
        }
    }

    /// Octets of a line of a body that are looked at for a delimiter: more than any has before its blanks.
    private var longestDelimiter: Int { limits.boundaryOctets + 128 }

    /// The line is of a body, for no header has so long a one without a colon, unless it is a delimiter.
    private mutating func endHeaderBeforeLongLine() {
        guard odd != nil || header.mayHaveEnded(inPart: tree.isInMultipart), header.isOdd(line),
            tree.delimiter(line) == nil, !beginsWithOwnDelimiter(line)
        else { return }
        // A message within begins with a header too, which the line ends in its turn.
        while mode == .header {
            if odd == nil { odd = OddLines(fields: header.fields.count, start: lineStart, lines: lineCount) }
            endHeader(at: lineStart, lines: lineCount)
        }
    }

    /// Whether the line gathered so far may be a delimiter or the beginning of a uuencoded file.
    private mutating func gatheredMayMatter() -> Bool {
        if tree.hasBoundaries, line[0] == ASCII.hyphen, line.count < 2 || line[1] == ASCII.hyphen {
            if line.count < longestDelimiter || isLongDelimiter { return true }
            isLongDelimiter = tree.delimiter(line) != nil
            return isLongDelimiter
        }
        return watchesForUU && line[0] == 0x62 && UUBeginning.mayBegin(line)
    }

    /// The gathered octets are ordinary ones of the body.
    private mutating func releaseGathered() {
        isGathering = false
        let gathered = line
        line.removeAll(keepingCapacity: true)
        endsWithCR = gathered.last == ASCII.cr
        feedLeaf(gathered.span)
    }

    private mutating func endGatheredLine(lineEnd: Int64) {
        let start = lineStart
        let gathered = line
        line.removeAll(keepingCapacity: true)
        if beginsWithOwnDelimiter(gathered) {
            tree.headerDefects.append(.headerSeparatorMissing)
            endHeader(at: start, lines: lineCount)
        }
        let isDelimiter = gathered.first == ASCII.hyphen && takeDelimiter(gathered, at: start)
        if lineEnd > 0 { lineCount += 1 }
        if !isDelimiter {
            switch mode {
            case .header:
                takeHeaderLine(
                    OddLines.Line(
                        octets: gathered,
                        lineEnd: lineEnd,
                        start: start,
                        lines: lineEnd > 0 ? lineCount - 1 : lineCount
                    )
                )
            case .leaf: takeBodyLine(gathered, lineEnd: lineEnd)
            case .skipping: break
            }
        }
        beginLine(behind: lineEnd)
    }

    private mutating func beginLine(behind lineEnd: Int64) {
        lineStart = offset
        lastLineEnd = lineEnd
        endsWithCR = false
        isLongDelimiter = false
        isGathering = mode == .header || tree.hasBoundaries || watchesForUU
    }

    /// Gives the leaf what the chunk has of a line that is not gathered.
    private mutating func passThrough(_ chunk: Span<UInt8>, from start: Int) -> Int {
        guard let end = chunk.firstIndex(of: ASCII.lf, from: start) else {
            feedBehindCR(chunk.extracting(start..<chunk.count))
            offset += Int64(chunk.count - start)
            return chunk.count
        }
        feedBehindCR(chunk.extracting(start..<end))
        let lineEnd: Int64 = endsWithCR ? 2 : 1
        offset += Int64(end + 1 - start)
        lineCount += 1
        // The CR, if there is one, is held back already.
        feedLineEnd(1)
        beginLine(behind: lineEnd)
        return end + 1
    }

    private mutating func feedBehindCR(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        endsWithCR = bytes[bytes.count - 1] == ASCII.cr
        feedLeaf(bytes)
    }

    // MARK: Bodies

    private mutating func takeBodyLine(_ line: [UInt8], lineEnd: Int64) {
        if watchesForUU, UUBeginning.isWhole(line) { tree.noteAtCurrent(.uuencodedBlock) }
        feedLeaf(line.span)
        feedLineEnd(lineEnd)
    }

    /// Content of a leaf.
    ///
    /// A CR at the end is held back: it may be half of a line end before a delimiter.
    private mutating func feedLeaf(_ bytes: Span<UInt8>) {
        guard mode == .leaf, !bytes.isEmpty else { return }
        releaseHeldLineEnd()
        var count = bytes.count
        if bytes[count - 1] == ASCII.cr {
            heldLineEnd.append(ASCII.cr)
            count -= 1
        }
        measure(bytes.extracting(0..<count))
    }

    private mutating func feedLineEnd(_ octets: Int64) {
        guard mode == .leaf, octets > 0 else { return }
        if heldLineEnd != [ASCII.cr] { releaseHeldLineEnd() }
        if octets == 2 {
            releaseHeldLineEnd()
            heldLineEnd.append(ASCII.cr)
        }
        heldLineEnd.append(ASCII.lf)
    }

    private mutating func releaseHeldLineEnd() {
        guard !heldLineEnd.isEmpty else { return }
        let held = heldLineEnd
        heldLineEnd.removeAll(keepingCapacity: true)
        if mode == .leaf { measure(held.span) }
    }

    private mutating func measure(_ bytes: Span<UInt8>) {
        if !sawNUL, bytes.firstIndex(of: ASCII.nul) != nil { sawNUL = true }
        encodedSize += Int64(bytes.count)
        if tree.currentEncoding.isIdentity {
            decodedSize += Int64(bytes.count)
        } else {
            sizing.decode(bytes, into: &scratch)
            takeDecoded()
        }
    }

    private mutating func takeDecoded() {
        decodedSize += Int64(scratch.count)
        if encodedMessage != nil {
            if decodedSize <= Int64(tree.encodedOctetsLeft) {
                encodedMessage?.append(contentsOf: scratch.array())
            } else {
                encodedMessage = nil
            }
        }
        scratch.removeAll()
    }

    private mutating func beginLeaf() {
        mode = .leaf
        sizing = BodyDecoder(tree.currentEncoding)
        decodedSize = 0
        encodedSize = 0
        heldLineEnd.removeAll()
        watchesForUU = tree.currentMayHoldUU
        encodedMessage = tree.currentIsEncodedMessage ? [] : nil
    }

    private mutating func endLeaf() {
        guard mode == .leaf else { return }
        heldLineEnd.removeAll()
        sizing.finish(into: &scratch)
        takeDecoded()
        tree.endLeaf(decodedSize: decodedSize, sawMalformed: sizing.sawMalformed)
        if sizing.isNotEncoded {
            tree.leafIsNotEncoded(size: encodedSize)
            encodedMessage = nil
        }
        if let message = encodedMessage, !message.isEmpty { lookInto(message) }
        encodedMessage = nil
        watchesForUU = false
        mode = .skipping
    }

    /// Reads an encoded message with a parser of its own, whose limits are what is left of these.
    private mutating func lookInto(_ message: [UInt8]) {
        var parser = MIMEParser(limits: tree.limitsInside(octets: message.count))
        parser.consume(message)
        parser.endEverything()
        tree.adopt(parser.tree)
    }

    // MARK: Structure

    /// Ends what a delimiter ends, if the line is one.
    private mutating func takeDelimiter(_ line: [UInt8], at start: Int64) -> Bool {
        guard let delimiter = tree.delimiter(line) else { return false }
        if mode == .header { endHeaders(at: start, lines: lineCount) }
        endLeaf()
        let end = max(start - lastLineEnd, 0)
        switch tree.close(to: delimiter, at: end, delimiterAt: start, lines: lineCount) {
        case .part: beginHeader(at: offset)
        case .nothing: mode = .skipping
        }
        return true
    }

    /// Whether the line is a delimiter of the multipart whose header is being read: the empty line is missing.
    private mutating func beginsWithOwnDelimiter(_ line: [UInt8]) -> Bool {
        guard mode == .header, line.count > 2, line[0] == ASCII.hyphen, line[1] == ASCII.hyphen, header.hasContentType
        else { return false }
        if ownDelimiter == nil {
            // The first Content-Type counts, and after a line such as this nothing continues it: once is enough.
            let boundary = PartHeader(header.fields, isInDigest: false, limits: limits).boundary ?? []
            ownDelimiter = boundary.isEmpty ? [] : [ASCII.hyphen, ASCII.hyphen] + boundary
        }
        guard let ownDelimiter, !ownDelimiter.isEmpty else { return false }
        return line.starts(with: ownDelimiter)
    }

    private mutating func beginHeader(at start: Int64) {
        header = HeaderReader()
        ownDelimiter = nil
        mode = .header
        tree.headerStart = start
    }

    private mutating func takeHeaderLine(_ line: OddLines.Line) {
        if !sawNUL, line.octets.contains(ASCII.nul) { sawNUL = true }
        let step = header.take(line.octets, budget: &tree.budget)
        if step == .malformed, odd == nil, header.mayHaveEnded(inPart: tree.isInMultipart) {
            odd = OddLines(fields: header.fields.count, start: line.start, lines: line.lines)
        }
        if let fields = odd?.fields {
            guard step != .taken || !header.lastFieldTells(after: fields, inPart: tree.isInMultipart) else {
                odd = nil
                tree.headerDefects.append(.headerLineMalformed)
                return
            }
            odd?.append(line)
            if step == .end || odd?.isTooMuch == true { endHeader(at: offset, lines: lineCount) }
            return
        }
        switch step {
        case .taken: break
        case .malformed: tree.headerDefects.append(.headerLineMalformed)
        case .mboxLine: tree.note(.mboxFromLine, at: nil)
        case .tooLarge: tree.note(.headerTooLarge, at: nil)
        case .end: endHeader(at: offset, lines: lineCount)
        }
    }

    /// No empty line came: nothing of the body follows but what came in the header; in a message within, that may be its
    /// header.
    private mutating func endHeaders(at bodyStart: Int64, lines: Int64) {
        let hasBody = odd != nil
        endHeader(at: bodyStart, lines: lines)
        if odd != nil { endHeader(at: bodyStart, lines: lines) }
        if !hasBody { tree.noteWithoutBody() }
    }

    /// The header ends, and the body begins: here, or with the first line that is no field, if no field behind it made it
    /// one of the header.
    private mutating func endHeader(at bodyStart: Int64, lines: Int64) {
        let odd = odd
        self.odd = nil
        if let odd {
            header.keepFirst(odd.fields)
            tree.headerDefects.append(.headerSeparatorMissing)
        }
        let start = odd?.start ?? bodyStart
        switch tree.beginPart(header.fields, bodyAt: start, lines: odd?.lines ?? lines) {
        case .leaf: beginLeaf()
        case .multipart: mode = .skipping
        case .message: beginHeader(at: start)
        }
        for line in odd?.held ?? [] {
            switch mode {
            case .header: takeHeaderLine(line)
            case .leaf: takeBodyLine(line.octets, lineEnd: line.lineEnd)
            case .skipping: break
            }
        }
    }
}

/// What came in a header from a line on that is neither a field nor a continuation.
///
/// The empty line before the body may be missing, and this is the body; or the line strayed into a header that goes on.
/// The next field tells, or that there is none before the empty line.
private struct OddLines {
    struct Line {
        let octets: [UInt8]
        /// Octets.
        let lineEnd: Int64
        /// Where it begins.
        let start: Int64
        /// Lines before it.
        let lines: Int64
    }

    /// More than a header would have of them: it is the body.
    static let mostOctets = 64 << 10

    /// Fields before the line.
    let fields: Int
    /// Where it begins.
    let start: Int64
    /// Lines before it.
    let lines: Int64
    private(set) var held: [Line] = []
    private var octets = 0

    init(fields: Int, start: Int64, lines: Int64) {
        self.fields = fields
        self.start = start
        self.lines = lines
    }

    var isTooMuch: Bool { octets >= Self.mostOctets }

    mutating func append(_ line: Line) {
        octets += line.octets.count + 2
        held.append(line)
    }
}

/// `begin 644 name`, the first line of a uuencoded file.
private enum UUBeginning {
    private static let word = Array("begin ".utf8)

    /// Whether a longer line may be one.
    static func mayBegin(_ line: [UInt8]) -> Bool {
        guard line.count <= 300 else { return false }
        for (index, byte) in line.prefix(10).enumerated() {
            let fits =
                switch index {
                case 0..<6: byte == word[index]
                case 6..<9: (0x30...0x37).contains(byte)
                default: byte == ASCII.space
                }
            if !fits { return false }
        }
        return true
    }

    static func isWhole(_ line: [UInt8]) -> Bool { line.count > 10 && mayBegin(line) }
}
