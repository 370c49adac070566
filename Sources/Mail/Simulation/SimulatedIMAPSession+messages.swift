// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Wire

extension SimulatedIMAPSession {
    private typealias Message = SimulatedMailbox.Message

    func performOnMessages(_ command: Command) async throws {
        switch command.name {
        case "APPEND": append(command)
        case "IDLE" where !server.configuration.isBare: try await idle(command)
        case _ where selected == nil: complete(command, "BAD Select a mailbox first")
        case "FETCH": try await fetch(command)
        case "SEARCH": try await search(command)
        case "STORE": store(command)
        case "COPY": copy(command)
        case "MOVE" where !server.configuration.isBare: copy(command)
        case "EXPUNGE":
            var command = command
            let uids = command.isUID ? command.octets().flatMap { IMAPNumberSet($0) } : nil
            if let selected, !isReadOnly { expunge(in: selected, among: uids) }
            tellNews()
            complete(command)
        default: complete(command, "BAD That is not known here")
        }
    }

    /// Messages of a set, with their places among those that the client knows.
    private func messages(_ command: inout Command) -> [(number: Int, message: SimulatedMailbox.Message)] {
        guard let selected, let folder = mailbox.folder(selected),
            let set = command.octets().flatMap({ IMAPNumberSet($0) })
        else { return [] }
        let there = Dictionary(folder.messages.map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
        let last = command.isUID ? known.last?.uid ?? 0 : UInt32(clamping: known.count)
        return known.enumerated().compactMap { index, entry in
            let number = command.isUID ? entry.uid : UInt32(index + 1)
            guard set.contains(number) || set.namesLast && number == last else { return nil }
            return there[entry.uid].map { (index + 1, $0) }
        }
    }

    // MARK: FETCH

    private func fetch(_ command: Command) async throws {
        var command = command
        if does(.refusesFetch) { return complete(command, "NO [SERVERBUG] It cannot be read") }
        let wanted = messages(&command)
        let items = command.list()
        if does(.fetchesUnasked) {
            let rubbish = (1...1000).map { "* \($0) FETCH (UID \($0) FLAGS (\\Seen) RFC822.SIZE 5)\r\n" }
            try await wire.flood("", then: rubbish.joined())
        }
        if does(.fetchesWithoutEnd), let (number, message) = wanted.first {
            try await wire.flood("", then: "* \(number) FETCH (UID \(message.uid) FLAGS () RFC822.SIZE 5)\r\n")
        }
        for (number, message) in wanted {
            try await put(message, number, items, isUID: command.isUID)
            if does(.fetchesTwice) {
                wire.put("* \(number) FETCH (UID \(message.uid) FLAGS (\\Deleted) RFC822.SIZE 1)\r\n")
            }
            try await wire.flush()
        }
        complete(command)
    }

    private func put(
        _ message: SimulatedMailbox.Message,
        _ number: Int,
        _ items: [[UInt8]],
        isUID: Bool
    ) async throws {
        var isFirst = true
        func begin(_ name: String) {
            wire.put(isFirst ? name : " \(name)")
            isFirst = false
        }
        wire.put("* \(number) FETCH (")
        if isUID, !does(.lacksUIDsInFetch) { begin("UID \(message.uid)") }
        for item in items {
            let name = String(decoding: item.map(ASCII.uppercased), as: UTF8.self)
            switch name {
            case "UID": if !isUID, !does(.lacksUIDsInFetch) { begin("UID \(message.uid)") }
            case "FLAGS":
                begin("FLAGS (\(does(.tellsManyFlags) ? Self.manyFlags : Self.text(message.flags)))")
            case "INTERNALDATE":
                var date = ByteBuffer()
                IMAPDateTime(message.date).append(to: &date)
                begin("INTERNALDATE ")
                wire.put(does(.tellsImpossibleDates) ? Array("\"99-Foo-99999 99:99:99 +9999\"".utf8) : date.array())
            case "RFC822.SIZE":
                begin("RFC822.SIZE \(does(.tellsWrongSizes) ? UInt64.max : UInt64(message.octets.count))")
            case "BODYSTRUCTURE", "BODY": begin("\(name) \(structure(of: message))")
            case "RFC822", "RFC822.HEADER": try await put(section: "", of: message, as: name, begin)
            default:
                guard let section = Self.section(name) else { continue }
                try await put(section: section.text, from: section.range, of: message, as: section.name, begin)
            }
        }
        wire.put(")\r\n")
    }

    private static let manyFlags = (0..<100_000).map { "flag\($0)" }.joined(separator: " ")

    /// All messages are told as one part: this server does not read them.
    private func structure(of message: SimulatedMailbox.Message) -> String {
        if does(.lacksStructure) { return "NIL" }
        if does(.nestsStructureDeeply) { return String(repeating: "(", count: 100_000) }
        let body = message.octets.count - Self.headerEnd(message.octets)
        let lines = message.octets.dropFirst(Self.headerEnd(message.octets)).count { $0 == ASCII.lf }
        return "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" \(body) \(lines))"
    }

