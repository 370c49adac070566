// SPDX-License-Identifier: Apache-2.0

import Wire

/// The system flags of RFC 9051 §2.3.2 as bits.
///
/// Keywords are kept beside them, as words.
public struct SystemFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let seen = Self(rawValue: 1)
    public static let answered = Self(rawValue: 2)
    public static let flagged = Self(rawValue: 4)
    public static let draft = Self(rawValue: 8)
    public static let deleted = Self(rawValue: 16)

    /// The word the API writes for each bit, in the order it writes them.
    public static let words: [(flag: SystemFlags, word: StaticString)] = [
        (.seen, "seen"), (.answered, "answered"), (.flagged, "flagged"), (.draft, "draft"), (.deleted, "deleted"),
    ]
}

/// All flags of one message: system flags and keywords.
public struct MessageFlags: Hashable, Sendable {
    public var system: SystemFlags
    /// Keywords as first written; unique under ASCII case folding, sorted by their folded form.
    public private(set) var keywords: [String]

    public init(_ system: SystemFlags = [], keywords: [String] = []) {
        self.system = system
        self.keywords = []
        for keyword in keywords { insert(keyword: keyword) }
    }

    /// At most this many octets in a keyword, and at most so many keywords on a message.
    public static let maximumKeywordOctets = 64
    public static let maximumKeywords = 64

    /// Whether a word can be a keyword: an IMAP `atom` (RFC 9051 §9) that is not the word of a system flag.
    public static func isKeyword(_ word: String) -> Bool {
        guard (1...maximumKeywordOctets).contains(word.utf8.count) else { return false }
        let atom = word.utf8.allSatisfy { byte in
            switch byte {
            case 0...0x20, 0x7F...0xFF: false
            // "(){%*\"\\]"
            case 0x28, 0x29, 0x7B, 0x25, 0x2A, 0x22, 0x5C, 0x5D: false
            default: true
            }
        }
        return atom && systemFlag(word) == nil
    }

    /// The system flag an API word names, in any ASCII case.
    public static func systemFlag(_ word: String) -> SystemFlags? {
        SystemFlags.words.first { ASCII.equalsIgnoringCase(word.utf8, $0.word) }?.flag
    }

    public func contains(keyword: String) -> Bool {
        let folded = Self.fold(keyword)
        return keywords.contains { Self.fold($0) == folded }
    }

    public mutating func insert(keyword: String) {
        guard !contains(keyword: keyword) else { return }
        let folded = Self.fold(keyword)
        let place = keywords.firstIndex { folded.lexicographicallyPrecedes(Self.fold($0)) } ?? keywords.endIndex
        keywords.insert(keyword, at: place)
    }

    public mutating func remove(keyword: String) {
        let folded = Self.fold(keyword)
        keywords.removeAll { Self.fold($0) == folded }
    }

    public mutating func formUnion(_ other: MessageFlags) {
        system.formUnion(other.system)
        for keyword in other.keywords { insert(keyword: keyword) }
    }

    public mutating func subtract(_ other: MessageFlags) {
        system.subtract(other.system)
        for keyword in other.keywords { remove(keyword: keyword) }
    }

    private static func fold(_ word: String) -> [UInt8] {
        word.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    }
}

/// A change to flags: everything replaced, or some added and some removed.
public enum FlagChange: Hashable, Sendable {
    case set(MessageFlags)
    case change(add: MessageFlags, remove: MessageFlags)

    /// The flags after the change.
    ///
    /// What is both added and removed is removed.
    public func applied(to flags: MessageFlags) -> MessageFlags {
        switch self {
        case .set(let flags): return flags
        case .change(let add, let remove):
            var changed = flags
            changed.formUnion(add)
            changed.subtract(remove)
            return changed
        }
    }
}
