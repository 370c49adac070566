// SPDX-License-Identifier: Apache-2.0

import Wire

/// FETCH, item by item; the octets of a section come from wherever they are.
extension IMAPResponseEncoder {
    /// `"*" SP nz-number SP "FETCH" SP "("`.
    package mutating func beginFetch(_ number: UInt32) {
        write("* ")
        write(UInt64(number))
        write(" FETCH (")
        isBehindItem = false
    }

    package mutating func endFetch() { write(")\r\n") }

    private mutating func separate() {
        if isBehindItem { space() }
        isBehindItem = true
    }

    package mutating func item(_ item: IMAPFetchItem) {
        if case .other = item { return }
        separate()
        switch item {
        case .flags(let flags):
            write("FLAGS ")
            write(flags)
        case .uid(let uid): write("UID ", UInt64(uid))
        case .size(let octets): write("RFC822.SIZE ", octets)
        case .internalDate(let date): write("INTERNALDATE ", date)
        case .envelope(let envelope):
            write("ENVELOPE ")
            write(envelope)
        case .bodyStructure(let structure):
            write("BODYSTRUCTURE ")
            write(structure, isExtended: true)
        case .modSeq(let modSeq):
            write("MODSEQ (", modSeq)
            close()
        case .emailID(let id): write("EMAILID ", id: id)
        case .threadID(let id): write("THREADID ", id: id)
        case .saveDate(let date): write("SAVEDATE ", date)
        case .preview(let text):
            write("PREVIEW ")
            write(nstring: text)
        case .binarySize(let part, let octets):
            write("BINARY.SIZE")
            write(IMAPSection(.binary, part: part))
            space()
            write(octets)
        case .gmailMessageID(let id): write("X-GM-MSGID ", id)
        case .gmailThreadID(let id): write("X-GM-THRID ", id)
        case .gmailLabels(let labels):
            write("X-GM-LABELS (")
            for (index, label) in labels.enumerated() {
                if index > 0 { space() }
                write(astring: label)
            }
            close()
        case .absent(let section):
            name(section)
            write(" NIL")
        case .other: break
        }
    }

    /// An item whose name and value were written before, and kept.
    package mutating func item(encoded octets: Span<UInt8>) {
        separate()
        output.append(octets)
    }

    /// BODYSTRUCTURE, or BODY, which has no extension data.
    package mutating func bodyStructure(_ structure: IMAPBodyStructure, isExtended: Bool) {
        separate()
        write(isExtended ? "BODYSTRUCTURE " : "BODY ")
        write(structure, isExtended: isExtended)
    }

    /// A section that is at hand, whole.
    package mutating func section(_ section: IMAPSection, _ octets: [UInt8]) {
        let isBinary = section.item == .binary && octets.contains(ASCII.nul)
        beginSection(section, octets: UInt64(octets.count), isBinary: isBinary)
        if isBinary || !octets.contains(ASCII.nul) {
            output.append(octets)
        } else {
            output.append(octets.map { $0 == ASCII.nul ? 0x80 : $0 })
        }
    }

    /// A section of so many octets, which follow by ``octets(_:)``.
    ///
    /// - Parameter isBinary: there may be NUL in it, which only a BINARY section may have.
    package mutating func beginSection(_ section: IMAPSection, octets: UInt64, isBinary: Bool = false) {
        separate()
        name(section)
        space()
        literalHead(octets, isBinary: isBinary)
    }

    /// Octets of the section that was begun, as they are.
    package mutating func octets(_ octets: Span<UInt8>) { output.append(octets) }

    private mutating func name(_ section: IMAPSection) {
        switch section.item {
        case .body: write("BODY")
        case .binary: write("BINARY")
        case .rfc822: return write("RFC822")
        case .rfc822Header: return write("RFC822.HEADER")
        case .rfc822Text: return write("RFC822.TEXT")
        }
        write(section)
        guard let origin = section.origin else { return }
        write("<", origin)
        write(">")
    }

    /// What stands between the brackets, and they; the names of fields as they were asked for.
    private mutating func write(_ section: IMAPSection) {
        guard case .headerFields(let names) = section.text else {
            guard case .headerFieldsNot(let names) = section.text else { return section.append(to: &output) }
            return write(section, "HEADER.FIELDS.NOT (", names)
        }
        write(section, "HEADER.FIELDS (", names)
    }

    private mutating func write(_ section: IMAPSection, _ text: StaticString, _ names: [[UInt8]]) {
        output.append(ASCII.openBracket)
        for number in section.part {
            write(UInt64(number))
            output.append(ASCII.dot)
        }
        write(text)
        for (index, name) in names.enumerated() {
            if index > 0 { space() }
            write(astring: name)
        }
        write(")]")
    }

