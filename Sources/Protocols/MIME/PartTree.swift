// SPDX-License-Identifier: Apache-2.0

import Charsets
import Wire

/// The parts found so far and those still open, from the message itself inwards.
struct PartTree {
    enum Kind { case leaf, multipart, message }
    enum Continuation { case part, nothing }

    private var limits: MIMELimits
    private(set) var parts: [MIMEPart] = []
    private var defects: [MIMEDefect] = []
    private var known: Set<MIMEDefect> = []
    private var rootHeader = HeaderBlock()
    var budget: HeaderBudget
    /// Where the header of the part that begins next begins.
    var headerStart: Int64 = 0
    /// Found in that header before the part had a path.
    var headerDefects: [MIMEDefect.Code] = []

    /// One open part.
    private struct Open {
        let part: Int
        let boundary: [UInt8]?
        /// Whether its close delimiter has come.
        var isClosed = false
        let isMultipart: Bool
        let firstLine: Int64
        /// Boundaries of multiparts that a delimiter of this one ended.
        var strays: [[UInt8]] = []
    }

    /// Parts that are nothing but a header.
    private var withoutBody: Set<Int> = []
    /// Stray boundaries remembered of one multipart: what moves outwards with each end must stay small.
    private static let mostStrays = 100

    private var open: [Open] = []
    /// Of those in `open`.
    private var boundaries = BoundarySet()

    init(limits: MIMELimits) {
        self.limits = limits
        budget = HeaderBudget(octets: limits.headerOctets, fields: limits.headerFields)
    }

    var hasBoundaries: Bool { !boundaries.isEmpty }
    /// Whether the part that begins next is one of a multipart.
    var isInMultipart: Bool { open.last?.isMultipart ?? false }
    var currentEncoding: TransferEncoding { open.last.map { parts[$0.part].transferEncoding } ?? .sevenBit }
    /// Whether the leaf is a message that is encoded and may be looked into.
    var currentIsEncodedMessage: Bool {
        guard limits.encodedMessageDepth > 0, open.count <= limits.depth, parts.count < limits.parts,
            let part = open.last.map({ parts[$0.part] })
        else { return false }
        return part.contentType.isMessage && !part.transferEncoding.isIdentity
    }
    /// Octets of encoded messages that may still be held.
    var encodedOctetsLeft: Int { limits.encodedMessageOctets }
    var currentMayHoldUU: Bool {
        guard let part = open.last.map({ parts[$0.part] }) else { return false }
        return part.transferEncoding.isIdentity && part.contentType.isText
    }

    // MARK: Defects

    mutating func note(_ code: MIMEDefect.Code, at part: Int?) {
        let defect = MIMEDefect(code, part: part.map { parts[$0].path })
        guard defects.count < limits.defects, known.insert(defect).inserted else { return }
        defects.append(defect)
    }

    mutating func noteAtCurrent(_ code: MIMEDefect.Code) { note(code, at: open.last?.part) }

    // MARK: Delimiters

    /// What the line delimits, if it does; the level is the place of the multipart in `open`.
    func delimiter(_ line: [UInt8]) -> BoundarySet.Match? { boundaries.match(line) }

    /// Ends the parts inside the multipart that the delimiter is of.
    ///
    /// Says whether another begins.
    mutating func close(
        to delimiter: BoundarySet.Match,
        at end: Int64,
        delimiterAt start: Int64,
        lines: Int64
    ) -> Continuation {
        var end = end
        while open.count > delimiter.level + 1 {
            let strays = strays()
            closeLast(at: &end, lines: lines)
            for boundary in strays where open[delimiter.level].strays.count < Self.mostStrays {
                guard boundaries.insertStray(boundary, level: delimiter.level) else { continue }
                open[delimiter.level].strays.append(boundary)
            }
        }
        if delimiter.isStray { note(.boundaryStray, at: open[delimiter.level].part) }
        if delimiter.hasTrailingText { note(.boundaryTrailingText, at: open[delimiter.level].part) }
        guard delimiter.isClose else {
            guard parts.count < limits.parts else {
                note(.partsTooMany, at: nil)
                return .nothing
            }
            return .part
        }
        guard !delimiter.isStray else { return .nothing }
        open[delimiter.level].isClosed = true
        if let boundary = open[delimiter.level].boundary { boundaries.close(boundary, level: delimiter.level) }
        forgetStrays(of: delimiter.level)
        return .nothing
    }

