// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

extension IMAPClientCommandEncoder {
    mutating func write(_ command: IMAPCommand) throws(IMAPClientCommandError) {
        switch command {
        case .capability: write("CAPABILITY")
        case .noop: write("NOOP")
        case .logout: write("LOGOUT")
        case .startTLS: write("STARTTLS")
        case .namespace: write("NAMESPACE")
        case .compress: write("COMPRESS DEFLATE")
        case .close: write("CLOSE")
        case .unselect: write("UNSELECT")
        case .idle: write("IDLE")
        case .authenticate(let mechanism, let response): try authenticate(mechanism, response)
        case .login(let user, let password): try login(user, password)
        case .enable(let capabilities):
            write("ENABLE")
            for capability in capabilities {
                space()
                try write(atom: capability.rawValue)
            }
        case .id(let parameters): try id(parameters)
        case .select(let selection): try select(selection)
        case .create(let mailbox, let specialUse): try create(mailbox, specialUse)
        case .delete(let mailbox): try write("DELETE ", mailbox)
        case .rename(let mailbox, let name):
            try write("RENAME ", mailbox)
            try write(" ", name)
        case .subscribe(let mailbox): try write("SUBSCRIBE ", mailbox)
        case .unsubscribe(let mailbox): try write("UNSUBSCRIBE ", mailbox)
        case .list(let request): try list(request)
        case .status(let mailbox, let items):
            try write("STATUS ", mailbox)
            space()
            try status(items)
        case .append(let append): try self.append(append)
        case .expunge(let uids):
            guard let uids else { return write("EXPUNGE") }
            write("UID EXPUNGE ")
            try write(uids)
        case .search(let request): try search(request)
        case .sort(let request): try sort(request)
        case .thread(let request): try thread(request)
        case .fetch(let request): try fetch(request)
        case .store(let request): try store(request)
        case .copy(let messages, let mailbox): try transfer("COPY ", messages, mailbox)
        case .move(let messages, let mailbox): try transfer("MOVE ", messages, mailbox)
        case .notify(let request): try notify(request)
        case .quotaRoot(let mailbox): try write("GETQUOTAROOT ", mailbox)
        case .quota(let root):
            write("GETQUOTA ")
            try write(astring: root)
        }
    }

    private mutating func write(_ verb: StaticString, _ mailbox: IMAPMailboxName) throws(IMAPClientCommandError) {
        write(verb)
        try write(mailbox)
    }

    // MARK: Logging in

    /// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)`.
    private mutating func authenticate(_ mechanism: String, _ response: [UInt8]?) throws(IMAPClientCommandError) {
        write("AUTHENTICATE ")
        try write(atom: mechanism)
        guard let response else { return }
        space()
        // A single "=" is the response that is there and empty (RFC 4959 §3).
        if response.isEmpty { write("=") } else { write(raw: response) }
    }

    private mutating func login(_ user: [UInt8], _ password: Secret) throws(IMAPClientCommandError) {
        write("LOGIN ")
        try write(string: user)
        space()
        let octets = password.withOctets { $0 }
        try write(string: octets)
    }

    /// `id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil` (RFC 2971).
    private mutating func id(_ parameters: [IMAPParameter]) throws(IMAPClientCommandError) {
        write("ID ")
        guard !parameters.isEmpty else { return write("NIL") }
        try list(parameters) { encoder, parameter throws(IMAPClientCommandError) in
            try encoder.write(string: parameter.name)
            encoder.space()
            if let value = parameter.value { try encoder.write(string: value) } else { encoder.write("NIL") }
        }
    }

    // MARK: Mailboxes

    /// ```
    /// select-param-qresync = "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
    /// ```
    private mutating func select(_ selection: IMAPSelection) throws(IMAPClientCommandError) {
        try write(selection.isReadOnly ? "EXAMINE " : "SELECT ", selection.mailbox)
        if let known = selection.known {
            write(" (QRESYNC (")
            write(UInt64(known.uidValidity))
            space()
            write(known.modSeq)
            if let uids = known.uids {
                space()
                try write(uids)
            }
            write("))")
        } else if selection.usesCondStore {
            write(" (CONDSTORE)")
        }
    }

