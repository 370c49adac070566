// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import MailTypes
import Wire

/// Messages of the selected mailbox.
extension IMAPClientSession {
    /// A set of UIDs is written in no more than so many octets of one command: RFC 7162 §4 asks servers for 8,192.
    private static var setOctets: Int { 7_000 }
    /// Octets of sections that are collected of one message.
    private static var collectedOctets: Int { 1 << 20 }

    /// Ranges that a server tells of in one answer, in however many responses.
    static var maximumRanges: Int { 1_000_000 }

    static func add(_ ranges: [ClosedRange<UInt32>], to all: inout [ClosedRange<UInt32>]) throws {
        guard all.count + ranges.count <= maximumRanges else { throw IMAPSessionError.tooMuch }
        all += ranges
    }

    private func pieces(_ uids: IMAPNumberSet) throws -> [IMAPMessages] {
        guard !uids.isEmpty else { throw IMAPSessionError.unencodable }
        return uids.pieces(ofAtMost: Self.setOctets).map { .uids($0) }
    }

    // MARK: FETCH

    /// Fetches items of messages, and hands each message out as it comes, in the server's order.
    ///
    /// Sections are collected, under the names by which they were asked for, up to 1 MiB of a message; for larger ones there is
    /// ``stream(_:of:length:setsSeen:begin:piece:)``. Of one that is longer than was asked for there is one octet more than that.
    /// Messages that are gone are left out. What the server tells of others goes to ``onUpdate``.
    ///
    /// - Parameter changedSince: with CONDSTORE, only those that changed since then.
    /// - Returns: with QRESYNC enabled and `changedSince`, what of these UIDs is gone since then; otherwise empty.
    @discardableResult
    package func fetch(
        _ uids: IMAPNumberSet,
        _ items: [IMAPFetchRequest.Item],
        changedSince: UInt64? = nil,
        message take: (IMAPFetchedMessage) async throws -> Void
    ) async throws -> IMAPNumberSet {
        let wantsVanished = changedSince != nil && enabled.contains(.qresync)
        let items = items.contains(.uid) ? items : [.uid] + items
        let commands = try pieces(uids).map { messages in
            IMAPCommand.fetch(
                IMAPFetchRequest(messages, items, changedSince: changedSince, wantsVanished: wantsVanished)
            )
        }
        let wanted = IMAPSortedRanges(uids)
        var vanished: [ClosedRange<UInt32>] = []
        var collecting = IMAPCollectedSections(items, limit: Self.collectedOctets)
        // Some servers tell of a message several times, but none without end.
        var rest = min(uids.count, 1 << 32) * 4 + 10_000
        let results = try await perform(commands) { _, told in
            switch told {
            case .message(var message):
                guard rest > 0 else { throw IMAPSessionError.tooMuch }
                rest -= 1
                message.sections = collecting.finish()
                if let uid = message.uid, wanted.contains(uid) {
                    try await take(message)
                } else {
                    onUpdate(.message(message))
                }
            case .sectionBegins(let section, let octets): try collecting.begin(section, octets)
            case .sectionOctets(let octets): collecting.add(octets)
            case .sectionEnds: collecting.end()
            case .response(.vanished(let uids, isEarlier: true)): try Self.add(uids.ranges, to: &vanished)
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .idling, .wantsOctets, .timeIsUp: break
            }
        }
        try check(results)
        return IMAPNumberSet(ranges: vanished)
    }

    /// Hands a section of one message out while it arrives.
    ///
    /// - Parameters:
    ///   - length: at most so many octets, from the section's origin on.
    ///   - begin: is told how many octets come.
    ///   - piece: takes them; while it does, no more is read.
    /// - Returns: false where the message is gone or has no such section: neither closure was called.
    package func stream(
        _ section: IMAPSection,
        of uid: UInt32,
        length: UInt32? = nil,
        setsSeen: Bool = false,
        begin: (UInt64) async throws -> Void = { _ in },
        piece: ([UInt8]) async throws -> Void
    ) async throws -> Bool {
        let request = IMAPFetchRequest(
            .uids(IMAPNumberSet(uid...uid)),
            [.uid, .section(section, length: length, setsSeen: setsSeen)]
        )
        var isHanding = false
        var isFound = false
        try await perform(.fetch(request)) { told in
            switch told {
            case .sectionBegins(let found, let octets):
                // A server may send more than it was asked for; once is enough.
                guard !isFound, found.answers(section) else { return }
                isHanding = true
                isFound = true
                try await begin(octets)
            case .sectionOctets(let octets): if isHanding { try await piece(octets) }
            case .sectionEnds: isHanding = false
            case .message(let message): if message.uid != uid { onUpdate(.message(message)) }
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .idling, .wantsOctets, .timeIsUp: break
            }
        }
        return isFound
    }

    private func check(_ results: [IMAPStatus]) throws {
        if let refusal = results.first(where: { $0.condition != .ok }) { throw IMAPSessionError.refused(refusal) }
    }

    // MARK: STORE

