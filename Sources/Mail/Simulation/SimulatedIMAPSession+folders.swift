// SPDX-License-Identifier: Apache-2.0

import Wire

extension SimulatedIMAPSession {
    func performOnFolders(_ command: Command) async throws {
        var command = command
        switch command.name {
        case "SELECT", "EXAMINE": try await select(command)
        case "CLOSE":
            if let selected, !isReadOnly { expunge(in: selected, among: nil) }
            selected = nil
            known = []
            complete(command)
        case "LIST", "LSUB": try await list(command)
        case "STATUS": status(command)
        case "CREATE":
            let name = command.octets() ?? []
            complete(command, mailbox.with { $0.create(name) } ? "OK Done" : "NO [ALREADYEXISTS] It is there")
        case "DELETE":
            let name = command.octets() ?? []
            let isDone = name != SimulatedMailbox.inbox && mailbox.with { $0.folders.removeValue(forKey: name) != nil }
            complete(command, isDone ? "OK Done" : "NO [NONEXISTENT] Not that one")
        case "RENAME": rename(command)
        default:
            let name = command.octets() ?? []
            let isSubscribed = command.name == "SUBSCRIBE"
            mailbox.with { $0.folders[name]?.isSubscribed = isSubscribed }
            complete(command)
        }
    }

    private func rename(_ command: Command) {
        var command = command
        guard let old = command.octets(), let new = command.octets(), old != SimulatedMailbox.inbox else {
            return complete(command, "NO [CANNOT] Not the inbox")
        }
        let isDone = mailbox.with { state -> Bool in
            guard let folder = state.folders[old], state.folders[new] == nil else { return false }
            state.folders[old] = nil
            state.folders[new] = folder
            for (name, folder) in state.folders where name.starts(with: old + [ASCII.slash]) {
                state.folders[name] = nil
                state.folders[new + name.dropFirst(old.count)] = folder
            }
            return true
        }
        complete(command, isDone ? "OK Done" : "NO [NONEXISTENT] That cannot be")
    }

    // MARK: Selecting

    private func select(_ command: Command) async throws {
        var command = command
        var name = command.octets() ?? []
        if ASCII.equalsIgnoringCase(name, "INBOX") { name = SimulatedMailbox.inbox }
        selected = nil
        known = []
        guard let folder = mailbox.folder(name), !does(.refusesSelect) || name == SimulatedMailbox.inbox else {
            return complete(command, "NO [NONEXISTENT] It cannot be opened")
        }
        selections &+= 1
        selected = name
        isReadOnly = command.name == "EXAMINE"
        var messages = folder.messages
        if does(.forgetsMessages), selections % 2 == 0 { messages = messages.filter { $0.uid % 2 == 0 } }
        known = messages.map { ($0.uid, $0.flags) }
        wire.put("* \(does(.tellsHugeExists) ? "4294967295" : "\(known.count)") EXISTS\r\n* 0 RECENT\r\n")
        wire.put("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n")
        wire.put("* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Kept\r\n")
        if !does(.lacksUIDValidity) {
            let validity =
                does(.flipsUIDValidity) ? folder.validity &+ UInt32.random(in: 1...1_000_000) : folder.validity
            wire.put("* OK [UIDVALIDITY \(validity)] Valid\r\n")
        }
        if !does(.lacksUIDNext) {
            let fall = does(.dropsUIDNext) ? min(selections, folder.next - 1) : 0
            wire.put("* OK [UIDNEXT \(folder.next - fall)] Next\r\n")
        }
        complete(command, isReadOnly ? "OK [READ-ONLY] Done" : "OK [READ-WRITE] Done")
    }

    /// What others changed in the selected mailbox since the client was told.
    func tellNews() {
        guard let selected, let folder = mailbox.folder(selected) else { return }
        let current = Dictionary(folder.messages.map { ($0.uid, $0.flags) }, uniquingKeysWith: { first, _ in first })
        for index in known.indices.reversed() where current[known[index].uid] == nil {
            wire.put("* \(index + 1) EXPUNGE\r\n")
            known.remove(at: index)
        }
        for index in known.indices {
            guard let flags = current[known[index].uid], flags != known[index].flags else { continue }
            known[index].flags = flags
            wire.put("* \(index + 1) FETCH (UID \(known[index].uid) FLAGS (\(Self.text(flags))))\r\n")
        }
        let last = known.last?.uid ?? 0
        let new = folder.messages.filter { $0.uid > last }
        guard !new.isEmpty else { return }
        known += new.map { ($0.uid, $0.flags) }
        wire.put("* \(known.count) EXISTS\r\n")
    }