    private mutating func create(
        _ mailbox: IMAPMailboxName,
        _ specialUse: IMAPListEntry.Attributes
    ) throws(IMAPClientCommandError) {
        try write("CREATE ", mailbox)
        let uses: IMAPListEntry.Attributes = [.all, .archive, .drafts, .flagged, .junk, .sent, .trash, .important]
        let words = IMAPListEntry.Attributes.words.prefix(17).filter {
            specialUse.intersection(uses).contains($0.1)
        }
        guard !words.isEmpty else { return }
        write(" (USE ")
        try list(words.map(\.0)) { encoder, word throws(IMAPClientCommandError) in encoder.write(word) }
        close()
    }

    /// ```
    /// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
    /// ```
    private mutating func list(_ request: IMAPListRequest) throws(IMAPClientCommandError) {
        guard let first = request.patterns.first else { throw .unencodable }
        switch request.verb {
        case .list: write("LIST ")
        case .lsub: write("LSUB ")
        case .xlist: write("XLIST ")
        }
        if !request.selections.isEmpty {
            try list(request.selections) { encoder, selection throws(IMAPClientCommandError) in
                try encoder.write(atom: selection.rawValue)
            }
            space()
        }
        try write(string: request.reference)
        space()
        if request.patterns.count == 1 {
            try write(pattern: first)
        } else {
            try list(request.patterns) { encoder, pattern throws(IMAPClientCommandError) in
                try encoder.write(pattern: pattern)
            }
        }
        guard !request.returns.isEmpty || !request.status.isEmpty else { return }
        write(" RETURN (")
        for (index, item) in request.returns.enumerated() {
            if index > 0 { space() }
            try write(atom: item.rawValue)
        }
        if !request.status.isEmpty {
            write(request.returns.isEmpty ? "STATUS " : " STATUS ")
            try status(request.status)
        }
        close()
    }

    private mutating func status(_ items: [IMAPMailboxStatus.Item]) throws(IMAPClientCommandError) {
        guard !items.isEmpty else { throw .unencodable }
        try list(items) { encoder, item throws(IMAPClientCommandError) in try encoder.write(atom: item.rawValue) }
    }

    /// ```
    /// append         = "APPEND" SP mailbox SP append-message
    /// append-message = [SP flag-list] [SP date-time] SP append-data
    /// ```
    private mutating func append(_ append: IMAPAppend) throws(IMAPClientCommandError) {
        try write("APPEND ", append.mailbox)
        space()
        if append.flags.flags != MessageFlags() {
            write(append.flags)
            space()
        }
        if let date = append.internalDate {
            write(date)
            space()
        }
        suppliedLiteral(append.octets, isUTF8: append.isUTF8, isBinary: append.isBinary)
    }

    // MARK: Messages

    private mutating func write(_ verb: StaticString, _ messages: IMAPMessages) throws(IMAPClientCommandError) {
        if messages.isUID { write("UID ") }
        write(verb)
        switch messages {
        case .uids(let set), .sequence(let set): try write(set)
        case .saved: write("$")
        }
    }

    private mutating func transfer(
        _ verb: StaticString,
        _ messages: IMAPMessages,
        _ mailbox: IMAPMailboxName
    ) throws(IMAPClientCommandError) {
        try write(verb, messages)
        space()
        try write(mailbox)
    }

    private mutating func fetch(_ request: IMAPFetchRequest) throws(IMAPClientCommandError) {
        guard !request.items.isEmpty else { throw .unencodable }
        try write("FETCH ", request.messages)
        space()
        try list(request.items) { encoder, item throws(IMAPClientCommandError) in try encoder.write(item) }
        guard request.changedSince != nil || request.partial != nil else { return }
        write(" (")
        if let changedSince = request.changedSince {
            write("CHANGEDSINCE ")
            write(changedSince)
            if request.wantsVanished { write(" VANISHED") }
            if request.partial != nil { space() }
        }
        if let partial = request.partial { try write(partial: partial) }
        close()
    }