    private mutating func write(_ name: StaticString, _ number: UInt64) {
        write(name)
        write(number)
    }

    private mutating func write(_ name: StaticString, _ date: IMAPDateTime?) {
        write(name)
        if let date { date.append(to: &output) } else { write("NIL") }
    }

    private mutating func write(_ name: StaticString, id: [UInt8]?) {
        write(name)
        guard let id else { return write("NIL") }
        open()
        output.append(id)
        close()
    }

    // MARK: Envelopes

    private mutating func write(_ envelope: IMAPEnvelope) {
        open()
        write(nstring: envelope.date)
        space()
        write(nstring: envelope.subject)
        for addresses in [
            envelope.from, envelope.sender, envelope.replyTo, envelope.to, envelope.cc, envelope.bcc,
        ] {
            space()
            write(addresses)
        }
        space()
        write(nstring: envelope.inReplyTo)
        space()
        write(nstring: envelope.messageID)
        close()
    }

    private mutating func write(_ addresses: [IMAPAddress]) {
        guard !addresses.isEmpty else { return write("NIL") }
        open()
        for address in addresses {
            open()
            write(nstring: address.name)
            space()
            write(nstring: address.route)
            space()
            write(nstring: address.mailbox)
            space()
            write(nstring: address.host)
            close()
        }
        close()
    }

    // MARK: Structures

    /// What is still to be written of a structure.
    private enum Work {
        case part(Int)
        /// What stands behind the parts within it.
        case end(Int)
    }

    /// Without recursion, however deep the parts are in each other.
    private mutating func write(_ structure: IMAPBodyStructure, isExtended: Bool) {
        let parts = structure.parts
        var within = [[Int]](repeating: [], count: parts.count)
        for (place, part) in parts.enumerated() {
            if let parent = part.parent, parent < place { within[parent].append(place) }
        }
        var work: [Work] = parts.isEmpty ? [] : [.part(0)]
        while let next = work.popLast() {
            switch next {
            case .part(let place):
                let part = parts[place]
                open()
                if part.kind != .multipart { fields(part) }
                if part.kind == .message {
                    space()
                    write(part.envelope ?? IMAPEnvelope())
                    space()
                }
                work.append(.end(place))
                let inner =
                    part.kind == .leaf ? [] : part.kind == .message ? Array(within[place].prefix(1)) : within[place]
                // There is a part in each of them, or else it could not be written.
                if inner.isEmpty, part.kind != .leaf { write("(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)") }
                for place in inner.reversed() { work.append(.part(place)) }
            case .end(let place):
                end(parts[place], isExtended)
                close()
            }
        }
        if parts.isEmpty { write("(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)") }
    }

    /// `body-fields`, with the type in front.
    private mutating func fields(_ part: IMAPBodyStructure.Part) {
        write(string: part.type)
        space()
        write(string: part.subtype)
        space()
        write(parameters: part.parameters)
        space()
        write(nstring: part.id)
        space()
        write(nstring: part.description)
        space()
        write(string: part.encoding)
        space()
        write(part.octets)
    }

    private mutating func end(_ part: IMAPBodyStructure.Part, _ isExtended: Bool) {
        if part.kind == .multipart {
            space()
            write(string: part.subtype)
            guard isExtended else { return }
            space()
            write(parameters: part.parameters)
        } else {
            if part.kind == .message || ASCII.equalsIgnoringCase(part.type, "TEXT") {
                space()
                write(part.lines ?? 0)
            }
            guard isExtended else { return }
            space()
            write(nstring: part.md5)
        }
        space()
        write(part.disposition)
        space()
        write(languages: part.languages)
        space()
        write(nstring: part.location)
    }

    /// `body-fld-param`, in which no value is NIL.
    private mutating func write(parameters: [IMAPParameter]) {
        write(parameters.map { IMAPParameter(name: $0.name, value: $0.value ?? []) })
    }

    private mutating func write(_ disposition: IMAPBodyStructure.Disposition?) {
        guard let disposition else { return write("NIL") }
        open()
        write(string: disposition.type)
        space()
        write(parameters: disposition.parameters)
        close()
    }

    private mutating func write(languages: [[UInt8]]) {
        guard !languages.isEmpty else { return write("NIL") }
        open()
        for (index, language) in languages.enumerated() {
            if index > 0 { space() }
            write(string: language)
        }
        close()
    }
}