    /// The boundaries whose delimiters may still come when the innermost part ends before its end came.
    private func strays() -> [[UInt8]] {
        guard let last = open.last, last.isMultipart, !last.isClosed else { return [] }
        return last.strays + [last.boundary].compactMap { $0 }
    }

    private mutating func forgetStrays(of level: Int) {
        for boundary in open[level].strays { boundaries.removeStray(boundary, level: level) }
        open[level].strays.removeAll()
    }

    /// A body may begin behind the line end that belongs to the delimiter; it and those around it then end where it begins.
    private mutating func closeLast(at end: inout Int64, lines: Int64) {
        guard let last = open.last else { return }
        let part = last.part
        let start = parts[part].bodyRange.lowerBound
        end = max(start, end)
        parts[part].bodyRange = start..<end
        parts[part].lines = max(lines - last.firstLine, 0)
        if !parts[part].isLeaf && parts[part].transferEncoding.isIdentity || parts[part].contentType.isMultipart {
            parts[part].decodedSize = parts[part].bodyRange.upperBound - start
        }
        if last.isMultipart {
            takeBackPartsWithoutBody(of: part)
            if parts[part].isLeaf {
                note(.boundaryNotFound, at: part)
                becomeLeaf(part)
            } else if !last.isClosed {
                note(.closeDelimiterMissing, at: part)
            }
            if let boundary = last.boundary { boundaries.remove(boundary, level: open.count - 1) }
            forgetStrays(of: open.count - 1)
        }
        open.removeLast()
    }

    mutating func closeAll(at end: Int64, lines: Int64) {
        var end = end
        while !open.isEmpty { closeLast(at: &end, lines: lines) }
    }

    /// Where a multipart's parts are nothing but headers, the lines between them are no delimiters, which begin with a
    /// line end of their own (RFC 2046 §5.1.1): nothing was found in it.
    private mutating func takeBackPartsWithoutBody(of multipart: Int) {
        let children = parts[multipart].children
        guard children.contains(where: { !parts[$0].headerRange.isEmpty }), children.allSatisfy(withoutBody.contains),
            parts.count == multipart + 1 + children.count
        else { return }
        let paths = Set(children.map { parts[$0].path })
        defects.removeAll { defect in defect.part.map(paths.contains) ?? false }
        withoutBody.subtract(children)
        parts.removeLast(children.count)
        parts[multipart].children.removeAll()
    }

    /// A multipart in which nothing was found is itself the content.
    private mutating func becomeLeaf(_ part: Int) {
        parts[part].path = path(forKind: .leaf, parent: parts[part].parent, position: position(of: part))
        parts[part].charset = .unlabelled
    }

    private func position(of part: Int) -> Int {
        guard let parent = parts[part].parent else { return 1 }
        return (parts[parent].children.firstIndex(of: part) ?? 0) + 1
    }

    // MARK: Parts

    /// The leaf says that it is encoded, and what it holds cannot be so: it is its content as it came.
    mutating func leafIsNotEncoded(size: Int64) {
        guard let part = open.last?.part else { return }
        parts[part].transferEncoding = .eightBit
        parts[part].decodedSize = size
    }

    /// The innermost part is a header that not even an empty line ended.
    mutating func noteWithoutBody() {
        if let part = open.last?.part, parts[part].parent != nil { withoutBody.insert(part) }
    }

    mutating func endLeaf(decodedSize: Int64, sawMalformed: Bool) {
        guard let part = open.last?.part else { return }
        parts[part].decodedSize = decodedSize
        guard sawMalformed else { return }
        switch parts[part].transferEncoding {
        case .base64: note(.base64Malformed, at: part)
        case .quotedPrintable: note(.quotedPrintableMalformed, at: part)
        case .uuencode: note(.uuencodeMalformed, at: part)
        case .sevenBit, .eightBit, .binary: break
        }
    }