    mutating func write(_ item: IMAPFetchRequest.Item) throws(IMAPClientCommandError) {
        switch item {
        case .uid: write("UID")
        case .flags: write("FLAGS")
        case .internalDate: write("INTERNALDATE")
        case .size: write("RFC822.SIZE")
        case .envelope: write("ENVELOPE")
        case .bodyStructure: write("BODYSTRUCTURE")
        case .body: write("BODY")
        case .modSeq: write("MODSEQ")
        case .emailID: write("EMAILID")
        case .threadID: write("THREADID")
        case .saveDate: write("SAVEDATE")
        case .preview: write("PREVIEW")
        case .gmailMessageID: write("X-GM-MSGID")
        case .gmailThreadID: write("X-GM-THRID")
        case .gmailLabels: write("X-GM-LABELS")
        case .binarySize(let part):
            write("BINARY.SIZE")
            write(IMAPSection(.binary, part: part))
        case .section(let section, let length, let setsSeen): try write(section, length, setsSeen)
        }
    }

    private mutating func write(
        _ section: IMAPSection,
        _ length: UInt32?,
        _ setsSeen: Bool
    ) throws(IMAPClientCommandError) {
        switch section.item {
        case .body: write(setsSeen ? "BODY" : "BODY.PEEK")
        case .binary: write(setsSeen ? "BINARY" : "BINARY.PEEK")
        case .rfc822: return write("RFC822")
        case .rfc822Header: return write("RFC822.HEADER")
        case .rfc822Text: return write("RFC822.TEXT")
        }
        if case .headerFields(let names) = section.text { try check(fields: names) }
        if case .headerFieldsNot(let names) = section.text { try check(fields: names) }
        write(section)
        guard section.origin != nil || length != nil else { return }
        write("<")
        write(section.origin ?? 0)
        write(".")
        write(UInt64(max(1, length ?? .max)))
        write(">")
    }

    /// Names of header fields stand as atoms.
    private func check(fields names: [[UInt8]]) throws(IMAPClientCommandError) {
        guard !names.isEmpty, names.allSatisfy({ !$0.isEmpty && $0.allSatisfy(IMAPGrammar.isStrictAtom) }) else {
            throw .unencodable
        }
    }

    /// ```
    /// store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags
    /// ```
    private mutating func store(_ request: IMAPStoreRequest) throws(IMAPClientCommandError) {
        try write("STORE ", request.messages)
        if let modSeq = request.unchangedSince {
            write(" (UNCHANGEDSINCE ")
            write(modSeq)
            close()
        }
        switch request.operation {
        case .replace: write(" FLAGS")
        case .add: write(" +FLAGS")
        case .remove: write(" -FLAGS")
        }
        write(request.isSilent ? ".SILENT " : " ")
        write(request.flags)
    }

    // MARK: SEARCH

    /// ```
    /// search         = "SEARCH" [search-return-opts] SP search-program
    /// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
    /// ```
    private mutating func search(_ request: IMAPSearchRequest) throws(IMAPClientCommandError) {
        write(request.isUID ? "UID SEARCH " : "SEARCH ")
        if !request.returns.isEmpty {
            write("RETURN ")
            try list(request.returns) { encoder, item throws(IMAPClientCommandError) in
                switch item {
                case .minimum: encoder.write("MIN")
                case .maximum: encoder.write("MAX")
                case .count: encoder.write("COUNT")
                case .all: encoder.write("ALL")
                case .save: encoder.write("SAVE")
                case .partial(let range): try encoder.write(partial: range)
                }
            }
            space()
        }
        if let charset = request.charset {
            write("CHARSET ")
            try write(astring: charset)
            space()
        } else if request.key.needsCharset, !takesUTF8 {
            write("CHARSET UTF-8 ")
        }
        try write(request.key)
    }

    /// `sort = "SORT" SP "(" sort-criteria ")" SP charset 1*(SP search-key)` (RFC 5256 §5).
    private mutating func sort(_ request: IMAPSortRequest) throws(IMAPClientCommandError) {
        guard !request.criteria.isEmpty else { throw .unencodable }
        write(request.search.isUID ? "UID SORT " : "SORT ")
        try list(request.criteria) { encoder, criterion throws(IMAPClientCommandError) in
            if criterion.isReverse { encoder.write("REVERSE ") }
            try encoder.write(atom: criterion.key.rawValue)
        }
        write(" UTF-8 ")
        try write(request.search.key)
    }

    /// `thread = "THREAD" SP thread-alg SP charset 1*(SP search-key)`.
    private mutating func thread(_ request: IMAPThreadRequest) throws(IMAPClientCommandError) {
        write(request.search.isUID ? "UID THREAD " : "THREAD ")
        try write(atom: request.algorithm.rawValue)
        write(" UTF-8 ")
        try write(request.search.key)
    }