    private static func headerEnd(_ octets: [UInt8]) -> Int {
        let end = Array("\r\n\r\n".utf8)
        guard octets.count >= 4 else { return octets.count }
        for start in 0...(octets.count - 4) where octets[start..<(start + 4)].elementsEqual(end) { return start + 4 }
        return octets.count
    }

    private struct Section {
        let text: String
        /// As the answer names it.
        let name: String
        var range: Range<Int>?
    }

    /// `BODY.PEEK[HEADER]<0.100>` and the like.
    private static func section(_ item: String) -> Section? {
        let peek = item.hasPrefix("BODY.PEEK[") ? 10 : item.hasPrefix("BODY[") ? 5 : 0
        guard peek > 0, let end = item.firstIndex(of: "]") else { return nil }
        let text = String(item.dropFirst(peek).prefix { $0 != "]" })
        let partial = item[item.index(after: end)...].split { !$0.isNumber }.map(String.init)
        let numbers = partial.compactMap { StrictInteger.decimal($0.utf8, maximum: 1 << 40) }
        guard let origin = numbers.first else { return Section(text: text, name: "BODY[\(text)]") }
        let length = numbers.count > 1 ? Int(numbers[1]) : 1 << 40
        return Section(text: text, name: "BODY[\(text)]<\(origin)>", range: Int(origin)..<(Int(origin) + length))
    }

    private func put(
        section: String,
        from range: Range<Int>? = nil,
        of message: SimulatedMailbox.Message,
        as name: String,
        _ begin: (String) -> Void
    ) async throws {
        let headerEnd = Self.headerEnd(message.octets)
        var octets: [UInt8]
        switch section {
        case "" where name != "RFC822.HEADER": octets = message.octets
        case "HEADER", "": octets = Array(message.octets.prefix(headerEnd))
        case "TEXT", "1": octets = Array(message.octets.dropFirst(headerEnd))
        case "1.MIME": octets = Array("Content-Type: text/plain; charset=utf-8\r\n\r\n".utf8)
        default:
            // Fields of the header: all are told.
            octets = section.hasPrefix("HEADER.FIELDS") ? Array(message.octets.prefix(headerEnd)) : []
        }
        if let range { octets = Array(octets.dropFirst(range.lowerBound).prefix(range.count)) }
        if does(.changesOctets), section.isEmpty || section == "TEXT" {
            octets += Array("\(UInt64.random(in: 1...UInt64.max))\r\n".utf8)
        }
        if does(.announcesHugeLiteral) { return begin("\(name) {4294967295}\r\n") }
        if does(.announcesOverflowingLiteral) { return begin("\(name) {99999999999999999999999}\r\n") }
        begin("\(name) {\(octets.count)}\r\n")
        if does(.cutsInLiteral) {
            wire.put(Array(octets.prefix(octets.count / 2)))
            try await wire.flush()
            try wire.end()
        }
        wire.put(octets)
    }

    // MARK: SEARCH