    static func text(_ flags: [[UInt8]]) -> String {
        flags.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }

    // MARK: Listing

    private func list(_ command: Command) async throws {
        var command = command
        let name = command.name
        _ = command.octets()
        let pattern = command.octets() ?? []
        if pattern.isEmpty {
            wire.put("* LIST (\\Noselect) \"/\" \"\"\r\n")
            return complete(command)
        }
        if does(.listsNothing) { return complete(command) }
        if does(.listsWithoutEnd) {
            var number = 0
            while true {
                number += 1
                try await wire.say((0..<100).map { "* LIST () \"/\" \"Folder \(number).\($0)\"\r\n" }.joined())
            }
        }
        if does(.listsHostileNames) { putHostileNames() }
        if does(.listsDeepFolders) {
            let deep = Array(repeating: "a", count: 2_000).joined(separator: "/")
            wire.put("* LIST () \"/\" {\(deep.utf8.count)}\r\n\(deep)\r\n")
        }
        let all = mailbox.with { $0.folders.mapValues(\.isSubscribed) }
        for (path, isSubscribed) in all.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            guard name == "LIST" || isSubscribed, Self.matches(path, pattern) else { continue }
            wire.put("* \(name) () \"/\" ")
            put(string: path)
            wire.put("\r\n")
        }
        complete(command)
    }

    func put(string octets: [UInt8]) {
        wire.put("{\(octets.count)}\r\n")
        wire.put(octets)
    }

    /// `*` and `%` at the end, or the name itself: what clients ask for.
    private static func matches(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
        switch pattern.last {
        case ASCII.asterisk: name.starts(with: pattern.dropLast())
        case UInt8(ascii: "%"):
            name.starts(with: pattern.dropLast()) && !name.dropFirst(pattern.count - 1).contains(ASCII.slash)
        default: name == pattern
        }
    }

    private func putHostileNames() {
        let names: [[UInt8]] = [
            Array("a\r\nb".utf8), [0x61, 0, 0x62], Array("../../etc/passwd".utf8), Array("&AGE-&-".utf8),
            Array("&!!!-".utf8), [0xFF, 0xFE, 0xC0], Array("//".utf8), Array("inbox".utf8), Array("INBOX/INBOX".utf8),
            [UInt8](repeating: 0x78, count: 65_536), Array("\u{202E}evil\u{2028}".utf8), [],
        ]
        for name in names {
            wire.put("* LIST () \"/\" ")
            put(string: name)
            wire.put("\r\n")
        }
        wire.put(
            "* LIST () \"\\\"\" quoted\r\n* LIST () NIL flat\r\n* LIST (\\Noselect \\Trash \\Sent) \"/\" Roles\r\n"
        )
    }

    private func status(_ command: Command) {
        var command = command
        let name = command.octets() ?? []
        guard let folder = mailbox.folder(name), !does(.refusesStatus) else {
            return complete(command, "NO [NONEXISTENT] No status")
        }
        let most = does(.tellsWrongStatus) ? "4294967295" : nil
        let items = command.list().compactMap { item -> String? in
            switch String(decoding: item.map(ASCII.uppercased), as: UTF8.self) {
            case "MESSAGES": "MESSAGES \(most ?? "\(folder.messages.count)")"
            case "RECENT": "RECENT 0"
            case "UNSEEN": "UNSEEN \(most ?? "\(folder.messages.count { !$0.has("\\Seen") })")"
            case "UIDNEXT": does(.lacksUIDNext) ? nil : "UIDNEXT \(most ?? "\(folder.next)")"
            case "UIDVALIDITY": does(.lacksUIDValidity) ? nil : "UIDVALIDITY \(most ?? "\(folder.validity)")"
            default: nil
            }
        }
        wire.put("* STATUS ")
        put(string: name)
        wire.put(" (\(items.joined(separator: " ")))\r\n")
        complete(command)
    }
}