    /// `partial-range = nz-number ":" nz-number / "-" nz-number ":-" nz-number` (RFC 9394).
    private mutating func write(partial range: ClosedRange<Int32>) throws(IMAPClientCommandError) {
        guard range.lowerBound > 0 || range.upperBound < 0 else { throw .unencodable }
        let isFromEnd = range.upperBound < 0
        write(isFromEnd ? "PARTIAL -" : "PARTIAL ")
        write(UInt64((isFromEnd ? range.upperBound : range.lowerBound).magnitude))
        write(isFromEnd ? ":-" : ":")
        write(UInt64((isFromEnd ? range.lowerBound : range.upperBound).magnitude))
    }

    /// A key within others, or what stands between and behind them.
    private enum SearchWork {
        case key(IMAPSearchKey)
        case space, close
    }

    /// Without recursion, however deep the keys are in each other.
    private mutating func write(_ key: IMAPSearchKey) throws(IMAPClientCommandError) {
        var work = [SearchWork.key(key)]
        while let next = work.popLast() {
            switch next {
            case .space: space()
            case .close: close()
            case .key(.not(let inner)):
                write("NOT ")
                work.append(.key(inner))
            case .key(.or(let one, let other)):
                write("OR ")
                work += [.key(other), .space, .key(one)]
            case .key(.and(let keys)) where !keys.isEmpty:
                open()
                work.append(.close)
                for (index, key) in keys.enumerated().reversed() {
                    work.append(.key(key))
                    if index > 0 { work.append(.space) }
                }
            case .key(let key): try write(leaf: key)
            }
        }
    }

    private mutating func write(leaf key: IMAPSearchKey) throws(IMAPClientCommandError) {
        switch key {
        case .all, .and, .not, .or: write("ALL")
        case .flags(let flags, let areSet): write(flags, areSet)
        case .keyword(let keyword, let isSet):
            guard MessageFlags.isKeyword(keyword) else { throw .unencodable }
            write(isSet ? "KEYWORD " : "UNKEYWORD ")
            try write(atom: keyword)
        case .from(let text): try write("FROM ", text)
        case .to(let text): try write("TO ", text)
        case .cc(let text): try write("CC ", text)
        case .bcc(let text): try write("BCC ", text)
        case .subject(let text): try write("SUBJECT ", text)
        case .body(let text): try write("BODY ", text)
        case .text(let text): try write("TEXT ", text)
        case .header(let name, let text):
            write("HEADER ")
            try write(astring: name)
            try write(" ", text)
        case .before(let day): write("BEFORE ", day)
        case .on(let day): write("ON ", day)
        case .since(let day): write("SINCE ", day)
        case .sentBefore(let day): write("SENTBEFORE ", day)
        case .sentOn(let day): write("SENTON ", day)
        case .sentSince(let day): write("SENTSINCE ", day)
        case .savedBefore(let day): write("SAVEDBEFORE ", day)
        case .savedOn(let day): write("SAVEDON ", day)
        case .savedSince(let day): write("SAVEDSINCE ", day)
        case .saveDateSupported: write("SAVEDATESUPPORTED")
        case .younger(let seconds): write("YOUNGER ", UInt64(seconds))
        case .older(let seconds): write("OLDER ", UInt64(seconds))
        case .saved: write("$")
        case .larger(let octets): write("LARGER ", octets)
        case .smaller(let octets): write("SMALLER ", octets)
        case .uids(let set):
            write("UID ")
            try write(set)
        case .sequence(let set): try write(set)
        case .modSeq(let modSeq): write("MODSEQ ", modSeq)
        case .emailID(let id): try write("EMAILID ", objectID: id)
        case .threadID(let id): try write("THREADID ", objectID: id)
        case .gmail(let text): try write("X-GM-RAW ", text)
        }
    }

