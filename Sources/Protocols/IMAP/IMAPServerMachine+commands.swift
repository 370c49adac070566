// SPDX-License-Identifier: Apache-2.0

import SASL
import Wire

/// What each command does, and when it may come.
extension IMAPServerMachine {
    private static let unknown = IMAPStatus(.bad, nil, "There is no such command")

    /// Performs a command; `input` holds what the client sent behind it.
    mutating func perform(
        _ parsed: IMAPParsedCommand,
        _ input: borrowing ByteBuffer,
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        verb = .unknown
        switch parsed {
        case .command(let tag, let command):
            verb = IMAPVerb(command)
            if let objection = objection(to: command) {
                refuse(tag, objection, &encoder)
                return nil
            }
            return perform(command, tag, input, &encoder)
        case .unknown(let tag): refuse(tag, Self.unknown, &encoder)
        case .badCharset(let tag):
            verb = .search
            let known = ["US-ASCII", "UTF-8"].map { Array($0.utf8) }
            reply(tag, IMAPStatus(.no, .badCharset(known), "There is no such character set here"), &encoder)
        case .malformed(let tag, let error): refuse(tag, .syntax(error), &encoder)
        }
        return nil
    }

    private mutating func perform(
        _ command: IMAPCommand,
        _ tag: [UInt8],
        _ input: borrowing ByteBuffer,
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        switch command {
        case .capability:
            encoder.write(.capability(capabilities))
            done(tag, &encoder)
        case .id:
            encoder.write(.id(configuration.id))
            done(tag, &encoder)
        case .noop where !isLoggedIn: done(tag, &encoder)
        case .logout:
            encoder.write(.status(IMAPStatus(.bye, nil, "Bye")))
            reply(tag, IMAPStatus(.ok, nil, "Logged out"), &encoder)
            close()
        case .startTLS: startTLS(tag, input, &encoder)
        case .login(let user, let password): return login(user, password, tag, &encoder)
        case .authenticate(let mechanism, let response): return authenticate(mechanism, response, tag, &encoder)
        case .enable(let capabilities): enable(capabilities, tag, &encoder)
        case .compress:
            reply(tag, IMAPStatus(.ok, nil, "Compression begins"), &encoder)
            state = .compression
        case .idle:
            encoder.output.append("+ idling\r\n")
            state = .idle(tag: tag)
            return .idle(true)
        case .noop, .namespace, .select, .close, .unselect, .create, .delete, .rename, .subscribe, .unsubscribe, .list,
            .status, .append, .expunge, .search, .sort, .thread, .fetch, .store, .copy, .move, .notify, .quotaRoot,
            .quota:
            prepare(command, &encoder)
            state = .deciding(.perform(tag: tag, command))
            return .perform(command, tag: tag)
        }
        return nil
    }

    /// A command that needed nobody.
    private mutating func done(_ tag: [UInt8], _ encoder: inout IMAPResponseEncoder) {
        reply(tag, IMAPStatus(.ok, nil, "Done"), &encoder)
        humour(&encoder)
    }

    private mutating func startTLS(
        _ tag: [UInt8],
        _ input: borrowing ByteBuffer,
        _ encoder: inout IMAPResponseEncoder
    ) {
        guard !session.isTLS else { return refuse(tag, IMAPStatus(.bad, nil, "TLS is in use already"), &encoder) }
        guard configuration.offersStartTLS else {
            return refuse(tag, IMAPStatus(.bad, nil, "There is no certificate"), &encoder)
        }
        // Whatever was sent in clear behind the command would otherwise be read as if it had come under TLS.
        guard input.isEmpty else {
            return bye(IMAPStatus(.bye, nil, "Nothing may follow STARTTLS before TLS is there"), &encoder)
        }
        reply(tag, IMAPStatus(.ok, nil, "Begin TLS"), &encoder)
        state = .handshake
    }

    /// `enable-data = "ENABLED" *(SP capability)`: those that it turned on.
    private mutating func enable(
        _ capabilities: [IMAPCapability],
        _ tag: [UInt8],
        _ encoder: inout IMAPResponseEncoder
    ) {
        let possible: [IMAPCapability] = [.imap4rev2, .utf8Accept, .condStore, .qresync]
        var new: [IMAPCapability] = []
        for capability in capabilities where possible.contains(capability) && offers(capability) {
            if session.enabled.insert(capability).inserted { new.append(capability) }
        }
        if session.usesQResync || session.enabled.contains(.condStore) { session.usesModSeq = true }
        encoder.write(.enabled(new.map(Self.word)))
        reply(tag, IMAPStatus(.ok, nil, "Enabled"), &encoder)
        if !new.isEmpty { notices.append(.enabled) }
    }