    /// Adds the part that the header is of.
    ///
    /// Says how its body is to be read.
    mutating func beginPart(_ header: HeaderBlock, bodyAt start: Int64, lines: Int64) -> Kind {
        let parent = open.last?.part
        let isInDigest = parent.map { parts[$0].contentType.essence == "multipart/digest" } ?? false
        var reading = PartHeader(header, isInDigest: isInDigest, limits: limits)
        if parent == nil { rootHeader = header }
        let kind = kind(of: &reading)
        let index = parts.count
        let position = (parent.map { parts[$0].children.count } ?? 0) + 1
        parts.append(
            MIMEPart(
                path: path(forKind: kind, parent: parent, position: position),
                parent: parent,
                headerRange: headerStart..<max(headerStart, start),
                bodyRange: start..<start,
                contentType: reading.contentType,
                disposition: reading.disposition,
                contentID: reading.contentID,
                transferEncoding: reading.transferEncoding,
                charset: reading.charset,
                filename: reading.filename
            )
        )
        if let parent { parts[parent].children.append(index) }
        let boundary = kind == .multipart ? reading.boundary : nil
        open.append(Open(part: index, boundary: boundary, isMultipart: kind == .multipart, firstLine: lines))
        if let boundary, boundaries.insert(boundary, level: open.count - 1) { note(.boundaryRepeated, at: index) }
        for code in headerDefects + reading.defects { note(code, at: index) }
        headerDefects.removeAll()
        return kind
    }

    // MARK: Encoded messages

    /// What is left for a message of so many octets within this one.
    func limitsInside(octets: Int) -> MIMELimits {
        var inner = limits
        inner.depth = max(limits.depth - open.count, 0)
        inner.parts = max(limits.parts - parts.count, 1)
        inner.headerOctets = budget.octets
        inner.headerFields = budget.fields
        inner.defects = max(limits.defects - defects.count, 0)
        inner.encodedMessageDepth -= 1
        inner.encodedMessageOctets -= octets
        return inner
    }

    /// Puts the parts of the encoded message, read on their own, into the leaf that it came as.
    mutating func adopt(_ inner: PartTree) {
        guard let container = open.last?.part else { return }
        let first = parts.count
        let path = parts[container].path
        for var part in inner.parts {
            part.path = "\(path).\(part.path)"
            part.parent = part.parent.map { $0 + first } ?? container
            part.container = part.container.map { $0 + first } ?? container
            part.children = part.children.map { $0 + first }
            parts.append(part)
        }
        parts[container].children.append(first)
        budget = inner.budget
        limits.encodedMessageOctets = inner.limits.encodedMessageOctets
        for defect in inner.defects {
            let moved = MIMEDefect(defect.code, part: defect.part.map { "\(path).\($0)" })
            if known.insert(moved).inserted { defects.append(moved) }
        }
    }

    private func kind(of reading: inout PartHeader) -> Kind {
        guard reading.contentType.isMultipart || reading.contentType.isMessage else { return .leaf }
        guard open.count < limits.depth, parts.count + 1 < limits.parts else {
            reading.defects.append(open.count < limits.depth ? .partsTooMany : .nestingTooDeep)
            return .leaf
        }
        if reading.contentType.isMessage {
            guard reading.transferEncoding.isIdentity else {
                reading.defects.append(.messageEncoded)
                return .leaf
            }
            return .message
        }
        guard let boundary = reading.boundary, boundary.count <= limits.boundaryOctets else {
            reading.defects.append(reading.boundary == nil ? .boundaryMissing : .boundaryTooLong)
            reading.becomeText()
            return .leaf
        }
        return .multipart
    }

    private func path(forKind kind: Kind, parent: Int?, position: Int) -> String {
        MIMEPart.path(isMultipart: kind == .multipart, in: parent.map { parts[$0] }, position: position)
    }

    mutating func message(size: Int64) -> MIMEMessage {
        var reader = EnvelopeReader(rootHeader, limits: limits)
        let envelope = reader.read()
        for code in reader.defects { note(code, at: nil) }
        return MIMEMessage(parts: parts, header: rootHeader, envelope: envelope, defects: defects, size: size)
    }
}

/// What a header says about its part.
struct PartHeader {
    private(set) var contentType: ContentType
    private(set) var disposition: ContentDisposition?
    private(set) var contentID: String?
    private(set) var transferEncoding = TransferEncoding.sevenBit
    private(set) var charset: Charset?
    private(set) var filename: String?
    private(set) var boundary: [UInt8]?
    var defects: [MIMEDefect.Code] = []