    private mutating func write(_ flags: SystemFlags, _ areSet: Bool) {
        let words: [(SystemFlags, StaticString, StaticString)] = [
            (.seen, "SEEN", "UNSEEN"), (.answered, "ANSWERED", "UNANSWERED"), (.flagged, "FLAGGED", "UNFLAGGED"),
            (.draft, "DRAFT", "UNDRAFT"), (.deleted, "DELETED", "UNDELETED"),
        ]
        let wanted = words.filter { flags.contains($0.0) }
        if wanted.count != 1 { open() }
        if wanted.isEmpty { write("ALL") }
        for (index, word) in wanted.enumerated() {
            if index > 0 { space() }
            write(areSet ? word.1 : word.2)
        }
        if wanted.count != 1 { close() }
    }

    private mutating func write(_ name: StaticString, _ text: [UInt8]) throws(IMAPClientCommandError) {
        write(name)
        try write(string: text)
    }

    /// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474).
    private mutating func write(_ name: StaticString, objectID: [UInt8]) throws(IMAPClientCommandError) {
        let isOne = objectID.allSatisfy {
            ASCII.isAlphanumeric($0) || $0 == ASCII.underscore || $0 == ASCII.hyphen
        }
        guard (1...255).contains(objectID.count), isOne else { throw .unencodable }
        write(name)
        write(raw: objectID)
    }

    private mutating func write(_ name: StaticString, _ day: Timestamp) {
        write(name)
        write(day: day)
    }

    private mutating func write(_ name: StaticString, _ number: UInt64) {
        write(name)
        write(number)
    }

    // MARK: NOTIFY

    /// ```
    /// notify    = "NOTIFY" SP (notify-set / notify-none)
    /// notify-set = "SET" [SP "STATUS"] SP event-groups
    /// event-group = "(" filter-mailboxes SP events ")"
    /// ```
    private mutating func notify(_ request: IMAPNotifyRequest?) throws(IMAPClientCommandError) {
        guard let request else { return write("NOTIFY NONE") }
        guard !request.groups.isEmpty else { throw .unencodable }
        write(request.wantsStatus ? "NOTIFY SET STATUS" : "NOTIFY SET")
        for group in request.groups {
            write(" (")
            try write(group.mailboxes)
            space()
            try write(group)
            close()
        }
    }

    private mutating func write(_ mailboxes: IMAPNotifyRequest.Mailboxes) throws(IMAPClientCommandError) {
        switch mailboxes {
        case .selected: write("SELECTED")
        case .selectedDelayed: write("SELECTED-DELAYED")
        case .inboxes: write("INBOXES")
        case .personal: write("PERSONAL")
        case .subscribed: write("SUBSCRIBED")
        case .subtree(let names):
            write("SUBTREE ")
            try write(names)
        case .mailboxes(let names):
            write("MAILBOXES ")
            try write(names)
        }
    }

    private mutating func write(_ names: [IMAPMailboxName]) throws(IMAPClientCommandError) {
        guard !names.isEmpty else { throw .unencodable }
        try list(names) { encoder, name throws(IMAPClientCommandError) in try encoder.write(name) }
    }

    private mutating func write(_ group: IMAPNotifyRequest.Group) throws(IMAPClientCommandError) {
        guard !group.events.isEmpty else { return write("NONE") }
        try list(group.events) { encoder, event throws(IMAPClientCommandError) in
            try encoder.write(atom: event.rawValue)
            guard event == .messageNew, !group.newMessageItems.isEmpty else { return }
            encoder.space()
            try encoder.list(group.newMessageItems) { encoder, item throws(IMAPClientCommandError) in
                try encoder.write(item)
            }
        }
    }
}

extension IMAPSearchKey {
    /// Whether there is text beyond ASCII in it.
    fileprivate var needsCharset: Bool {
        var rest = [self]
        while let key = rest.popLast() {
            switch key {
            case .not(let inner): rest.append(inner)
            case .or(let one, let other): rest += [one, other]
            case .and(let keys): rest += keys
            case .from(let text), .to(let text), .cc(let text), .bcc(let text), .subject(let text), .body(let text),
                .text(let text), .header(_, let text), .gmail(let text):
                if text.contains(where: { $0 >= 0x80 }) { return true }
            case .all, .flags, .keyword, .before, .on, .since, .sentBefore, .sentOn, .sentSince, .savedBefore, .savedOn,
                .savedSince, .saveDateSupported, .younger, .older, .larger, .smaller, .uids, .sequence, .saved, .modSeq,
                .emailID, .threadID:
                break
            }
        }
        return false
    }
}
