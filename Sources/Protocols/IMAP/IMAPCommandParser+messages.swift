// SPDX-License-Identifier: Apache-2.0

import Wire

/// FETCH, STORE, COPY and MOVE, as a server reads them.
extension IMAPCursor {
    /// A space and the messages that are meant.
    mutating func messages(isUID: Bool) throws(IMAPSyntaxError) -> IMAPMessages {
        try space()
        if take(IMAPGrammar.dollar) { return .saved(isUID: isUID) }
        let set = try numberSet()
        return isUID ? .uids(set) : .sequence(set)
    }

    /// `copy = "COPY" SP sequence-set SP mailbox`.
    mutating func copy(isUID: Bool) throws(IMAPSyntaxError) -> IMAPCommand {
        let messages = try messages(isUID: isUID)
        return .copy(messages, to: try namedMailbox())
    }

    /// `move = "MOVE" SP sequence-set SP mailbox` (RFC 6851).
    mutating func move(isUID: Bool) throws(IMAPSyntaxError) -> IMAPCommand {
        let messages = try messages(isUID: isUID)
        return .move(messages, to: try namedMailbox())
    }

    // MARK: FETCH

    /// ```
    /// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
    ///         [SP "(" fetch-modifier *(SP fetch-modifier) ")"]
    /// fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / "PARTIAL" SP partial-range
    /// ```
    mutating func fetchRequest(isUID: Bool, _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPFetchRequest {
        var request = IMAPFetchRequest(try messages(isUID: isUID), [])
        try space()
        if next == ASCII.openParenthesis {
            request.items = try fetchItems(limits)
        } else if let items = macro() {
            request.items = items
        } else {
            request.items = [try fetchItem(limits)]
        }
        guard !isAtEnd else { return request }
        try space()
        try fetchModifiers(&request)
        return request
    }

    /// `"(" fetch-att *(SP fetch-att) ")"`.
    mutating func fetchItems(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> [IMAPFetchRequest.Item] {
        var items: [IMAPFetchRequest.Item] = []
        try expect(ASCII.openParenthesis)
        repeat {
            guard items.count < 1000 else { throw .tooMany }
            items.append(try fetchItem(limits))
            try separator(ASCII.closeParenthesis)
        } while !take(ASCII.closeParenthesis)
        return items
    }

    private mutating func macro() -> [IMAPFetchRequest.Item]? {
        if take(word: "ALL") { return [.flags, .internalDate, .size, .envelope] }
        if take(word: "FAST") { return [.flags, .internalDate, .size] }
        if take(word: "FULL") { return [.flags, .internalDate, .size, .envelope, .body] }
        return nil
    }

    private mutating func fetchModifiers(_ request: inout IMAPFetchRequest) throws(IMAPSyntaxError) {
        try expect(ASCII.openParenthesis)
        repeat {
            switch word() {
            case "CHANGEDSINCE":
                try space()
                request.changedSince = try number()
            case "VANISHED": request.wantsVanished = true
            case "PARTIAL":
                try space()
                request.partial = try partialRange()
            default: throw surprise
            }
            try separator(ASCII.closeParenthesis)
        } while !take(ASCII.closeParenthesis)
        // What is gone is told by UID, and of what changed since then (RFC 7162 §3.2.6).
        guard !request.wantsVanished || request.changedSince != nil && request.messages.isUID else { throw surprise }
    }

    private mutating func fetchItem(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPFetchRequest.Item {
        let start = index
        while let byte = next, ASCII.isAlphanumeric(byte) || byte == ASCII.dot { index += 1 }
        switch String(decoding: bytes[start..<index].map(ASCII.uppercased), as: UTF8.self) {
        case "UID": return .uid
        case "FLAGS": return .flags
        case "INTERNALDATE": return .internalDate
        case "RFC822.SIZE": return .size
        case "ENVELOPE": return .envelope
        case "BODYSTRUCTURE": return .bodyStructure
        case "MODSEQ": return .modSeq
        case "EMAILID": return .emailID
        case "THREADID": return .threadID
        case "SAVEDATE": return .saveDate
        case "PREVIEW": return try preview()
        case "RFC822": return .section(IMAPSection(.rfc822), setsSeen: true)
        case "RFC822.HEADER": return .section(IMAPSection(.rfc822Header))
        case "RFC822.TEXT": return .section(IMAPSection(.rfc822Text), setsSeen: true)
        case "BODY": return next == ASCII.openBracket ? try requested(.body, setsSeen: true, limits) : .body
        case "BODY.PEEK": return try requested(.body, setsSeen: false, limits)
        case "BINARY": return try requested(.binary, setsSeen: true, limits)
        case "BINARY.PEEK": return try requested(.binary, setsSeen: false, limits)
        case "BINARY.SIZE":
            let section = try bracketedSection(.binary, limits)
            guard section.text == .all else { throw surprise }
            return .binarySize(section.part)
        default:
            index = start
            throw surprise
        }
    }

    /// LAZY is for servers that would have to make it first (RFC 8970 §3.1).
    private mutating func preview() throws(IMAPSyntaxError) -> IMAPFetchRequest.Item {
        guard next == ASCII.space, next(1) == ASCII.openParenthesis else { return .preview }
        index += 2
        guard take(word: "LAZY"), take(ASCII.closeParenthesis) else { throw surprise }
        return .preview
    }

    /// `section ["<" number "." nz-number ">"]`.
    private mutating func requested(
        _ item: IMAPSection.Item,
        setsSeen: Bool,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> IMAPFetchRequest.Item {
        var section = try bracketedSection(item, limits)
        switch section.text {
        case .headerFields(let names), .headerFieldsNot(let names): guard !names.isEmpty else { throw surprise }
        case .all, .header, .text, .mime: break
        }
        // `MIME` is of a part, and `section-binary` of nothing else.
        guard section.text != .mime || !section.part.isEmpty, section.text == .all || item == .body else {
            throw surprise
        }
        guard take(ASCII.less) else { return .section(section, setsSeen: setsSeen) }
        section.origin = try number()
        try expect(ASCII.dot)
        let length = try nonZero()
        try expect(ASCII.greater)
        return .section(section, length: length, setsSeen: setsSeen)
    }

    // MARK: STORE

    /// ```
    /// store           = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags
    /// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
    /// ```
    mutating func storeRequest(isUID: Bool) throws(IMAPSyntaxError) -> IMAPStoreRequest {
        var request = IMAPStoreRequest(try messages(isUID: isUID), .replace, IMAPFlags())
        try space()
        if take(ASCII.openParenthesis) {
            guard take(word: "UNCHANGEDSINCE") else { throw surprise }
            try space()
            request.unchangedSince = try number()
            try expect(ASCII.closeParenthesis)
            try space()
        }
        if take(ASCII.plus) {
            request.operation = .add
        } else if take(ASCII.hyphen) {
            request.operation = .remove
        }
        request.isSilent = take(word: "FLAGS.SILENT")
        guard request.isSilent || take(word: "FLAGS") else { throw surprise }
        try space()
        if next == ASCII.openParenthesis {
            request.flags = try flagList()
            return request
        }
        var count = 0
        repeat {
            guard count < 1000 else { throw .tooMany }
            request.flags.insert(try flag())
            count += 1
        } while take(ASCII.space)
        return request
    }
}
