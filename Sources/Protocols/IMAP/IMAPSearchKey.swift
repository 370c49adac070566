// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// What SEARCH looks for (`search-key` of RFC 9051 §9 and of the extensions).
package indirect enum IMAPSearchKey: Hashable, Sendable {
    case all
    /// Messages that have all of these flags, or none of them.
    case flags(SystemFlags, areSet: Bool)
    case keyword(String, isSet: Bool)
    /// Text is UTF-8, without CR, LF or NUL.
    case from([UInt8])
    case to([UInt8])
    case cc([UInt8])
    case bcc([UInt8])
    case subject([UInt8])
    case body([UInt8])
    case text([UInt8])
    case header(name: [UInt8], [UInt8])
    /// By INTERNALDATE, the day counts.
    case before(Timestamp)
    case on(Timestamp)
    case since(Timestamp)
    /// By the Date field.
    case sentBefore(Timestamp)
    case sentOn(Timestamp)
    case sentSince(Timestamp)
    /// By when it came into this mailbox (RFC 8514).
    case savedBefore(Timestamp)
    case savedOn(Timestamp)
    case savedSince(Timestamp)
    /// All messages or none.
    case saveDateSupported
    /// RFC 5032: by INTERNALDATE, at most and at least so many seconds ago.
    case younger(UInt32)
    case older(UInt32)
    case larger(UInt64)
    case smaller(UInt64)
    case uids(IMAPNumberSet)
    case sequence(IMAPNumberSet)
    /// `$` (RFC 5182).
    case saved
    /// RFC 7162: changed since then, and then.
    case modSeq(UInt64)
    /// RFC 8474.
    case emailID([UInt8])
    case threadID([UInt8])
    /// In Gmail's own language.
    case gmail([UInt8])
    case not(IMAPSearchKey)
    case or(IMAPSearchKey, IMAPSearchKey)
    /// All of them; none is `all`.
    case and([IMAPSearchKey])
}

/// One SEARCH.
package struct IMAPSearchRequest: Hashable, Sendable {
    /// `search-return-opts` (RFC 4731, RFC 9394), for servers that have ESEARCH.
    package enum Return: Hashable, Sendable {
        case minimum, maximum, count, all
        /// The hits are `$` from now on (RFC 5182).
        case save
        /// From the first or, with negative places, from the last hit: `1...500`, `-500...(-1)`.
        case partial(ClosedRange<Int32>)
    }

    package var key: IMAPSearchKey
    /// The answer has UIDs.
    package var isUID: Bool
    /// Empty for a SEARCH as RFC 3501 has it.
    package var returns: [Return]
    /// Where the texts of the key are in another charset than UTF-8: its name.
    package var charset: [UInt8]?

    package init(_ key: IMAPSearchKey, isUID: Bool = true, returns: [Return] = [], charset: [UInt8]? = nil) {
        self.charset = charset
        self.key = key
        self.isUID = isUID
        self.returns = returns
    }
}

/// One SORT (RFC 5256, RFC 5267).
package struct IMAPSortRequest: Hashable, Sendable {
    package enum Key: String, CaseIterable, Hashable, Sendable {
        case arrival = "ARRIVAL"
        case cc = "CC"
        case date = "DATE"
        case from = "FROM"
        case size = "SIZE"
        case subject = "SUBJECT"
        case to = "TO"
        /// RFC 5957.
        case displayFrom = "DISPLAYFROM"
        case displayTo = "DISPLAYTO"
    }

    package struct Criterion: Hashable, Sendable {
        package var key: Key
        package var isReverse: Bool

        package init(_ key: Key, isReverse: Bool = false) {
            self.key = key
            self.isReverse = isReverse
        }
    }

    /// The first decides; at least one.
    package var criteria: [Criterion]
    package var search: IMAPSearchRequest

    package init(_ criteria: [Criterion], _ search: IMAPSearchRequest) {
        self.criteria = criteria
        self.search = search
    }
}

/// One THREAD (RFC 5256).
package struct IMAPThreadRequest: Hashable, Sendable {
    package enum Algorithm: String, CaseIterable, Hashable, Sendable {
        case orderedSubject = "ORDEREDSUBJECT"
        case references = "REFERENCES"
    }

    package var algorithm: Algorithm
    package var search: IMAPSearchRequest

    package init(_ algorithm: Algorithm, _ search: IMAPSearchRequest) {
        self.algorithm = algorithm
        self.search = search
    }
}
