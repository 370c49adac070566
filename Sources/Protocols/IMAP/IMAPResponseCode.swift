// SPDX-License-Identifier: Apache-2.0

import Wire

/// `resp-text-code` of RFC 9051 §7.1, RFC 5530 and the extensions: what a program may act on.
package enum IMAPResponseCode: Hashable, Sendable {
    case alert
    /// The charsets that are supported, where the server says.
    case badCharset([[UInt8]])
    case capability(IMAPCapabilities)
    case parse
    case permanentFlags(IMAPFlags)
    case readOnly, readWrite
    case tryCreate
    case uidNext(UInt32)
    case uidValidity(UInt32)
    case unseen(UInt32)
    case uidNotSticky
    /// RFC 4315: where messages went that were appended.
    case appendUID(validity: UInt32, uids: IMAPNumberSet)
    case copyUID(IMAPCopiedUIDs)
    /// RFC 7162.
    case highestModSeq(UInt64)
    case noModSeq
    /// Those that were not changed, because they had been since.
    case modified(IMAPNumberSet)
    case closed
    /// RFC 8474.
    case mailboxID([UInt8])
    /// RFC 5530.
    case unavailable, authenticationFailed, authorizationFailed, expired, privacyRequired, contactAdmin, noPermission
    case inUse, expungeIssued, corruption, serverBug, clientBug, cannot, limit, overQuota, alreadyExists, nonExistent
    /// RFC 9051.
    case unknownCTE, hasChildren, notSaved
    case useAttribute
    /// RFC 4978.
    case compressionActive
    case tooBig
    /// RFC 5465: the events that can be asked for.
    case badEvent([[UInt8]])
    case notificationOverflow
    /// A code that we do not know, or a known one with arguments that make no sense; its name in capitals.
    case other(name: [UInt8], arguments: [UInt8]?)

    static let plain: [(name: StaticString, code: Self)] = [
        ("ALERT", .alert), ("PARSE", .parse), ("READ-ONLY", .readOnly), ("READ-WRITE", .readWrite),
        ("TRYCREATE", .tryCreate), ("UIDNOTSTICKY", .uidNotSticky), ("NOMODSEQ", .noModSeq), ("CLOSED", .closed),
        ("UNAVAILABLE", .unavailable), ("AUTHENTICATIONFAILED", .authenticationFailed),
        ("AUTHORIZATIONFAILED", .authorizationFailed), ("EXPIRED", .expired), ("PRIVACYREQUIRED", .privacyRequired),
        ("CONTACTADMIN", .contactAdmin), ("NOPERM", .noPermission), ("INUSE", .inUse),
        ("EXPUNGEISSUED", .expungeIssued), ("CORRUPTION", .corruption), ("SERVERBUG", .serverBug),
        ("CLIENTBUG", .clientBug), ("CANNOT", .cannot), ("LIMIT", .limit), ("OVERQUOTA", .overQuota),
        ("ALREADYEXISTS", .alreadyExists), ("NONEXISTENT", .nonExistent), ("UNKNOWN-CTE", .unknownCTE),
        ("HASCHILDREN", .hasChildren), ("NOTSAVED", .notSaved), ("USEATTR", .useAttribute),
        ("COMPRESSIONACTIVE", .compressionActive), ("TOOBIG", .tooBig),
        ("NOTIFICATIONOVERFLOW", .notificationOverflow),
    ]
}

/// `resp-code-copy`: which message became which (RFC 4315 §3).
package struct IMAPCopiedUIDs: Hashable, Sendable {
    /// Of the mailbox they went to.
    package let validity: UInt32
    package let source: IMAPNumberSet
    /// As many as in `source`, in its order.
    package let destination: IMAPNumberSet

    package init?(validity: UInt32, source: IMAPNumberSet, destination: IMAPNumberSet) {
        guard source.count == destination.count else { return nil }
        self.validity = validity
        self.source = source
        self.destination = destination
    }

    /// The UID of the copy of a message; nil where it was not copied.
    package func destination(of uid: UInt32) -> UInt32? {
        source.place(of: uid).flatMap { destination.number(at: $0) }
    }
}

extension IMAPCursor {
    /// The code between the brackets.
    mutating func responseCode(_ range: Range<Int>, _ limits: IMAPLimits) -> IMAPResponseCode {
        var cursor = IMAPCursor(bytes, range)
        guard let word = try? cursor.atom() else {
            return .other(name: [], arguments: Array(bytes[range]))
        }
        let name = word.map(ASCII.uppercased)
        let behind = cursor
        if let code = try? cursor.knownCode(name, limits), cursor.isAtEnd {
            deviations.formUnion(cursor.deviations)
            return code
        }
        cursor = behind
        if Self.takesArguments.contains(where: { ASCII.equalsIgnoringCase(name, $0) })
            || IMAPResponseCode.plain.contains(where: { ASCII.equalsIgnoringCase(name, $0.name) })
        {
            deviations.insert(.badCodeArguments)
        }
        cursor.skipSpaces()
        return .other(name: name, arguments: behind.isAtEnd ? nil : cursor.rest())
    }

    private static let takesArguments: [StaticString] = [
        "BADCHARSET", "CAPABILITY", "PERMANENTFLAGS", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "APPENDUID", "COPYUID",
        "HIGHESTMODSEQ", "MODIFIED", "MAILBOXID", "BADEVENT",
    ]

    /// Nil for a code that we do not know.
    private mutating func knownCode(_ name: [UInt8], _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPResponseCode?
    {
        func named(_ text: StaticString) -> Bool { ASCII.equalsIgnoringCase(name, text) }
        if let plain = IMAPResponseCode.plain.first(where: { named($0.name) }) { return plain.code }
        if named("CAPABILITY") { return .capability(IMAPCapabilities(try capabilityWords())) }
        if named("BADCHARSET"), isAtEnd { return .badCharset([]) }
        guard Self.takesArguments.contains(where: { named($0) }) else { return nil }
        try space()
        if named("UIDVALIDITY") { return .uidValidity(try nonZero()) }
        if named("UIDNEXT") { return .uidNext(try nonZero()) }
        if named("UNSEEN") { return .unseen(try nonZero()) }
        if named("HIGHESTMODSEQ") { return .highestModSeq(try number()) }
        if named("PERMANENTFLAGS") { return .permanentFlags(try flagList()) }
        if named("MODIFIED") { return .modified(try numberSet()) }
        if named("APPENDUID") {
            let validity = try nonZero()
            try space()
            return .appendUID(validity: validity, uids: try numberSet())
        }
        if named("COPYUID") { return try copyUID() }
        let tree = try IMAPTree(&self, limits)
        if named("MAILBOXID") { return tree.texts(0).first.map { .mailboxID($0) } }
        return named("BADEVENT") ? .badEvent(tree.texts(0)) : .badCharset(tree.texts(0))
    }

    private mutating func copyUID() throws(IMAPSyntaxError) -> IMAPResponseCode? {
        let validity = try nonZero()
        try space()
        let source = try numberSet()
        try space()
        let destination = try numberSet()
        return IMAPCopiedUIDs(validity: validity, source: source, destination: destination).map { .copyUID($0) }
    }
}
