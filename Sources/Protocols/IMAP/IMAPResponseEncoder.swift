// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Responses on the wire (RFC 9051 §7, §9).
///
/// A string goes in quotation marks where all its octets allow that, and as a literal otherwise. What no response can carry is
/// changed: NUL becomes 0x80, and a line's end in a status' text a blank.
package struct IMAPResponseEncoder: ~Copyable {
    /// What was written and not yet sent.
    package var output = ByteBuffer()
    /// UTF8=ACCEPT or IMAP4rev2 was enabled: quoted strings may be UTF-8.
    package var isUTF8 = false
    /// An item of the FETCH was written already.
    var isBehindItem = false

    package init() {}

    /// One response, whole, apart from FETCH.
    package mutating func write(_ response: IMAPResponse) {
        switch response {
        case .continuation(let text):
            write("+ ")
            output.append(text)
        case .tagged(let tag, let status):
            output.append(tag)
            space()
            write(status)
        default:
            write("* ")
            untagged(response)
        }
        output.appendLineEnd()
    }

    private mutating func untagged(_ response: IMAPResponse) {
        switch response {
        case .status(let status): write(status)
        case .capability(let capabilities):
            write("CAPABILITY")
            words(capabilities.words)
        case .enabled(let names):
            write("ENABLED")
            words(names)
        case .list(let entry): write(entry)
        case .mailboxStatus(let status): write(status)
        case .flags(let flags):
            write("FLAGS ")
            write(flags)
        case .exists(let number): write(number, "EXISTS")
        case .recent(let number): write(number, "RECENT")
        case .expunge(let number): write(number, "EXPUNGE")
        case .vanished(let uids, let isEarlier):
            write(isEarlier ? "VANISHED (EARLIER) " : "VANISHED ")
            write(uids)
        case .search(let numbers, let modSeq): search("SEARCH", numbers, modSeq)
        case .sort(let numbers, let modSeq): search("SORT", numbers, modSeq)
        case .extendedSearch(let search): write(search)
        case .thread(let thread): write(thread)
        case .namespace(let namespaces): write(namespaces)
        case .id(let parameters):
            write("ID ")
            write(parameters)
        case .quota(let quota): write(quota)
        case .quotaRoots(let mailbox, let roots):
            write("QUOTAROOT ")
            write(mailbox)
            for root in roots {
                space()
                write(astring: root)
            }
        case .unknown(let name, let number):
            if let number {
                write(UInt64(number))
                space()
            }
            output.append(name)
        case .continuation, .tagged: break
        }
    }

    // MARK: Words and strings

    mutating func write(_ text: StaticString) { output.append(text) }
    mutating func space() { output.append(ASCII.space) }
    mutating func write(_ number: UInt64) { output.append(decimal: number) }
    mutating func write(_ set: IMAPNumberSet) { set.append(to: &output) }
    mutating func open() { output.append(ASCII.openParenthesis) }
    mutating func close() { output.append(ASCII.closeParenthesis) }

    private mutating func write(_ number: UInt32, _ name: StaticString) {
        write(UInt64(number))
        space()
        write(name)
    }

    private mutating func words(_ words: [[UInt8]]) {
        for word in words {
            space()
            output.append(word)
        }
    }

    /// Longer ones go as literals, whose ends need not be looked for.
    private static let maximumQuotedOctets = 1000

    /// Whether the octets can stand in quotation marks.
    private func isQuotable(_ octets: [UInt8]) -> Bool {
        guard octets.count <= Self.maximumQuotedOctets else { return false }
        var isASCII = true
        for byte in octets {
            guard byte >= 0x20, byte != ASCII.delete else { return false }
            if byte >= 0x80 { isASCII = false }
        }
        return isASCII || isUTF8 && octets.span.utf8String() != nil
    }

    mutating func write(string octets: [UInt8]) {
        guard isQuotable(octets) else { return literal(octets) }
        output.append(ASCII.quote)
        for byte in octets {
            if byte == ASCII.quote || byte == ASCII.backslash { output.append(ASCII.backslash) }
            output.append(byte)
        }
        output.append(ASCII.quote)
    }

    private mutating func literal(_ octets: [UInt8]) {
        literalHead(UInt64(octets.count), isBinary: false)
        output.append(octets.contains(ASCII.nul) ? octets.map { $0 == ASCII.nul ? 0x80 : $0 } : octets)
    }

    mutating func literalHead(_ octets: UInt64, isBinary: Bool) {
        write(isBinary ? "~{" : "{")
        write(octets)
        write("}\r\n")
    }

    /// `astring`, an atom only where it is one beyond doubt.
    mutating func write(astring octets: [UInt8]) {
        if !octets.isEmpty, octets.count <= 255, octets.allSatisfy(IMAPGrammar.isStrictAtom),
            !ASCII.equalsIgnoringCase(octets, "NIL")
        {
            output.append(octets)
        } else {
            write(string: octets)
        }
    }

    mutating func write(nstring octets: [UInt8]?) {
        if let octets { write(string: octets) } else { write("NIL") }
    }

    mutating func write(_ mailbox: IMAPMailboxName) { write(astring: mailbox.octets) }

    /// `flag-list`; what is no flag is left out.
    mutating func write(_ flags: IMAPFlags) { flags.append(to: &output, withOthers: true) }

    mutating func write(_ parameters: [IMAPParameter]) {
        guard !parameters.isEmpty else { return write("NIL") }
        open()
        for (index, parameter) in parameters.enumerated() {
            if index > 0 { space() }
            write(string: parameter.name)
            space()
            write(nstring: parameter.value)
        }
        close()
    }

    // MARK: Status

    private mutating func write(_ status: IMAPStatus) {
        output.append(utf8: status.condition.rawValue)
        space()
        if let code = status.code {
            output.append(ASCII.openBracket)
            write(code)
            write("] ")
        }
        text(status.text)
    }

    /// `text = 1*TEXT-CHAR`, which does not begin as a code does.
    private mutating func text(_ text: String) {
        guard !text.isEmpty else { return write("-") }
        var isFirst = true
        for byte in text.utf8 {
            switch byte {
            case 0..<0x20, ASCII.delete: space()
            case 0x80... where !isUTF8: output.append(ASCII.question)
            case ASCII.openBracket where isFirst: open()
            default: output.append(byte)
            }
            isFirst = false
        }
    }

    private mutating func write(_ code: IMAPResponseCode) {
        if let plain = IMAPResponseCode.plain.first(where: { $0.code == code }) { return write(plain.name) }
        switch code {
        case .badCharset(let charsets): listed("BADCHARSET", charsets)
        case .badEvent(let events): listed("BADEVENT", events)
        case .capability(let capabilities):
            write("CAPABILITY")
            words(capabilities.words)
        case .permanentFlags(let flags):
            write("PERMANENTFLAGS ")
            write(flags)
        case .uidNext(let uid): write("UIDNEXT ", UInt64(uid))
        case .uidValidity(let validity): write("UIDVALIDITY ", UInt64(validity))
        case .unseen(let number): write("UNSEEN ", UInt64(number))
        case .highestModSeq(let modSeq): write("HIGHESTMODSEQ ", modSeq)
        case .modified(let set):
            write("MODIFIED ")
            write(set)
        case .appendUID(let validity, let uids):
            write("APPENDUID ", UInt64(validity))
            space()
            write(uids)
        case .copyUID(let copied):
            write("COPYUID ", UInt64(copied.validity))
            space()
            write(copied.source)
            space()
            write(copied.destination)
        case .mailboxID(let id):
            write("MAILBOXID (")
            output.append(id)
            close()
        case .other(let name, let arguments):
            output.append(name)
            guard let arguments else { return }
            space()
            output.append(arguments)
        case .alert, .parse, .readOnly, .readWrite, .tryCreate, .uidNotSticky, .noModSeq, .closed, .unavailable,
            .authenticationFailed, .authorizationFailed, .expired, .privacyRequired, .contactAdmin, .noPermission,
            .inUse, .expungeIssued, .corruption, .serverBug, .clientBug, .cannot, .limit, .overQuota, .alreadyExists,
            .nonExistent, .unknownCTE, .hasChildren, .notSaved, .useAttribute, .compressionActive, .tooBig,
            .notificationOverflow:
            break
        }
    }

    private mutating func write(_ name: StaticString, _ number: UInt64) {
        write(name)
        write(number)
    }

    private mutating func listed(_ name: StaticString, _ words: [[UInt8]]) {
        write(name)
        guard !words.isEmpty else { return }
        write(" (")
        for (index, word) in words.enumerated() {
            if index > 0 { space() }
            write(astring: word)
        }
        close()
    }
}
