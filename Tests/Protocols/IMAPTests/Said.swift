// SPDX-License-Identifier: Apache-2.0

import Wire

@testable import IMAP

/// What a parser gave, in a line each, as the tests have it.
enum Said {
    static func octets(_ octets: [UInt8]) -> String {
        var text = ""
        for scalar in octets.span.repairedUTF8String().unicodeScalars {
            switch scalar {
            case "\r": text += "␍"
            case "\n": text += "␊"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static func octets(_ octets: [UInt8]?) -> String { octets.map { "\"\(Self.octets($0))\"" } ?? "NIL" }
    static func list(_ texts: [[UInt8]]) -> String { "(\(texts.map { octets($0) as String }.joined(separator: " ")))" }

    static func written(_ append: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        append(&buffer)
        return buffer.bytes.repairedUTF8String()
    }

    static func set(_ set: IMAPNumberSet) -> String { written { set.append(to: &$0) } }

    static func flags(_ flags: IMAPFlags) -> String {
        written { flags.append(to: &$0) } + (flags.others.isEmpty ? "" : " others \(list(flags.others))")
    }

    static func date(_ date: IMAPDateTime) -> String { written { date.append(to: &$0) } }

    static func event(_ event: IMAPResponseEvent) -> String {
        switch event {
        case .response(let response): self.response(response)
        case .fetchBegins(let number): "FETCH \(number)"
        case .fetchItem(let item): "  \(self.item(item))"
        case .sectionBegins(let section, let octets): "  \(self.section(section)) {\(octets)}"
        case .sectionOctets(let octets): "    \(self.octets(octets) as String)"
        case .sectionEnds: "  ."
        case .fetchEnds(let isWhole): isWhole ? "END" : "END, not whole"
        case .unreadable(let error, _): "unreadable: \(error)"
        }
    }

    static func section(_ section: IMAPSection) -> String {
        let item =
            switch section.item {
            case .body: "BODY"
            case .binary: "BINARY"
            case .rfc822: "RFC822"
            case .rfc822Header: "RFC822.HEADER"
            case .rfc822Text: "RFC822.TEXT"
            }
        let brackets = section.item == .body || section.item == .binary ? written { section.append(to: &$0) } : ""
        return item + brackets + (section.origin.map { "<\($0)>" } ?? "")
    }

    static func item(_ item: IMAPFetchItem) -> String {
        switch item {
        case .flags(let flags): "FLAGS \(self.flags(flags))"
        case .uid(let uid): "UID \(uid)"
        case .size(let octets): "RFC822.SIZE \(octets)"
        case .internalDate(let date): "INTERNALDATE \(self.date(date))"
        case .envelope(let envelope): "ENVELOPE \(self.envelope(envelope))"
        case .bodyStructure(let structure):
            "BODYSTRUCTURE \(structure.parts.map { part($0) }.joined(separator: ", "))"
        case .modSeq(let modSeq): "MODSEQ \(modSeq)"
        case .emailID(let id): "EMAILID \(octets(id) as String)"
        case .threadID(let id): "THREADID \(octets(id))"
        case .saveDate(let date): "SAVEDATE \(date.map { self.date($0) } ?? "NIL")"
        case .preview(let text): "PREVIEW \(octets(text))"
        case .binarySize(let part, let octets):
            "BINARY.SIZE[\(part.map(String.init).joined(separator: "."))] \(octets)"
        case .gmailMessageID(let id): "X-GM-MSGID \(id)"
        case .gmailThreadID(let id): "X-GM-THRID \(id)"
        case .gmailLabels(let labels): "X-GM-LABELS \(list(labels))"
        case .absent(let section): "\(self.section(section)) NIL"
        case .other(let name): "other \(octets(name) as String)"
        }
    }

    static func envelope(_ envelope: IMAPEnvelope) -> String {
        func addresses(_ addresses: [IMAPAddress]) -> String {
            "[\(addresses.map { address in "\(octets(address.name)) <\(octets(address.mailbox))@\(octets(address.host))>" }.joined(separator: ", "))]"
        }
        return
            "\(octets(envelope.date)) \(octets(envelope.subject)) from \(addresses(envelope.from)) to \(addresses(envelope.to))"
            + " id \(octets(envelope.messageID))"
    }

    static func part(_ part: IMAPBodyStructure.Part) -> String {
        let section = part.section.map(String.init).joined(separator: ".")
        let kind = part.kind == .leaf ? "" : part.kind == .message ? " message" : " multipart"
        return
            "\(section.isEmpty ? "-" : section) \(octets(part.type) as String)/\(octets(part.subtype) as String)\(kind)"
            + (part.kind == .multipart ? "" : " \(part.octets)")
    }

    static func response(_ response: IMAPResponse) -> String {
        switch response {
        case .continuation(let text): "+ \(octets(text) as String)"
        case .tagged(let tag, let status): "\(octets(tag) as String) \(self.status(status))"
        case .status(let status): "* \(self.status(status))"
        case .capability(let capabilities): "CAPABILITY \(list(capabilities.words))"
        case .enabled(let words): "ENABLED \(list(words))"
        case .list(let entry): self.entry(entry)
        case .mailboxStatus(let status): self.mailboxStatus(status)
        case .flags(let flags): "FLAGS \(self.flags(flags))"
        case .exists(let number): "EXISTS \(number)"
        case .recent(let number): "RECENT \(number)"
        case .expunge(let number): "EXPUNGE \(number)"
        case .vanished(let uids, let isEarlier): "VANISHED\(isEarlier ? " (EARLIER)" : "") \(set(uids))"
        case .search(let numbers, let modSeq):
            "SEARCH \(numbers.map(String.init).joined(separator: " "))\(modSeq.map { " MODSEQ \($0)" } ?? "")"
        case .sort(let numbers, let modSeq):
            "SORT \(numbers.map(String.init).joined(separator: " "))\(modSeq.map { " MODSEQ \($0)" } ?? "")"
        case .extendedSearch(let search): self.search(search)
        case .thread(let thread):
            "THREAD \(thread.members.map { "\($0.level):\($0.number.map(String.init) ?? "-")" }.joined(separator: " "))"
        case .namespace(let namespaces):
            "NAMESPACE \(self.namespaces(namespaces.personal)) \(self.namespaces(namespaces.otherUsers))"
                + " \(self.namespaces(namespaces.shared))"
        case .id(let parameters):
            "ID \(parameters.map { "\(octets($0.name) as String)=\(octets($0.value))" }.joined(separator: " "))"
        case .quota(let quota):
            "QUOTA \(octets(quota.root) as String)"
                + quota.resources.map { " \(octets($0.name) as String) \($0.usage)/\($0.limit)" }.joined()
        case .quotaRoots(let mailbox, let roots): "QUOTAROOT \(octets(mailbox.octets) as String) \(list(roots))"
        case .unknown(let name, let number):
            "unknown \(number.map { "\($0) " } ?? "")\(octets(name) as String)"
        }
    }

    private static func namespaces(_ namespaces: [IMAPNamespaces.Namespace]) -> String {
        "[\(namespaces.map { "\(octets($0.prefix) as String)|\($0.separator.map { octets([$0]) as String } ?? "NIL")" }.joined(separator: ", "))]"
    }

    static func entry(_ entry: IMAPListEntry) -> String {
        let words = IMAPListEntry.Attributes.words.prefix(17).filter { entry.attributes.contains($0.1) }.map {
            "\($0.0)"
        }
        return
            "\(entry.kind) \(words.joined(separator: " "))\(entry.otherAttributes.isEmpty ? "" : list(entry.otherAttributes))"
            + " \(entry.separator.map { octets([$0]) as String } ?? "NIL") \(octets(entry.mailbox.octets) as String)"
            + (entry.oldName.map { " was \(octets($0.octets) as String)" } ?? "")
    }

    static func mailboxStatus(_ status: IMAPMailboxStatus) -> String {
        var text = "STATUS \(octets(status.mailbox.octets) as String)"
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { text += " \(name)=\(value)" }
        }
        add("messages", status.messages)
        add("recent", status.recent)
        add("unseen", status.unseen)
        add("deleted", status.deleted)
        add("uidNext", status.uidNext)
        add("uidValidity", status.uidValidity)
        add("highestModSeq", status.highestModSeq)
        add("size", status.size)
        add("mailboxID", status.mailboxID.map { octets($0) as String })
        add("appendLimit", status.appendLimit)
        return text
    }

    static func search(_ search: IMAPExtendedSearch) -> String {
        var text = "ESEARCH"
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { text += " \(name)=\(value)" }
        }
        add("tag", search.tag.map { octets($0) as String })
        if search.isUID { text += " uid" }
        add("min", search.minimum)
        add("max", search.maximum)
        add("count", search.count)
        add("modSeq", search.modSeq)
        add("all", search.all.map(set))
        add("partial", search.partial.map { "\(octets($0.range) as String)→\(set($0.numbers))" })
        return text
    }

    static func status(_ status: IMAPStatus) -> String {
        var text = status.condition.rawValue
        if let code = status.code { text += " [\(self.code(code))]" }
        return status.text.isEmpty ? text : text + " " + status.text
    }

    static func code(_ code: IMAPResponseCode) -> String {
        if let plain = IMAPResponseCode.plain.first(where: { $0.code == code }) { return "\(plain.name)" }
        switch code {
        case .badCharset(let charsets): return "BADCHARSET \(list(charsets))"
        case .capability(let capabilities): return "CAPABILITY \(list(capabilities.words))"
        case .permanentFlags(let flags): return "PERMANENTFLAGS \(self.flags(flags))"
        case .uidNext(let number): return "UIDNEXT \(number)"
        case .uidValidity(let number): return "UIDVALIDITY \(number)"
        case .unseen(let number): return "UNSEEN \(number)"
        case .appendUID(let validity, let uids): return "APPENDUID \(validity) \(set(uids))"
        case .copyUID(let copied):
            return "COPYUID \(copied.validity) \(set(copied.source)) \(set(copied.destination))"
        case .highestModSeq(let modSeq): return "HIGHESTMODSEQ \(modSeq)"
        case .modified(let numbers): return "MODIFIED \(set(numbers))"
        case .mailboxID(let id): return "MAILBOXID \(octets(id) as String)"
        case .badEvent(let events): return "BADEVENT \(list(events))"
        case .other(let name, let arguments):
            return "other \(octets(name) as String)\(arguments.map { "|\(octets($0) as String)" } ?? "")"
        default: return "?"
        }
    }
}
