// SPDX-License-Identifier: Apache-2.0

import Wire

/// What is told of mailboxes, and of what was searched for.
extension IMAPResponseEncoder {
    /// ```
    /// mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP mbox-list-extended]
    /// ```
    mutating func write(_ entry: IMAPListEntry) {
        switch entry.kind {
        case .list: write("LIST (")
        case .lsub: write("LSUB (")
        case .xlist: write("XLIST (")
        }
        var isFirst = true
        for (word, attribute) in IMAPListEntry.Attributes.words.prefix(17)
        where entry.attributes.contains(attribute) {
            if !isFirst { space() }
            isFirst = false
            write(word)
        }
        for word in entry.otherAttributes {
            if !isFirst { space() }
            isFirst = false
            output.append(word)
        }
        write(") ")
        write(nstring: entry.separator.map { [$0] })
        space()
        write(entry.mailbox)
        extended(entry)
    }

    private mutating func extended(_ entry: IMAPListEntry) {
        guard entry.hasSubscribedChildren || entry.oldName != nil else { return }
        write(" (")
        if entry.hasSubscribedChildren {
            write("\"CHILDINFO\" (\"SUBSCRIBED\")")
            if entry.oldName != nil { space() }
        }
        if let name = entry.oldName {
            write("\"OLDNAME\" (")
            write(name)
            close()
        }
        close()
    }

    /// `"STATUS" SP mailbox SP "(" [status-att-list] ")"`, with what is not nil.
    mutating func write(_ status: IMAPMailboxStatus) {
        write("STATUS ")
        write(status.mailbox)
        write(" (")
        let numbers: [(IMAPMailboxStatus.Item, UInt64?)] = [
            (.messages, status.messages.map(UInt64.init)), (.recent, status.recent.map(UInt64.init)),
            (.uidNext, status.uidNext.map(UInt64.init)), (.uidValidity, status.uidValidity.map(UInt64.init)),
            (.unseen, status.unseen.map(UInt64.init)), (.deleted, status.deleted.map(UInt64.init)),
            (.size, status.size), (.highestModSeq, status.highestModSeq), (.appendLimit, status.appendLimit),
        ]
        var isFirst = true
        for case (let item, let number?) in numbers {
            if !isFirst { space() }
            isFirst = false
            output.append(utf8: item.rawValue)
            space()
            write(number)
        }
        if let id = status.mailboxID {
            write(isFirst ? "MAILBOXID (" : " MAILBOXID (")
            output.append(id)
            close()
        }
        close()
    }

    /// `namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace`.
    mutating func write(_ namespaces: IMAPNamespaces) {
        write("NAMESPACE")
        for list in [namespaces.personal, namespaces.otherUsers, namespaces.shared] {
            space()
            guard !list.isEmpty else {
                write("NIL")
                continue
            }
            open()
            for namespace in list {
                open()
                write(string: namespace.prefix)
                space()
                write(nstring: namespace.separator.map { [$0] })
                close()
            }
            close()
        }
    }

    /// `quota-response = "QUOTA" SP quota-root-name SP quota-list`.
    mutating func write(_ quota: IMAPQuota) {
        write("QUOTA ")
        write(astring: quota.root)
        write(" (")
        for (index, resource) in quota.resources.enumerated() {
            if index > 0 { space() }
            output.append(resource.name)
            space()
            write(resource.usage)
            space()
            write(resource.limit)
        }
        close()
    }

    // MARK: What was searched for

    /// `*(SP nz-number) [SP "(" "MODSEQ" SP mod-sequence-value ")"]`, behind SEARCH or SORT.
    mutating func search(_ name: StaticString, _ numbers: [UInt32], _ modSeq: UInt64?) {
        write(name)
        for number in numbers {
            space()
            write(UInt64(number))
        }
        guard let modSeq else { return }
        write(" (MODSEQ ")
        write(modSeq)
        close()
    }

    /// ```
    /// esearch-response = "ESEARCH" [SP "(" "TAG" SP tag-string ")"] [SP "UID"] *(SP search-return-data)
    /// ```
    mutating func write(_ search: IMAPExtendedSearch) {
        write("ESEARCH")
        if let tag = search.tag {
            write(" (TAG ")
            write(string: tag)
            close()
        }
        if search.isUID { write(" UID") }
        if let minimum = search.minimum { write(" MIN ", minimum) }
        if let maximum = search.maximum { write(" MAX ", maximum) }
        if let count = search.count { write(" COUNT ", count) }
        if let all = search.all, !all.isEmpty {
            write(" ALL ")
            write(all)
        }
        if let partial = search.partial {
            write(" PARTIAL (")
            output.append(partial.range)
            space()
            if partial.numbers.isEmpty { write("NIL") } else { write(partial.numbers) }
            close()
        }
        if let modSeq = search.modSeq {
            write(" MODSEQ ")
            write(modSeq)
        }
    }

    private mutating func write(_ name: StaticString, _ number: UInt32) {
        write(name)
        write(UInt64(number))
    }

    /// ```
    /// thread-list    = "(" (thread-members / thread-nested) ")"
    /// thread-members = nz-number *(SP nz-number) [SP thread-nested]
    /// thread-nested  = 2*thread-list
    /// ```
    /// An only answer stands behind what it answers; several have a list each.
    mutating func write(_ thread: IMAPThread) {
        write("THREAD")
        let members = thread.members
        // By place: how many answer it, and which it answers.
        var answers = [Int](repeating: 0, count: members.count)
        var parents: [Int?] = []
        var line: [Int] = []
        for (place, member) in members.enumerated() {
            while let last = line.last, members[last].level >= member.level { line.removeLast() }
            if let parent = line.last { answers[parent] += 1 }
            parents.append(line.last)
            line.append(place)
        }
        var open: [Int] = []
        for (place, member) in members.enumerated() {
            while let level = open.last, level >= member.level {
                close()
                open.removeLast()
            }
            if let parent = parents[place], answers[parent] == 1, members[parent].number != nil {
                space()
            } else {
                let isFirst = parents[place].map { $0 == place - 1 && members[$0].number != nil } ?? (place == 0)
                write(isFirst ? " (" : "(")
                open.append(member.level)
            }
            if let number = member.number { write(UInt64(number)) }
        }
        for _ in open { close() }
    }
}
