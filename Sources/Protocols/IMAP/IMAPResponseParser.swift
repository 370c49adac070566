// SPDX-License-Identifier: Apache-2.0

package import Wire

/// What a server's octets bring, one after another.
package enum IMAPResponseEvent: Hashable, Sendable {
    case response(IMAPResponse)
    /// A FETCH response begins: of the message with this sequence number.
    case fetchBegins(UInt32)
    case fetchItem(IMAPFetchItem)
    /// A section of this many octets, which follow in as many ``sectionOctets(_:)`` as they take.
    case sectionBegins(IMAPSection, octets: UInt64)
    case sectionOctets([UInt8])
    case sectionEnds
    /// `isWhole` is false where some of it could not be read.
    case fetchEnds(isWhole: Bool)
    /// A response that could not be read and was left out; its first octets.
    case unreadable(IMAPSyntaxError, [UInt8])
}

/// Responses from the wire.
///
/// ```.
/// response      = *(continue-req / response-data) response-done
/// response-data = "*" SP (resp-cond-state / resp-cond-bye / mailbox-data / message-data / capability-data) CRLF
/// ```.
/// RFC 9051 §9. It holds one response at most, and of a FETCH one item at most: sections of a message are handed on as they
/// come. What breaks the framing is thrown, and nothing can be read behind it; what is wrong within one response is an event.
package struct IMAPResponseParser: Sendable {
    private enum State: Sendable {
        case line
        /// A literal that is a part of `text`.
        case literal(UInt64)
        /// A section that is handed on.
        case section(UInt64)
        /// A literal of a response that is not read any more.
        case skipped(UInt64)
    }

    /// What kind of response the text is the beginning of.
    private enum Kind: Sendable {
        case unknown
        /// Status and continuation, where braces at a line's end mean nothing.
        case line
        case data
        case fetch
    }

    package var limits: IMAPLimits
    /// Those met so far.
    package private(set) var deviations: Set<IMAPDeviation> = []

    private var state = State.line
    private var kind = Kind.unknown
    /// The response so far, or of a FETCH what is behind the last item handed out; lines end in LF.
    private var text: [UInt8] = []
    /// Of a FETCH: how deep the end of `text` is in parentheses, within an item's name in brackets.
    private var nesting = Nesting()
    private var isFetchWhole = true
    /// Behind this offset the input was not yet searched for a line's end.
    private var searched = 0
    private var events: [IMAPResponseEvent] = []
    private var nextEvent = 0

    package init(_ limits: IMAPLimits = IMAPLimits()) { self.limits = limits }

    /// Nothing of a response was taken yet.
    package var isBetweenResponses: Bool {
        if case .line = state, case .unknown = kind { return text.isEmpty && nextEvent == events.count }
        return false
    }

    /// What comes next, taken from the front of `input`; nil where more input is needed.
    package mutating func next(_ input: inout ByteBuffer) throws(IMAPSyntaxError) -> IMAPResponseEvent? {
        while true {
            if nextEvent < events.count {
                nextEvent += 1
                return events[nextEvent - 1]
            }
            events.removeAll(keepingCapacity: events.count < 16)
            nextEvent = 0
            guard try advance(&input) else { return nil }
        }
    }

    /// One step; false where more input is needed.
    private mutating func advance(_ input: inout ByteBuffer) throws(IMAPSyntaxError) -> Bool {
        switch state {
        case .line: return try takeLine(&input)
        case .literal(let rest):
            let count = Int(min(rest, UInt64(input.count)))
            guard count > 0 || rest == 0 else { return false }
            text.append(input.bytes.extracting(0..<count))
            input.consume(count)
            state = rest == UInt64(count) ? .line : .literal(rest - UInt64(count))
        case .skipped(let rest):
            let count = Int(min(rest, UInt64(input.count)))
            guard count > 0 || rest == 0 else { return false }
            input.consume(count)
            state = rest == UInt64(count) ? .line : .skipped(rest - UInt64(count))
        case .section(let rest):
            let count = Int(min(rest, UInt64(min(input.count, limits.chunkOctets))))
            guard count > 0 || rest == 0 else { return false }
            if count > 0 { events.append(.sectionOctets(input.bytes.extracting(0..<count).array())) }
            input.consume(count)
            state = .section(rest - UInt64(count))
            if rest == UInt64(count) {
                events.append(.sectionEnds)
                state = .line
            }
        }
        return true
    }

    // MARK: Lines

    private mutating func takeLine(_ input: inout ByteBuffer) throws(IMAPSyntaxError) -> Bool {
        guard let end = input.bytes.firstIndex(of: ASCII.lf, from: searched) else {
            guard text.count + input.count <= limits.responseOctets else {
                return try takeNumbers(&input)
            }
            searched = input.count
            return input.count >= Self.numbersAtOnce ? try takeNumbers(&input) : false
        }
        searched = 0
        guard text.count + end <= limits.responseOctets else {
            if try takeNumbers(&input) { return true }
            throw .responseTooLong
        }
        let start = text.count
        var lineEnd = end
        if lineEnd > 0, input.bytes[lineEnd - 1] == ASCII.cr { lineEnd -= 1 } else { deviations.insert(.bareLineFeed) }
        text.append(input.bytes.extracting(0..<lineEnd))
        input.consume(end + 1)
        try lineTaken(from: start)
        return true
    }

    private static let numbersAtOnce = 16 * 1024

    /// The numbers of a SEARCH whose line is long are handed on as they come.
    ///
    /// False where this is none; throws where it is too long.
    private mutating func takeNumbers(_ input: inout ByteBuffer) throws(IMAPSyntaxError) -> Bool {
        let isTooLong = text.count + input.count > limits.responseOctets
        guard let range = numbersAtOnce(input.bytes) else {
            if isTooLong { throw .responseTooLong }
            return false
        }
        var cursor = IMAPCursor([ASCII.space] + input.bytes.extracting(range).array())
        let (numbers, _) = try cursor.searchNumbers(limits)
        events.append(.response(.search(numbers, modSeq: nil)))
        input.consume(range.upperBound + 1)
        // The rest of the line reads as one more response.
        text = Self.searchName
        searched = 0
        return true
    }

    private static let searchName = Array("* SEARCH ".utf8)

    /// Where numbers of a SEARCH stand, up to a space, so that none is cut.
    private func numbersAtOnce(_ line: Span<UInt8>) -> Range<Int>? {
        let name = Self.searchName
        var first = 0
        if text.isEmpty, line.count > name.count,
            ASCII.equalsIgnoringCase(line.extracting(0..<name.count), name.span)
        {
            first = name.count
        } else if text != name {
            return nil
        }
        var last = min(line.count, Self.numbersAtOnce) - 1
        while last > first, line[last] != ASCII.space { last -= 1 }
        guard last > first else { return nil }
        let numbers = line.extracting(first..<last)
        guard numbers.firstIndex(of: ASCII.openParenthesis) == nil, numbers.firstIndex(of: ASCII.lf) == nil else {
            return nil
        }
        return first..<last
    }

    /// A line was added to the text; it may go on with a literal.
    private mutating func lineTaken(from start: Int) throws(IMAPSyntaxError) {
        if case .unknown = kind { begin() }
        if case .line = kind { return finish() }
        let announced = try IMAPGrammar.literal(atEndOf: text, from: start)
        guard let announced else { return finish() }
        if case .fetch = kind { nesting.advance(over: text, from: start, to: announced.at) }
        text.append(ASCII.lf)
        if case .fetch = kind {
            try fetchLiteral(announced.octets, at: announced.at)
        } else {
            try hold(announced.octets)
        }
    }

    /// The literal becomes a part of the text.
    private mutating func hold(_ octets: UInt64) throws(IMAPSyntaxError) {
        guard octets <= UInt64(max(0, limits.responseOctets - text.count)) else {
            throw .literalTooLong(octets: octets)
        }
        state = .literal(octets)
    }

    /// Finds out what kind of response the first line begins.
    private mutating func begin() {
        var cursor = IMAPCursor(text)
        guard cursor.take(ASCII.asterisk), cursor.take(ASCII.space) else {
            kind = .line
            return
        }
        cursor.skipSpaces()
        kind = .data
        let start = cursor.index
        if let number = try? cursor.number32(), cursor.take(ASCII.space), cursor.take(word: "FETCH") {
            cursor.skipSpaces()
            guard cursor.take(ASCII.openParenthesis) else { return }
            kind = .fetch
            isFetchWhole = number > 0
            nesting = Nesting()
            events.append(.fetchBegins(number))
            // What was looked at already is left out of the nesting's count by being blank.
            for index in 0..<cursor.index { text[index] = ASCII.space }
            return
        }
        cursor.index = start
        if let word = try? cursor.atom().map(ASCII.uppercased),
            IMAPStatus.Condition.allCases.contains(where: { word.elementsEqual($0.rawValue.utf8) })
        {
            kind = .line
        }
    }

    // MARK: Whole responses

    private mutating func finish() {
        if case .fetch = kind {
            finishFetch()
        } else {
            var cursor = IMAPCursor(text)
            do throws(IMAPSyntaxError) {
                events.append(.response(try read(&cursor)))
            } catch {
                unreadable(error)
            }
            deviations.formUnion(cursor.deviations)
        }
        text.removeAll(keepingCapacity: text.capacity <= 4096)
        kind = .unknown
        state = .line
    }

    private mutating func unreadable(_ error: IMAPSyntaxError) {
        deviations.insert(.unreadableResponse)
        events.append(.unreadable(error, Array(text.prefix(200))))
    }

    private func read(_ cursor: inout IMAPCursor) throws(IMAPSyntaxError) -> IMAPResponse {
        switch cursor.next {
        case ASCII.asterisk:
            cursor.index += 1
            try cursor.space()
            return try cursor.untagged(limits)
        case ASCII.plus:
            cursor.index += 1
            // Some servers leave the space away where nothing follows.
            if !cursor.isAtEnd { try cursor.space() }
            return .continuation(cursor.rest())
        case ASCII.openBracket:
            cursor.deviations.insert(.codeWithoutStatus)
            return .status(cursor.statusText(.ok, limits))
        default:
            let tag = try cursor.tag()
            try cursor.space()
            return .tagged(tag: tag, try cursor.status(isTagged: true, limits))
        }
    }

    // MARK: FETCH

    /// A line of a FETCH ends with a literal: a section is handed on, anything else becomes a part of the text.
    private mutating func fetchLiteral(_ octets: UInt64, at place: Int) throws(IMAPSyntaxError) {
        guard isFetchWhole else {
            text.removeAll(keepingCapacity: true)
            guard octets <= limits.sectionOctets else { throw .literalTooLong(octets: octets) }
            state = .skipped(octets)
            return
        }
        // Deeper than the items themselves there is no section.
        guard nesting.depth == 0, !nesting.isBracketed else { return try hold(octets) }
        var cursor = IMAPCursor(text)
        do throws(IMAPSyntaxError) {
            if let section = try readItems(&cursor, upTo: place) {
                guard octets <= limits.sectionOctets else { throw .literalTooLong(octets: octets) }
                events.append(.sectionBegins(section, octets: octets))
                text.removeAll(keepingCapacity: true)
                state = .section(octets)
            } else {
                // The item goes on with the literal.
                text.removeFirst(cursor.index)
                try hold(octets)
            }
        } catch {
            if case .literalTooLong = error { throw error }
            unreadable(error)
            isFetchWhole = false
            try fetchLiteral(octets, at: 0)
        }
        deviations.formUnion(cursor.deviations)
    }

    private mutating func finishFetch() {
        if isFetchWhole {
            var cursor = IMAPCursor(text)
            do throws(IMAPSyntaxError) {
                _ = try readItems(&cursor, upTo: text.count)
                try cursor.expect(ASCII.closeParenthesis)
                try cursor.expectEnd()
            } catch {
                unreadable(error)
                isFetchWhole = false
            }
            deviations.formUnion(cursor.deviations)
        }
        events.append(.fetchEnds(isWhole: isFetchWhole))
    }

    /// Hands out the items up to `end`, or to the parenthesis that ends the list.
    ///
    /// Where the last one's value begins at `end` with a literal: its section, or nil with the cursor in front of its name.
    private mutating func readItems(
        _ cursor: inout IMAPCursor,
        upTo end: Int
    ) throws(IMAPSyntaxError) -> IMAPSection? {
        while true {
            cursor.skipSpaces()
            if cursor.isAtEnd || cursor.next == ASCII.closeParenthesis { return nil }
            let start = cursor.index
            let isParenthesized = cursor.take(ASCII.openParenthesis)
            if isParenthesized { cursor.deviations.insert(.parenthesizedFetchItem) }
            switch try cursor.fetchItemName(limits) {
            case .section(let section):
                if cursor.index == end, end < cursor.end { return section }
                try readSection(section, &cursor)
            case .binarySize(let part):
                events.append(.fetchItem(.binarySize(part: part, octets: try cursor.number())))
            case .name(let name):
                guard cursor.index < end else {
                    cursor.index = start
                    return nil
                }
                events.append(.fetchItem(try cursor.fetchItem(name, limits)))
            }
            if isParenthesized { try cursor.expect(ASCII.closeParenthesis) }
            guard cursor.isAtEnd || cursor.next == ASCII.space || cursor.next == ASCII.closeParenthesis else {
                throw cursor.surprise
            }
        }
    }

    /// A section in quotation marks, or none.
    private mutating func readSection(_ section: IMAPSection, _ cursor: inout IMAPCursor) throws(IMAPSyntaxError) {
        guard let octets = try cursor.nstring() else { return events.append(.fetchItem(.absent(section))) }
        events.append(.sectionBegins(section, octets: UInt64(octets.count)))
        if !octets.isEmpty { events.append(.sectionOctets(octets)) }
        events.append(.sectionEnds)
    }

    /// Where the end of a text is, relative to the list of items of a FETCH.
    private struct Nesting: Sendable {
        var depth = 0
        var isBracketed = false

        mutating func advance(over text: [UInt8], from start: Int, to end: Int) {
            var isQuoted = false
            var index = start
            while index < end {
                switch text[index] {
                case ASCII.quote: isQuoted.toggle()
                case ASCII.backslash where isQuoted: index += 1
                case _ where isQuoted: break
                case ASCII.openBracket where depth == 0: isBracketed = true
                case ASCII.closeBracket: isBracketed = false
                case _ where isBracketed: break
                case ASCII.openParenthesis: depth += 1
                case ASCII.closeParenthesis: depth -= 1
                default: break
                }
                index += 1
            }
        }
    }
}

extension IMAPCursor {
    /// `tag = 1*<any ASTRING-CHAR except "+">`.
    mutating func tag() throws(IMAPSyntaxError) -> [UInt8] {
        let start = index
        while let byte = next, byte == ASCII.closeBracket || IMAPGrammar.isStrictAtom(byte), byte != ASCII.plus {
            index += 1
        }
        guard index > start else { throw surprise }
        return Array(bytes[start..<index])
    }
}