    private func search(_ command: Command) async throws {
        var command = command
        if does(.findsWithoutEnd) { try await wire.flood("* SEARCH", then: " 4294967294 1 77") }
        guard let selected, let folder = mailbox.folder(selected) else {
            return complete(command, "BAD Nothing selected")
        }
        let there = Dictionary(folder.messages.map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
        var found = known.enumerated().map { ($0.offset + 1, $0.element.uid) }
        while let key = command.atom() {
            guard let test = condition(key, &command) else {
                return complete(command, "BAD That cannot be searched for")
            }
            found = found.filter { number, uid in there[uid].map { test(number, $0) } ?? false }
        }
        if does(.findsNothing) { found = [] }
        var numbers = found.map { command.isUID ? $0.1 : UInt32(clamping: $0.0) }
        if does(.findsBackwards) { numbers = numbers.reversed() + numbers.reversed() }
        wire.put("* SEARCH\(numbers.map { " \($0)" }.joined())\r\n")
        complete(command)
    }

    private func condition(_ key: String, _ command: inout Command) -> ((Int, SimulatedMailbox.Message) -> Bool)? {
        switch key {
        case "ALL": return { _, _ in true }
        case "CHARSET": return command.octets().map { _ in { _, _ in true } }
        case "UID":
            let last = known.last?.uid
            return command.octets().flatMap { IMAPNumberSet($0) }.map { set in
                { set.contains($1.uid) || set.namesLast && $1.uid == last }
            }
        case "SEEN": return { $1.has("\\Seen") }
        case "UNSEEN": return { !$1.has("\\Seen") }
        case "FLAGGED": return { $1.has("\\Flagged") }
        case "DELETED": return { $1.has("\\Deleted") }
        case "UNDELETED": return { !$1.has("\\Deleted") }
        case "TEXT", "BODY", "SUBJECT", "FROM", "TO", "CC":
            return command.octets().map { words in { Self.holds($1.octets, words) } }
        case "HEADER":
            _ = command.octets()
            return command.octets().map { words in { Self.holds($1.octets, words) } }
        default:
            return IMAPNumberSet(Array(key.utf8)).map { set in { number, _ in set.contains(UInt32(clamping: number)) } }
        }
    }

    private static func holds(_ octets: [UInt8], _ words: [UInt8]) -> Bool {
        String(decoding: ASCII.lowercased(octets), as: UTF8.self)
            .contains(String(decoding: ASCII.lowercased(words), as: UTF8.self))
    }

    // MARK: Changes

    private func store(_ command: Command) {
        var command = command
        if does(.refusesStore) { return complete(command, "NO [NOPERM] Not allowed") }
        let wanted = messages(&command)
        let operation = command.atom() ?? ""
        let flags = command.list()
        guard let selected, !isReadOnly else { return complete(command, "NO [READ-ONLY] Not here") }
        for (number, message) in wanted {
            let now = does(.ignoresStore) ? message.flags : Self.changed(message.flags, operation, flags)
            mailbox.with { state in
                guard let index = state.folders[selected]?.messages.firstIndex(where: { $0.uid == message.uid }) else {
                    return
                }
                state.folders[selected]?.messages[index].flags = now
            }
            known[number - 1].flags = now
            guard !operation.hasSuffix(".SILENT") else { continue }
            wire.put("* \(number) FETCH (UID \(message.uid) FLAGS (\(Self.text(now))))\r\n")
        }
        complete(command)
    }

    private static func changed(_ old: [[UInt8]], _ operation: String, _ flags: [[UInt8]]) -> [[UInt8]] {
        func isIn(_ flag: [UInt8], _ flags: [[UInt8]]) -> Bool {
            flags.contains { ASCII.lowercased($0) == ASCII.lowercased(flag) }
        }
        switch operation.first {
        case "+": return old + flags.filter { !isIn($0, old) }
        case "-": return old.filter { !isIn($0, flags) }
        default: return flags
        }
    }

    private func copy(_ command: Command) {
        var command = command
        let wanted = messages(&command)
        let target = command.octets() ?? []
        guard let selected, let validity = mailbox.folder(target)?.validity else {
            return complete(command, "NO [TRYCREATE] There is no such mailbox")
        }
        if does(.onlyPretendsToMove) { return complete(command) }
        if does(.isOverQuota) { return complete(command, "NO [OVERQUOTA] No room") }
        let isMove = command.name == "MOVE"
        var copies = mailbox.with { state in
            wanted.map { entry in
                state.folders[target]?.add(entry.message.octets, entry.message.flags, entry.message.date) ?? 0
            }
        }
        if does(.tellsWrongCopyUIDs) { copies = copies.map { _ in 1 } }
        let uids = wanted.map { "\($0.message.uid)" }.joined(separator: ",")
        let code =
            server.configuration.isBare || wanted.isEmpty
            ? "" : "[COPYUID \(validity) \(uids) \(copies.map(String.init).joined(separator: ","))] "
        guard isMove else { return complete(command, "OK \(code)Done") }
        if !code.isEmpty { wire.put("* OK \(code)Moved\r\n") }
        let gone = Set(wanted.map(\.message.uid))
        mailbox.with { $0.folders[selected]?.messages.removeAll { gone.contains($0.uid) } }
        tellNews()
        complete(command)
    }

    func expunge(in folder: [UInt8], among uids: IMAPNumberSet?) {
        mailbox.with { state in
            state.folders[folder]?.messages.removeAll { message in
                message.has("\\Deleted") && uids?.contains(message.uid) != false
            }
        }
    }

    private func append(_ command: Command) {
        var command = command
        let target = command.octets() ?? []
        let flags = command.words.first == .open ? command.list() : []
        var date = Timestamp(milliseconds: 1_800_000_000_000)
        var octets = command.octets() ?? []
        if let message = command.octets() {
            date = IMAPDateTime((octets).span)?.timestamp ?? date
            octets = message
        }
        if does(.refusesAppend) { return complete(command, "NO [CANNOT] Not that one") }
        if does(.isOverQuota) { return complete(command, "NO [OVERQUOTA] No room") }
        let (time, content) = (date, octets)
        let placed = mailbox.with { state in
            state.folders[target]?.add(content, flags, time)
        }
        guard let uid = placed, let validity = mailbox.folder(target)?.validity else {
            return complete(command, "NO [TRYCREATE] There is no such mailbox")
        }
        tellNews()
        complete(command, server.configuration.isBare ? "OK Done" : "OK [APPENDUID \(validity) \(uid)] Done")
    }

    // MARK: IDLE

    private func idle(_ command: Command) async throws {
        if does(.refusesIdle) { return complete(command, "NO [CANNOT] Not now") }
        try await wire.say("+ Idling\r\n")
        if does(.floodsIdle) { try await wire.flood("", then: "* 3 EXISTS\r\n* 2 EXISTS\r\n") }
        while try await !wire.hears(within: 50) {
            try endIfCut()
            tellNews()
            try await wire.flush()
        }
        if does(.hangsInIdle) { try await wire.waitForever() }
        _ = try await wire.line()
        complete(command)
    }
}

extension IMAPNumberSet {
    /// The last message is named by the largest number.
    fileprivate var namesLast: Bool { ranges.contains { $0.upperBound == Self.largest } }
}