    /// What changes before a command is answered.
    private mutating func prepare(_ command: IMAPCommand, _ encoder: inout IMAPResponseEncoder) {
        if command.asksForModSeqs { session.usesModSeq = true }
        guard case .select = command, session.mailbox != nil else { return }
        // RFC 9051 §7.1: whatever comes from here on is of the next one.
        encoder.write(.status(IMAPStatus(.ok, .closed, "The mailbox is no longer selected")))
        deselect()
    }

    private mutating func deselect() {
        session.mailbox = nil
        session.isReadOnly = false
    }

    /// The answer to `perform`.
    package mutating func performed(_ status: IMAPStatus, _ encoder: inout IMAPResponseEncoder) {
        guard case .deciding(.perform(let tag, let command)) = state else {
            preconditionFailure("no command was to be performed")
        }
        state = .command
        if status.condition == .ok {
            switch command {
            case .select(let selection):
                session.mailbox = selection.mailbox
                session.isReadOnly = selection.isReadOnly || status.code == .readOnly
            case .close, .unselect: deselect()
            default: break
            }
        }
        if status.condition == .bad { refuse(tag, status, &encoder) } else { reply(tag, status, &encoder) }
    }

    mutating func endIdle(_ line: [UInt8], _ tag: [UInt8], _ encoder: inout IMAPResponseEncoder) {
        verb = .idle
        state = .command
        notices.append(.idle(false))
        if ASCII.equalsIgnoringCase(line, "DONE") {
            reply(tag, IMAPStatus(.ok, nil, "No longer idling"), &encoder)
        } else {
            refuse(tag, IMAPStatus(.bad, nil, "DONE was to come"), &encoder)
        }
    }

    // MARK: Whether a command may come

    private func objection(to command: IMAPCommand) -> IMAPStatus? {
        for capability in command.needed where !offers(capability) { return Self.unknown }
        switch command {
        case .capability, .noop, .logout, .id: return nil
        case .startTLS, .authenticate, .login:
            return isLoggedIn ? IMAPStatus(.bad, nil, "Somebody is logged in already") : nil
        case .close, .unselect, .expunge, .search, .sort, .thread, .fetch, .store, .copy, .move:
            guard isLoggedIn else { return Self.notBeforeLogin }
            guard session.mailbox != nil else { return IMAPStatus(.bad, nil, "Select a mailbox first") }
            if case .fetch(let request) = command, request.wantsVanished, !session.usesQResync {
                return IMAPStatus(.bad, nil, "QRESYNC is not enabled")
            }
            return command.changesMailbox && session.isReadOnly
                ? IMAPStatus(.no, .readOnly, "The mailbox was selected to be read only") : nil
        case .select(let selection):
            guard isLoggedIn else { return Self.notBeforeLogin }
            return selection.known != nil && !session.usesQResync
                ? IMAPStatus(.bad, nil, "QRESYNC is not enabled") : nil
        case .compress:
            guard isLoggedIn else { return Self.notBeforeLogin }
            return isCompressed ? IMAPStatus(.no, .compressionActive, "Compression is in use already") : nil
        case .namespace, .enable, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .status, .append, .idle,
            .notify, .quotaRoot, .quota:
            return isLoggedIn ? nil : Self.notBeforeLogin
        }
    }

    private static let notBeforeLogin = IMAPStatus(.bad, nil, "Log in first")

    // MARK: Capabilities

    /// What the machine does itself, or hands on whoever answers commands.
    private static let own: [IMAPCapability] = [
        .imap4rev1, .imap4rev2, .saslIR, .literalPlus, .id, .enable, .idle, .unselect, .compressDeflate,
    ]

    /// Whether it is announced, or a part of IMAP4rev2.
    func offers(_ capability: IMAPCapability) -> Bool {
        if Self.own.contains(capability) || configuration.capabilities.contains(capability) { return true }
        switch capability {
        case .namespace, .uidPlus, .esearch, .searchResult, .listExtended, .listStatus, .move, .literalMinus, .binary,
            .specialUse, .children, .statusSize:
            return true
        case .condStore: return configuration.capabilities.contains(.qresync)
        default: return false
        }
    }

    /// Names are as the RFCs write them.
    static func word(_ capability: IMAPCapability) -> [UInt8] {
        switch capability {
        case .imap4rev1: Array("IMAP4rev1".utf8)
        case .imap4rev2: Array("IMAP4rev2".utf8)
        default: Array(capability.rawValue.utf8)
        }
    }

