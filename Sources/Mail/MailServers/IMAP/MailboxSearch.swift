// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import MIME
import MailTypes
import Storage
import Wire

/// A search key, made ready for looking at one message after the other (RFC 9051 §6.4.4).
///
/// What a message's row tells is looked at first; its octets are read only where that does not decide.
struct MailboxSearch: Sendable {
    /// The key in postfix order: no recursion when it is looked at.
    private enum Step: Sendable {
        case leaf(Leaf)
        case not
        case any
        case all(Int)
    }

    /// A condition that is asked by itself.
    private enum Leaf: Sendable {
        case constant(Bool)
        case flags(SystemFlags, areSet: Bool)
        case keyword(String, isSet: Bool)
        case internalDate(Range<Int64>)
        case saveDate(Range<Int64>)
        case larger(UInt64)
        case smaller(UInt64)
        case uids(SortedNumbers)
        case modSeq(UInt64)
        /// What needs more than the row.
        case content(Content)
    }

    private enum Content: Sendable {
        case field([UInt8], FoldedNeedle)
        /// Of an address field: also as its addresses are without comments and folding.
        case addresses([UInt8], FoldedNeedle)
        case body(FoldedNeedle)
        case text(FoldedNeedle)
        case sent(Range<Int64>)
        case emailID([UInt8])
        case threadID([UInt8])
    }

    private static let day: Int64 = 86_400_000

    /// Conditions that need a message's octets.
    private static let contents = 32
    /// With a header of more octets than this each condition is a turn.
    private static let largeHeader = 64 << 10

    private var steps: [Step] = []
    /// All that can be found have UIDs in there.
    private(set) var uids: ClosedRange<UInt32> = 1...UInt32.max
    /// There is a MODSEQ among the keys: the answer tells the highest (RFC 7162 §3.1.5).
    private(set) var asksModSeq = false

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - saved: what `$` is.
    ///
    /// Throws ``IMAPMailbox/Refusal`` for what cannot be looked for.
    init(_ key: IMAPSearchKey, in mailbox: SelectedMailbox, saved: [UInt32], now: Int64) throws {
        /// What is still to be done: a key to be taken apart, or a step to be put behind those of its parts.
        enum Work {
            case key(IMAPSearchKey)
            case step(Step)
        }
        var work: [Work] = [.key(key)]
        var dollar: SortedNumbers?
        var contents = 0
        while let next = work.popLast() {
            switch next {
            case .step(let step): steps.append(step)
            case .key(.not(let key)): work += [.step(.not), .key(key)]
            case .key(.or(let a, let b)): work += [.step(.any), .key(b), .key(a)]
            case .key(.and(let keys)):
                work.append(.step(.all(keys.count)))
                work += keys.map { .key($0) }
            case .key(let key):
                if case .modSeq = key { asksModSeq = true }
                if case .saved = key, dollar == nil { dollar = SortedNumbers(IMAPNumberSet(saved)) }
                let leaf = try Self.leaf(key, mailbox, dollar, now)
                if case .content = leaf { contents += 1 }
                guard contents <= Self.contents else {
                    throw IMAPMailbox.Refusal(.no, .limit, "Too many texts to look for")
                }
                steps.append(.leaf(leaf))
            }
        }
        if let bounds = Self.bounds(key, mailbox) { uids = bounds }
    }

    private static func leaf(
        _ key: IMAPSearchKey,
        _ mailbox: SelectedMailbox,
        _ saved: SortedNumbers?,
        _ now: Int64
    ) throws -> Leaf {
        switch key {
        case .all: return .constant(true)
        case .flags(let flags, let areSet): return .flags(flags, areSet: areSet)
        case .keyword(let word, let isSet): return .keyword(word, isSet: isSet)
        case .from(let text): return .content(.addresses(Array("From".utf8), FoldedNeedle(text)))
        case .to(let text): return .content(.addresses(Array("To".utf8), FoldedNeedle(text)))
        case .cc(let text): return .content(.addresses(Array("Cc".utf8), FoldedNeedle(text)))
        case .bcc(let text): return .content(.addresses(Array("Bcc".utf8), FoldedNeedle(text)))
        case .subject(let text): return .content(.field(Array("Subject".utf8), FoldedNeedle(text)))
        case .header(let name, let text): return .content(.field(name, FoldedNeedle(text)))
        case .body(let text): return .content(.body(FoldedNeedle(text)))
        case .text(let text): return .content(.text(FoldedNeedle(text)))
        case .before(let time): return .internalDate(Int64.min..<time.milliseconds)
        case .on(let time): return .internalDate(time.milliseconds..<end(of: time))
        case .since(let time): return .internalDate(time.milliseconds..<Int64.max)
        case .sentBefore(let time): return .content(.sent(Int64.min..<time.milliseconds))
        case .sentOn(let time): return .content(.sent(time.milliseconds..<end(of: time)))
        case .sentSince(let time): return .content(.sent(time.milliseconds..<Int64.max))
        case .savedBefore(let time): return .saveDate(Int64.min..<time.milliseconds)
        case .savedOn(let time): return .saveDate(time.milliseconds..<end(of: time))
        case .savedSince(let time): return .saveDate(time.milliseconds..<Int64.max)
        case .saveDateSupported: return .constant(true)
        case .younger(let seconds): return .internalDate(moment(seconds, before: now)..<Int64.max)
        case .older(let seconds): return .internalDate(Int64.min..<moment(seconds, before: now) + 1)
        case .larger(let octets): return .larger(octets)
        case .smaller(let octets): return .smaller(octets)
        case .uids(let set): return .uids(SortedNumbers(IMAPNumberSet(ranges: ranges(set, mailbox, isUID: true) ?? [])))
        case .sequence(let set):
            guard let ranges = ranges(set, mailbox, isUID: false) else {
                throw IMAPMailbox.Refusal(.bad, nil, "There is no message of such a number")
            }
            return .uids(SortedNumbers(IMAPNumberSet(ranges: ranges)))
        case .saved: return .uids(saved ?? SortedNumbers(IMAPNumberSet(ranges: [])))
        case .modSeq(let modSeq): return .modSeq(modSeq)
        case .emailID(let id): return .content(.emailID(id))
        case .threadID(let id): return .content(.threadID(id))
        case .gmail, .not, .or, .and: throw IMAPMailbox.Refusal(.bad, nil, "Not known here")
        }
    }