    /// Changes flags.
    ///
    /// - Parameters:
    ///   - unchangedSince: with CONDSTORE, leaves alone what changed since then.
    ///   - updated: is told of the new flags, and MODSEQs, where the server tells them.
    /// - Returns: those that were left alone because they had changed.
    @discardableResult
    package func store(
        _ uids: IMAPNumberSet,
        _ operation: IMAPStoreRequest.Operation,
        _ flags: MessageFlags,
        unchangedSince: UInt64? = nil,
        updated: (IMAPFetchedMessage) async throws -> Void = { _ in }
    ) async throws -> IMAPNumberSet {
        let commands = try pieces(uids).map { messages in
            IMAPCommand.store(
                IMAPStoreRequest(messages, operation, IMAPFlags(flags), unchangedSince: unchangedSince)
            )
        }
        let results = try await perform(commands) { _, told in
            switch told {
            case .message(let message): try await updated(message)
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
        var modified: [ClosedRange<UInt32>] = []
        for result in results {
            if case .modified(let uids) = result.code { modified += uids.ranges } else { try check([result]) }
        }
        return IMAPNumberSet(ranges: modified)
    }

    // MARK: SEARCH

    /// The UIDs of messages that are looked for, ascending.
    ///
    /// - Parameter charset: that of the key's texts; nil for UTF-8.
    package func search(_ key: IMAPSearchKey, charset: [UInt8]? = nil) async throws -> IMAPNumberSet {
        let hasExtended = capabilities.contains(.esearch)
        let request = IMAPSearchRequest(key, returns: hasExtended ? [.all] : [], charset: charset)
        var numbers: [UInt32] = []
        var ranges: [ClosedRange<UInt32>] = []
        try await perform(.search(request)) { told in
            switch told {
            case .response(.search(let some, _)):
                guard numbers.count + some.count <= maximumHits else { throw IMAPSessionError.tooMuch }
                numbers += some
            case .response(.extendedSearch(let search)): try Self.add(search.all?.ranges ?? [], to: &ranges)
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .message(let message): onUpdate(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
        return numbers.isEmpty ? IMAPNumberSet(ranges: ranges).normalized : IMAPNumberSet(numbers)
    }

    // MARK: COPY, MOVE, EXPUNGE

    /// Copies messages; says which became which, where the server has UIDPLUS.
    @discardableResult
    package func copy(_ uids: IMAPNumberSet, to mailbox: IMAPMailboxName) async throws -> [IMAPCopiedUIDs] {
        try await transfer(pieces(uids).map { .copy($0, to: mailbox) })
    }

    /// Moves messages; says which became which, where the server has UIDPLUS.
    ///
    /// Without MOVE they are copied, flagged `\Deleted` and removed, which needs UIDPLUS, so that nothing else is removed.
    @discardableResult
    package func move(_ uids: IMAPNumberSet, to mailbox: IMAPMailboxName) async throws -> [IMAPCopiedUIDs] {
        if capabilities.contains(.move) { return try await transfer(pieces(uids).map { .move($0, to: mailbox) }) }
        guard capabilities.contains(.uidPlus) else { throw IMAPSessionError.unsupported(.move) }
        let copied = try await copy(uids, to: mailbox)
        try await store(uids, .add, MessageFlags([.deleted]))
        try await expunge(uids)
        return copied
    }

    private func transfer(_ commands: [IMAPCommand]) async throws -> [IMAPCopiedUIDs] {
        var copied: [IMAPCopiedUIDs] = []
        let results = try await perform(commands) { _, told in
            switch told {
            case .response(.status(let status)):
                // MOVE tells it before the messages go.
                guard case .copyUID(let uids) = status.code else { return onUpdate(.status(status)) }
                // One for each command, and its repetition at the end.
                guard copied.count < commands.count * 2 else { throw IMAPSessionError.tooMuch }
                copied.append(uids)
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .message(let message): onUpdate(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
        for result in results { if case .copyUID(let uids) = result.code { copied.append(uids) } }
        try check(results)
        return copied
    }

    /// Removes what is flagged `\Deleted` among these messages; needs UIDPLUS.
    package func expunge(_ uids: IMAPNumberSet) async throws {
        guard capabilities.contains(.uidPlus) else { throw IMAPSessionError.unsupported(.uidPlus) }
        for piece in uids.pieces(ofAtMost: Self.setOctets) { try await perform(.expunge(uids: piece)) }
    }

    /// Removes whatever is flagged `\Deleted`, by whomever.
    package func expungeAll() async throws { try await perform(.expunge(uids: nil)) }
}

/// Ranges in which a number is looked for by halves: a set of many messages may have many.
private struct IMAPSortedRanges {
    private let ranges: [ClosedRange<UInt32>]

    init(_ set: IMAPNumberSet) { ranges = set.normalized.ranges }

    func contains(_ number: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(number)
    }
}

/// The sections of one message, those that were asked for.
private struct IMAPCollectedSections {
    private let wanted: [(section: IMAPSection, length: UInt32?)]
    private let limit: Int
    private var sections: [IMAPSection: [UInt8]] = [:]
    /// That of which octets come, and how many of them are kept.
    private var current: (section: IMAPSection, room: Int)?
    private var octets = 0

    init(_ items: [IMAPFetchRequest.Item], limit: Int) {
        wanted = items.compactMap { item in
            guard case .section(let section, let length, _) = item else { return nil }
            return (section, length)
        }
        self.limit = limit
    }

    mutating func begin(_ section: IMAPSection, _ octets: UInt64) throws {
        guard octets <= UInt64(limit - self.octets) else { throw IMAPSessionError.tooMuch }
        self.octets += Int(octets)
        guard let (name, length) = wanted.first(where: { section.answers($0.section) }) else { return current = nil }
        current = (name, length.map { Int($0) + 1 } ?? limit)
        sections[name] = []
    }

    mutating func add(_ octets: [UInt8]) {
        guard let (section, room) = current else { return }
        let some = octets.prefix(room)
        sections[section, default: []] += some
        current = (section, room - some.count)
    }

    mutating func end() { current = nil }

    mutating func finish() -> [IMAPSection: [UInt8]] {
        defer {
            sections = [:]
            octets = 0
            current = nil
        }
        return sections
    }
}