    /// What holds now: passwords only where they would be taken.
    var capabilities: IMAPCapabilities {
        var words: [[UInt8]] = []
        if isLoggedIn {
            words += Self.own.filter { $0 != .compressDeflate || !isCompressed }.map(Self.word)
            words += configuration.capabilities.filter { !Self.own.contains($0) }.map(Self.word)
            words.append(Array("APPENDLIMIT=\(configuration.appendLimit)".utf8))
        } else {
            words += [.imap4rev1, .imap4rev2, .saslIR, .literalPlus, .id, .enable].map(Self.word)
            if configuration.offersStartTLS, !session.isTLS { words.append(Self.word(.startTLS)) }
            if takesPasswords {
                words += Self.mechanisms.map { Array("AUTH=\($0.rawValue)".utf8) }
            } else {
                words.append(Self.word(.loginDisabled))
            }
        }
        return IMAPCapabilities(announcing: words)
    }
}

extension IMAPCommand {
    /// What the server has to offer for it, beyond what IMAP4rev2 includes.
    fileprivate var needed: [IMAPCapability] {
        switch self {
        case .select(let selection):
            return (selection.known == nil ? [] : [.qresync]) + (selection.usesCondStore ? [.condStore] : [])
        case .create(_, let specialUse): return specialUse.isEmpty ? [] : [.createSpecialUse]
        case .status(_, let items): return Self.needed(items)
        case .list(let request): return Self.needed(request.status)
        case .search(let request): return request.needed
        case .sort(let request):
            let isDisplay = request.criteria.contains { $0.key == .displayFrom || $0.key == .displayTo }
            return request.search.needed + [.sort] + (isDisplay ? [.sortDisplay] : [])
                + (request.search.returns.isEmpty ? [] : [.extendedSort])
        case .thread(let request):
            return request.search.needed
                + [request.algorithm == .references ? .threadReferences : .threadOrderedSubject]
        case .fetch(let request):
            return request.items.flatMap(\.needed) + (request.changedSince == nil ? [] : [.condStore])
                + (request.partial == nil ? [] : [.partial])
        case .store(let request): return request.unchangedSince == nil ? [] : [.condStore]
        case .notify: return [.notify]
        case .quotaRoot, .quota: return [.quota]
        case .capability, .noop, .logout, .startTLS, .namespace, .authenticate, .login, .enable, .id, .compress, .close,
            .unselect, .delete, .rename, .subscribe, .unsubscribe, .append, .expunge, .copy, .move, .idle:
            return []
        }
    }

    private static func needed(_ items: [IMAPMailboxStatus.Item]) -> [IMAPCapability] {
        items.compactMap { item in
            switch item {
            case .highestModSeq: .condStore
            case .mailboxID: .objectID
            case .messages, .recent, .unseen, .deleted, .uidNext, .uidValidity, .size, .appendLimit: nil
            }
        }
    }

    /// A command that enables CONDSTORE (RFC 7162 §3.1).
    fileprivate var asksForModSeqs: Bool {
        switch self {
        case .select(let selection): selection.usesCondStore || selection.known != nil
        case .status(_, let items): items.contains(.highestModSeq)
        case .fetch(let request): request.changedSince != nil || request.items.contains(.modSeq)
        case .store(let request): request.unchangedSince != nil
        case .search(let request): request.key.asksForModSeqs
        case .sort(let request): request.search.key.asksForModSeqs
        default: false
        }
    }

    fileprivate var changesMailbox: Bool {
        switch self {
        case .expunge, .store, .move: true
        default: false
        }
    }
}

extension IMAPFetchRequest.Item {
    fileprivate var needed: [IMAPCapability] {
        switch self {
        case .modSeq: [.condStore]
        case .emailID, .threadID: [.objectID]
        case .saveDate: [.saveDate]
        case .preview: [.preview]
        case .gmailMessageID, .gmailThreadID, .gmailLabels: [.gmail]
        case .uid, .flags, .internalDate, .size, .envelope, .bodyStructure, .body, .binarySize, .section: []
        }
    }
}

extension IMAPSearchRequest {
    fileprivate var needed: [IMAPCapability] {
        let isPartial = returns.contains { if case .partial = $0 { true } else { false } }
        return key.leaves.flatMap(\.needed) + (isPartial ? [.partial] : [])
    }
}

extension IMAPSearchKey {
    /// The keys in it that have no others in them; without recursion.
    fileprivate var leaves: [IMAPSearchKey] {
        var found: [IMAPSearchKey] = []
        var rest = [self]
        while let key = rest.popLast() {
            switch key {
            case .not(let inner): rest.append(inner)
            case .or(let one, let other): rest += [one, other]
            case .and(let keys): rest += keys
            default: found.append(key)
            }
        }
        return found
    }

    fileprivate var asksForModSeqs: Bool {
        leaves.contains { if case .modSeq = $0 { true } else { false } }
    }

    fileprivate var needed: [IMAPCapability] {
        switch self {
        case .modSeq: [.condStore]
        case .younger, .older: [.within]
        case .savedBefore, .savedOn, .savedSince, .saveDateSupported: [.saveDate]
        case .emailID, .threadID: [.objectID]
        case .gmail: [.gmail]
        default: []
        }
    }
}