    init(_ header: HeaderBlock, isInDigest: Bool, limits: MIMELimits) {
        contentType = isInDigest ? ContentType("message", "rfc822") : ContentType("text", "plain")
        readContentType(header, limits: limits)
        readTransferEncoding(header, limits: limits)
        readDisposition(header, limits: limits)
        if let raw = header.first("content-id") {
            contentID = MessageIDParser.parse(raw, limit: 1).first.map { String($0.dropFirst().dropLast()) }
            if contentID == nil {
                let bare = HeaderText.decode(raw)
                contentID = bare.isEmpty ? nil : bare
            }
        }
        filename = disposition?.parameter("filename") ?? contentType.parameter("name")
        if filename?.isEmpty == true { filename = nil }
        if contentType.isText { readCharset() }
    }

    private mutating func readContentType(_ header: HeaderBlock, limits: MIMELimits) {
        let places = header.indices(named: "content-type")
        guard let first = places.first else { return }
        if places.count > 1 { defects.append(.contentTypeDuplicate) }
        let parsed = ParameterParser(header.rawValue(first), limit: limits.parameters)
        if parsed.sawTooMany { defects.append(.parametersTooMany) }
        if let read = ContentType.parse(parsed) {
            contentType = read
        } else {
            defects.append(.contentTypeMalformed)
            contentType = ContentType("text", "plain", parameters: parsed.parameters)
        }
        if contentType.isMultipart, let value = parsed.boundary {
            // Delimiters are compared without the blanks at their end.
            let trimmed = value.prefix((value.lastIndex { !ASCII.isWhitespace($0) } ?? -1) + 1)
            boundary = trimmed.isEmpty ? nil : Array(trimmed)
        }
    }

    /// ```
    /// encoding  := "Content-Transfer-Encoding" ":" mechanism
    /// mechanism := "7bit" / "8bit" / "binary" / "quoted-printable" / "base64" / ietf-token / x-token
    /// ```
    private mutating func readTransferEncoding(_ header: HeaderBlock, limits: MIMELimits) {
        let places = header.indices(named: "content-transfer-encoding")
        guard let first = places.first else { return }
        if places.count > 1 { defects.append(.transferEncodingDuplicate) }
        var lexer = HeaderLexer(HeaderText.unfolded(header.rawValue(first)))
        lexer.skipBlanksAndComments()
        let word = ASCII.lowercased(lexer.take { !ASCII.isToken($0) })
        guard let encoding = Self.encodings[word], limits.decodesUUEncode || encoding != .uuencode else {
            defects.append(.transferEncodingUnknown)
            return
        }
        if contentType.isMultipart, !encoding.isIdentity {
            defects.append(.transferEncodingOnMultipart)
        } else {
            transferEncoding = encoding
        }
    }

    private static let encodings: [[UInt8]: TransferEncoding] = {
        let names: [(String, TransferEncoding)] = [
            ("7bit", .sevenBit), ("7-bit", .sevenBit), ("8bit", .eightBit), ("8-bit", .eightBit), ("binary", .binary),
            ("base64", .base64), ("base-64", .base64), ("b64", .base64), ("quoted-printable", .quotedPrintable),
            ("quotedprintable", .quotedPrintable), ("qp", .quotedPrintable), ("x-uuencode", .uuencode),
            ("uuencode", .uuencode), ("x-uue", .uuencode), ("uue", .uuencode),
        ]
        return Dictionary(uniqueKeysWithValues: names.map { (Array($0.0.utf8), $0.1) })
    }()

    private mutating func readDisposition(_ header: HeaderBlock, limits: MIMELimits) {
        guard let raw = header.first("content-disposition") else { return }
        let parsed = ParameterParser(raw, limit: limits.parameters)
        if parsed.sawTooMany { defects.append(.parametersTooMany) }
        let kind = ASCII.lowercased(parsed.head.filter(ASCII.isToken))
        disposition = ContentDisposition(
            kind: kind.isEmpty ? "attachment" : HeaderText.literal(kind),
            parameters: parsed.parameters
        )
    }

    /// A multipart without a boundary to go by: what cannot be read as declared is text (RFC 2045 §5.2).
    mutating func becomeText() {
        contentType = ContentType("text", "plain", parameters: contentType.parameters)
        readCharset()
    }

    private mutating func readCharset() {
        guard let label = contentType.parameter("charset"), !label.isEmpty else {
            charset = .unlabelled
            return
        }
        charset = Charset(label)
        if charset == nil {
            defects.append(.charsetUnknown)
            charset = .unlabelled
        }
    }
}
