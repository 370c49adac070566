// SPDX-License-Identifier: Apache-2.0

import Wire

/// An ESEARCH response (RFC 4731, RFC 9051 §7.3.4): the answer to one SEARCH that had RETURN, or to a SORT.
package struct IMAPExtendedSearch: Hashable, Sendable {
    /// Of the command it answers.
    package var tag: [UInt8]?
    /// Numbers are UIDs.
    package var isUID = false
    package var minimum: UInt32?
    package var maximum: UInt32?
    package var count: UInt32?
    package var modSeq: UInt64?
    /// In the order of the answer; nil where there was no ALL, as with no hits.
    package var all: IMAPNumberSet?
    package var partial: Partial?

    /// RFC 9394: the hits from one place to another.
    package struct Partial: Hashable, Sendable {
        /// As it was asked for: `1:500`, or `-1:-500` for the last ones.
        package let range: [UInt8]
        package let numbers: IMAPNumberSet

        package init(range: [UInt8], numbers: IMAPNumberSet) {
            self.range = range
            self.numbers = numbers
        }
    }

    package init() {}
}

extension IMAPCursor {
    /// ```.
    /// esearch-response   = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
    /// search-correlator  = SP "(" "TAG" SP tag-string ")"
    /// search-return-data = search-modifier-name SP search-return-value
    /// ```.
    /// Behind the name.
    mutating func extendedSearch(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPExtendedSearch {
        var search = IMAPExtendedSearch()
        if next == ASCII.space, next(1) == ASCII.openParenthesis {
            index += 1
            let tree = try IMAPTree(&self, limits)
            search.tag = tree.labelled(0).first { ASCII.equalsIgnoringCase($0.name, "TAG") }.flatMap {
                tree.text($0.value)
            }
        }
        while !isAtEnd {
            try space()
            if isAtEnd {
                deviations.insert(.spaceAtEnd)
                break
            }
            if take(word: "UID") {
                search.isUID = true
                continue
            }
            let name = try atom()
            try space()
            try searchReturn(name, &search, limits)
        }
        return search
    }

    private mutating func searchReturn(
        _ name: [UInt8],
        _ search: inout IMAPExtendedSearch,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) {
        func named(_ text: StaticString) -> Bool { ASCII.equalsIgnoringCase(name, text) }
        if named("MIN") {
            search.minimum = try nonZero()
        } else if named("MAX") {
            search.maximum = try nonZero()
        } else if named("COUNT") {
            search.count = try number32()
        } else if named("MODSEQ") {
            search.modSeq = try number()
        } else if named("ALL") {
            search.all = try numberSet()
        } else if named("PARTIAL") {
            try expect(ASCII.openParenthesis)
            let range = try atom()
            try space()
            let numbers = take(word: "NIL") ? IMAPNumberSet() : try numberSet()
            try expect(ASCII.closeParenthesis)
            search.partial = IMAPExtendedSearch.Partial(range: range, numbers: numbers)
        } else {
            _ = try IMAPTree(&self, limits)
        }
    }

    /// `*(SP nz-number) [SP "(" "MODSEQ" SP mod-sequence-value ")"]`, behind SEARCH or SORT.
    mutating func searchNumbers(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> (numbers: [UInt32], modSeq: UInt64?) {
        var numbers: [UInt32] = []
        while !isAtEnd {
            try space()
            if isAtEnd {
                deviations.insert(.spaceAtEnd)
                break
            }
            guard next == ASCII.openParenthesis else {
                numbers.append(try nonZero())
                continue
            }
            index += 1
            guard take(word: "MODSEQ") else { throw surprise }
            try space()
            let modSeq = try number()
            try expect(ASCII.closeParenthesis)
            try expectEnd()
            return (numbers, modSeq)
        }
        return (numbers, nil)
    }
}

/// A THREAD response (RFC 5256): messages with how deep they stand, each behind the one that it answers.
package struct IMAPThread: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        /// Nil for a message that is not there, whose answers are.
        package let number: UInt32?
        /// 0 begins a thread.
        package let level: Int

        package init(number: UInt32?, level: Int) {
            self.number = number
            self.level = level
        }
    }

    package var members: [Member] = []

    package init() {}
}

extension IMAPCursor {
    /// ```.
    /// thread-list    = "(" (thread-members / thread-nested) ")"
    /// thread-members = nz-number *(SP nz-number) [SP thread-nested]
    /// thread-nested  = 2*thread-list
    /// ```.
    /// Behind THREAD. Each message answers the one before it in its list.
    mutating func thread(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPThread {
        var thread = IMAPThread()
        // The level at which each open list began, and whether it has members of its own.
        var open: [(level: Int, isEmpty: Bool)] = []
        var level = 0
        while !isAtEnd {
            guard thread.members.count < limits.values else { throw .tooMany }
            switch next {
            case ASCII.space: skipSpaces()
            case ASCII.openParenthesis:
                guard open.count < limits.depth else { throw .tooDeep }
                if let outer = open.last, outer.isEmpty {
                    thread.members.append(IMAPThread.Member(number: nil, level: level))
                    open[open.count - 1].isEmpty = false
                    level += 1
                }
                index += 1
                open.append((level, true))
            case ASCII.closeParenthesis:
                guard let list = open.popLast() else { throw surprise }
                index += 1
                level = list.level
            default:
                guard !open.isEmpty else { throw surprise }
                thread.members.append(IMAPThread.Member(number: try nonZero(), level: level))
                open[open.count - 1].isEmpty = false
                level += 1
            }
        }
        guard open.isEmpty else { throw .unexpectedEnd }
        return thread
    }
}
