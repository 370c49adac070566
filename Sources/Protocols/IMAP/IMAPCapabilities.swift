// SPDX-License-Identifier: Apache-2.0

package import SASL
import Wire

/// The capabilities that we know, by their registered names.
package enum IMAPCapability: String, CaseIterable, Sendable {
    case imap4rev1 = "IMAP4REV1"
    case imap4rev2 = "IMAP4REV2"
    case startTLS = "STARTTLS"
    case loginDisabled = "LOGINDISABLED"
    case saslIR = "SASL-IR"
    case literalPlus = "LITERAL+"
    case literalMinus = "LITERAL-"
    case id = "ID"
    case enable = "ENABLE"
    case namespace = "NAMESPACE"
    case idle = "IDLE"
    case notify = "NOTIFY"
    case uidPlus = "UIDPLUS"
    case move = "MOVE"
    case unselect = "UNSELECT"
    case condStore = "CONDSTORE"
    case qresync = "QRESYNC"
    case esearch = "ESEARCH"
    case searchResult = "SEARCHRES"
    case within = "WITHIN"
    case binary = "BINARY"
    case children = "CHILDREN"
    case listExtended = "LIST-EXTENDED"
    case listStatus = "LIST-STATUS"
    case specialUse = "SPECIAL-USE"
    case createSpecialUse = "CREATE-SPECIAL-USE"
    case statusSize = "STATUS=SIZE"
    case objectID = "OBJECTID"
    case saveDate = "SAVEDATE"
    case preview = "PREVIEW"
    case quota = "QUOTA"
    case compressDeflate = "COMPRESS=DEFLATE"
    case utf8Accept = "UTF8=ACCEPT"
    case utf8Only = "UTF8=ONLY"
    case multiAppend = "MULTIAPPEND"
    case replace = "REPLACE"
    case partial = "PARTIAL"
    case uidOnly = "UIDONLY"
    case metadata = "METADATA"
    case sort = "SORT"
    case sortDisplay = "SORT=DISPLAY"
    case extendedSort = "ESORT"
    case threadReferences = "THREAD=REFERENCES"
    case threadOrderedSubject = "THREAD=ORDEREDSUBJECT"
    case quotaStorage = "QUOTA=RES-STORAGE"
    case quotaMessages = "QUOTA=RES-MESSAGE"
    case xlist = "XLIST"
    case gmail = "X-GM-EXT-1"
}

/// What a server said it can do.
package struct IMAPCapabilities: Hashable, Sendable {
    package private(set) var known: Set<IMAPCapability> = []
    /// From `AUTH=`.
    package private(set) var mechanisms: Set<SASLClientMechanism> = []
    /// The largest message an APPEND may bring, in octets; nil where nothing was said (RFC 7889).
    package private(set) var appendLimit: UInt64?
    /// All words; of a server in capitals.
    package private(set) var words: [[UInt8]] = []

    package init() {}

    package init(_ words: [[UInt8]]) {
        for word in words { insert(word) }
    }

    /// Those that we have, by words as they are to be written.
    init(announcing words: [[UInt8]]) {
        self.init(words)
        self.words = words
    }

    private mutating func insert(_ word: [UInt8]) {
        let word = word.map(ASCII.uppercased)
        words.append(word)
        if word.starts(with: "AUTH=".utf8) {
            if let mechanism = SASLClientMechanism(name: Array(word.dropFirst(5)).span) { mechanisms.insert(mechanism) }
        } else if word.starts(with: "APPENDLIMIT=".utf8) {
            appendLimit = StrictInteger.decimal(word.dropFirst(12))
        } else if let capability = Self.byName[word] {
            known.insert(capability)
        }
    }

    private static let byName: [[UInt8]: IMAPCapability] = Dictionary(
        uniqueKeysWithValues: IMAPCapability.allCases.map { (Array($0.rawValue.utf8), $0) }
    )

    package var isEmpty: Bool { words.isEmpty }

    /// Whether it is there, by its own name or as a part of IMAP4rev2 (RFC 9051, Appendix E), or of what includes it.
    package func contains(_ capability: IMAPCapability) -> Bool {
        if known.contains(capability) { return true }
        switch capability {
        case .namespace, .unselect, .uidPlus, .esearch, .searchResult, .enable, .idle, .saslIR, .listExtended,
            .listStatus, .move, .literalMinus, .binary, .specialUse, .children, .statusSize:
            return known.contains(.imap4rev2)
        case .condStore: return known.contains(.qresync)
        case .utf8Accept: return known.contains(.utf8Only)
        default: return false
        }
    }
}

extension IMAPCursor {
    /// `capability-data = "CAPABILITY" *(SP capability)`, behind the name.
    mutating func capabilityWords() throws(IMAPSyntaxError) -> [[UInt8]] {
        var words: [[UInt8]] = []
        while !isAtEnd {
            try space()
            if isAtEnd {
                deviations.insert(.spaceAtEnd)
                break
            }
            words.append(try atom())
        }
        return words
    }
}