    private static func moment(_ seconds: UInt32, before now: Int64) -> Int64 { now - Int64(seconds) * 1000 }

    private static func end(of day: Timestamp) -> Int64 { day.milliseconds + Self.day }

    /// The UIDs of those messages told that a set names.
    private static func ranges(
        _ set: IMAPNumberSet,
        _ mailbox: SelectedMailbox,
        isUID: Bool
    ) -> [ClosedRange<UInt32>]? {
        mailbox.places(of: set, isUID: isUID).map { places in
            places.map { mailbox.uids[$0.lowerBound]...mailbox.uids[$0.upperBound - 1] }
        }
    }

    /// Bounds that a set among those keys gives which all must hold.
    private static func bounds(_ key: IMAPSearchKey, _ mailbox: SelectedMailbox) -> ClosedRange<UInt32>? {
        let keys: [IMAPSearchKey] = if case .and(let keys) = key { keys } else { [key] }
        for key in keys {
            let found: [ClosedRange<UInt32>]? =
                switch key {
                case .uids(let set): ranges(set, mailbox, isUID: true)
                case .sequence(let set): ranges(set, mailbox, isUID: false)
                default: nil
                }
            if let first = found?.first, let last = found?.last { return first.lowerBound...last.upperBound }
        }
        return nil
    }

    // MARK: Looking at a message

    /// What a look at one message costs.
    var stepCount: Int { steps.count }

    /// Whether it is found; nil where its row does not tell.
    func decide(_ row: MailboxRow) -> Bool? { decide { Self.decide($0, row) } }

    /// Whether it is found, with what was read of it.
    func decide(_ row: MailboxRow, _ message: OpenMessage) async throws -> Bool {
        let sought = try await sought(in: message)
        var next = sought.makeIterator()
        let found = decide { leaf in
            if case .content = leaf { return next.next() }
            return Self.decide(leaf, row)
        }
        return found ?? false
    }

    private func decide(_ leaf: (Leaf) -> Bool?) -> Bool? {
        var stack: [Bool?] = []
        for step in steps {
            switch step {
            case .leaf(let condition): stack.append(leaf(condition))
            case .not:
                let operand = stack.popLast() ?? nil
                stack.append(operand.map { !$0 })
            case .any:
                let operands = Self.pop(2, of: &stack)
                stack.append(operands.contains(true) ? true : operands.contains(nil) ? nil : false)
            case .all(let count):
                let operands = Self.pop(count, of: &stack)
                stack.append(operands.contains(false) ? false : operands.contains(nil) ? nil : true)
            }
        }
        return stack.last ?? nil
    }

    private static func pop(_ count: Int, of stack: inout [Bool?]) -> [Bool?] {
        let operands = Array(stack.suffix(count))
        stack.removeLast(operands.count)
        return operands
    }

    private static func decide(_ leaf: Leaf, _ row: MailboxRow) -> Bool? {
        switch leaf {
        case .constant(let value): value
        case .flags(let flags, let areSet):
            areSet ? row.flags.system.isSuperset(of: flags) : row.flags.system.isDisjoint(with: flags)
        case .keyword(let word, let isSet): row.flags.contains(keyword: word) == isSet
        case .internalDate(let range): range.contains(row.internalDate.milliseconds)
        case .saveDate(let range): range.contains(row.savedAt.milliseconds)
        case .larger(let octets): UInt64(max(row.size, 0)) > octets
        case .smaller(let octets): UInt64(max(row.size, 0)) < octets
        case .uids(let set): set.contains(row.uid)
        case .modSeq(let modSeq): row.modseq >= modSeq
        case .content: nil
        }
    }

    // MARK: Looking at its octets

