// SPDX-License-Identifier: Apache-2.0

import Wire

/// A command as a server reads it, or why it is none.
package enum IMAPParsedCommand: Sendable {
    case command(tag: [UInt8], IMAPCommand)
    /// A word that we do not know.
    case unknown(tag: [UInt8])
    /// A SEARCH in a character set other than US-ASCII and UTF-8.
    case badCharset(tag: [UInt8])
    /// The tag is nil where it cannot be made out either.
    case malformed(tag: [UInt8]?, IMAPSyntaxError)
}

extension IMAPParsedCommand {
    /// Parses a complete command without the CRLF at its end: a literal stands in it as `{n}`, LF, and its n octets, as
    /// ``IMAPCommandReader`` gives it.
    ///
    /// An APPEND, whose message is announced before it is complete, is the reader's matter.
    package init(_ octets: [UInt8], _ limits: IMAPLimits = IMAPLimits()) {
        var cursor = IMAPCursor(octets)
        cursor.isStrict = true
        let tag: [UInt8]
        do throws(IMAPSyntaxError) {
            tag = try cursor.tag()
            guard tag.count <= IMAPCommandReader.maximumTagOctets else { throw .tooMany }
        } catch {
            self = .malformed(tag: nil, error)
            return
        }
        do throws(IMAPSyntaxError) {
            try cursor.space()
            self = try cursor.command(tag, limits)
        } catch {
            self = .malformed(tag: tag, error)
        }
    }
}

extension IMAPCursor {
    /// A word of letters and digits, in capitals; empty where there is none.
    mutating func word() -> String {
        let start = index
        while let byte = next, ASCII.isAlphanumeric(byte) { index += 1 }
        return String(decoding: bytes[start..<index].map(ASCII.uppercased), as: UTF8.self)
    }

    /// The whole command behind its tag.
    fileprivate mutating func command(
        _ tag: [UInt8],
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> IMAPParsedCommand {
        let word = word()
        guard !word.isEmpty, isAtEnd || next == ASCII.space else { throw surprise }
        if let searching = try searching(word, tag, isUID: false, limits) { return searching }
        if word == "UID" { return try uidCommand(tag, limits) }
        guard let command = try command(word, limits) else { return .unknown(tag: tag) }
        try expectEnd()
        return .command(tag: tag, command)
    }

    /// `uid = "UID" SP (copy / move / fetch / search / store / uid-expunge)`.
    private mutating func uidCommand(
        _ tag: [UInt8],
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> IMAPParsedCommand {
        try space()
        let word = word()
        if let searching = try searching(word, tag, isUID: true, limits) { return searching }
        let command: IMAPCommand
        switch word {
        case "FETCH": command = .fetch(try fetchRequest(isUID: true, limits))
        case "STORE": command = .store(try storeRequest(isUID: true))
        case "COPY": command = try copy(isUID: true)
        case "MOVE": command = try move(isUID: true)
        case "EXPUNGE":
            try space()
            command = .expunge(uids: try numberSet())
        default: return .unknown(tag: tag)
        }
        try expectEnd()
        return .command(tag: tag, command)
    }

    /// SEARCH, SORT and THREAD, which name a character set; nil for another word.
    private mutating func searching(
        _ word: String,
        _ tag: [UInt8],
        isUID: Bool,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> IMAPParsedCommand? {
        let command: IMAPCommand
        let charset: String?
        switch word {
        case "SEARCH":
            let (request, named) = try searchRequest(isUID: isUID, limits)
            (command, charset) = (.search(request), named)
        case "SORT":
            let (request, named) = try sortRequest(isUID: isUID, limits)
            (command, charset) = (.sort(request), named)
        case "THREAD":
            let (request, named) = try threadRequest(isUID: isUID, limits)
            (command, charset) = (.thread(request), named)
        default: return nil
        }
        // UTF8 is no name of it, and some write that.
        if let charset, !["US-ASCII", "UTF-8", "UTF8"].contains(charset) { return .badCharset(tag: tag) }
        return .command(tag: tag, command)
    }

    /// The command of a word, its arguments behind it; nil for a word we do not know.
    private mutating func command(_ word: String, _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPCommand? {
        switch word {
        case "CAPABILITY": return .capability
        // CHECK is one more NOOP, which RFC 9051 has no more.
        case "NOOP", "CHECK": return .noop
        case "LOGOUT": return .logout
        case "STARTTLS": return .startTLS
        case "NAMESPACE": return .namespace
        case "CLOSE": return .close
        case "UNSELECT": return .unselect
        case "EXPUNGE": return .expunge(uids: nil)
        case "IDLE": return .idle
        case "LOGIN": return try login()
        case "AUTHENTICATE": return try authenticate()
        case "ENABLE": return try enable()
        case "ID": return try id()
        case "COMPRESS": return try compress()
        case "FETCH": return .fetch(try fetchRequest(isUID: false, limits))
        case "STORE": return .store(try storeRequest(isUID: false))
        case "COPY": return try copy(isUID: false)
        case "MOVE": return try move(isUID: false)
        default: return try mailboxCommand(word, limits)
        }
    }

    // MARK: Of a session

    /// `login = "LOGIN" SP userid SP password`.
    private mutating func login() throws(IMAPSyntaxError) -> IMAPCommand {
        try space()
        let user = try astring()
        try space()
        return .login(user: user, password: Secret(try astring()))
    }

    /// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]`, its base64 not yet decoded.
    private mutating func authenticate() throws(IMAPSyntaxError) -> IMAPCommand {
        try space()
        let mechanism = String(decoding: try atom().map(ASCII.uppercased), as: UTF8.self)
        guard !isAtEnd else { return .authenticate(mechanism: mechanism, initialResponse: nil) }
        try space()
        let response = try atom()
        // A single "=" is the response that is there and empty.
        if response == [ASCII.equals] { return .authenticate(mechanism: mechanism, initialResponse: []) }
        return .authenticate(mechanism: mechanism, initialResponse: response)
    }

    /// `enable = "ENABLE" 1*(SP capability)`; those that we do not know are passed over.
    private mutating func enable() throws(IMAPSyntaxError) -> IMAPCommand {
        var capabilities: [IMAPCapability] = []
        var count = 0
        repeat {
            guard count < 100 else { throw .tooMany }
            try space()
            let name = String(decoding: try atom().map(ASCII.uppercased), as: UTF8.self)
            if let known = IMAPCapability(rawValue: name), !capabilities.contains(known) { capabilities.append(known) }
            count += 1
        } while !isAtEnd
        return .enable(capabilities)
    }

    /// `id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil`, at most 30 pairs (RFC 2971 §3.3).
    private mutating func id() throws(IMAPSyntaxError) -> IMAPCommand {
        try space()
        guard !take(word: "NIL") else { return .id([]) }
        try expect(ASCII.openParenthesis)
        var pairs: [IMAPParameter] = []
        while !take(ASCII.closeParenthesis) {
            guard pairs.count < 30 else { throw .tooMany }
            let name = try string()
            try space()
            pairs.append(IMAPParameter(name: name, value: try nstring()))
            try separator(ASCII.closeParenthesis)
        }
        return .id(pairs)
    }

    /// `compress = "COMPRESS" SP "DEFLATE"`.
    private mutating func compress() throws(IMAPSyntaxError) -> IMAPCommand {
        try space()
        guard take(word: "DEFLATE") else { throw surprise }
        return .compress
    }
}