    /// What holds of the conditions that need more than the row, in their order among the steps.
    private func sought(in message: OpenMessage) async throws -> [Bool] {
        var wanted: [Content] = []
        for case .leaf(.content(let content)) in steps { wanted.append(content) }
        var found = [Bool](repeating: false, count: wanted.count)
        let header = message.isQuarantined ? RawHeader([]) : RawHeader(try await message.wholeHeader())
        var inHeader: [(place: Int, needle: FoldedNeedle)] = []
        var inBody: [(place: Int, needle: FoldedNeedle)] = []
        for (place, content) in wanted.enumerated() {
            if header.octets.count > Self.largeHeader { await Task.yield() }
            switch content {
            case .field(let name, let needle): found[place] = Self.isIn(header, name, needle)
            case .addresses(let name, let needle):
                found[place] = Self.isIn(header, name, needle) || Self.isInAddresses(header, name, needle)
            case .sent(let range):
                found[place] = header.first("Date").flatMap { SentDay.read($0) }.map { range.contains($0) } ?? false
            case .emailID(let id): found[place] = "\(message.content)".utf8.elementsEqual(id)
            case .threadID(let id): found[place] = "\(message.thread)".utf8.elementsEqual(id)
            case .body(let needle): inBody.append((place, needle))
            case .text(let needle):
                inHeader.append((place, needle))
                inBody.append((place, needle))
            }
        }
        Self.look(in: header, for: inHeader, &found)
        let left = inBody.filter { !found[$0.place] }
        guard !left.isEmpty, !message.isQuarantined else { return found }
        var text = FoldedText(left.map(\.needle))
        try await Self.read(message, into: &text)
        for (index, each) in left.enumerated() where text.found[index] { found[each.place] = true }
        return found
    }

    private static func isIn(_ header: RawHeader, _ name: [UInt8], _ needle: FoldedNeedle) -> Bool {
        header.fields.contains { field in
            header.isNamed(field, name)
                && (needle.octets.isEmpty || needle.isIn(Array(HeaderText.decode(header.octets[field.value]).utf8)))
        }
    }

    private static func isInAddresses(_ header: RawHeader, _ name: [UInt8], _ needle: FoldedNeedle) -> Bool {
        header.fields.contains { field in
            header.isNamed(field, name)
                && EnvelopeAddresses.read(header.unfolded(field.value)).contains { address in
                    needle.isIn((address.mailbox ?? []) + [ASCII.at] + (address.host ?? []))
                }
        }
    }

    private static func look(
        in header: RawHeader,
        for needles: [(place: Int, needle: FoldedNeedle)],
        _ found: inout [Bool]
    ) {
        guard !needles.isEmpty else { return }
        var text = FoldedText(needles.map(\.needle))
        for field in header.fields {
            text.take(Array(header.name(field)) + [ASCII.colon])
            text.take(Array(HeaderText.decode(header.octets[field.value]).utf8))
            text.end()
        }
        for (index, each) in needles.enumerated() where text.found[index] { found[each.place] = true }
    }

    /// The texts of all parts, and the headers of the parts.
    private static func read(_ message: OpenMessage, into text: inout FoldedText) async throws {
        let layout = message.layout
        for (place, part) in layout.parts.enumerated() {
            if text.hasAll { return }
            if place > 0 {
                let header = RawHeader(try await message.header(of: part))
                for field in header.fields {
                    text.take(Array(header.name(field)) + [ASCII.colon])
                    text.take(Array(HeaderText.decode(header.octets[field.value]).utf8))
                    text.end()
                }
            }
            guard part.contentType.utf8.starts(with: "text/".utf8) else { continue }
            var stream = PartStream(
                text: part,
                within: layout.containers(of: part),
                of: message.body,
                pool: message.pool
            )
            var piece = ByteBuffer()
            while !text.hasAll, try await stream.read(into: &piece) > 0 {
                text.take(piece.array())
                piece.removeAll()
            }
            text.end()
        }
    }
}

/// The day of a Date field as it is written there, whatever its zone: SENTON and its like (RFC 9051 §6.4.4).
enum SentDay {
    /// Milliseconds since 1970 of its beginning, as if it were in UTC; nil where the field has no date.
    static func read(_ value: [UInt8]) -> Int64? {
        let words = value.split { ASCII.isBlank($0) || $0 == ASCII.comma || $0 == ASCII.hyphen }.map { Array($0) }
        for (place, word) in words.enumerated() where place + 2 < words.count {
            guard word.count <= 2, let day = StrictInteger.decimal(word), (1...31).contains(day),
                let month = Timestamp.monthNames.firstIndex(where: {
                    ASCII.equalsIgnoringCase(words[place + 1].prefix(3), $0)
                }), let year = StrictInteger.decimal(words[place + 2]), year < 10_000
            else { continue }
            let full = year < 50 ? year + 2000 : year < 100 ? year + 1900 : year
            let civil = Timestamp.Civil(
                year: Int(full),
                month: month + 1,
                day: Int(day),
                hour: 0,
                minute: 0,
                second: 0
            )
            return Timestamp(civil)?.milliseconds
        }
        return DateParser.parse(value[...]).map { $0.milliseconds - $0.milliseconds % 86_400_000 }
    }
}
