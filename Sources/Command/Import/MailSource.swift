// SPDX-License-Identifier: Apache-2.0

internal import Files
internal import Wire

/// A place with mail in it: an mbox file, a Maildir, a file with one message, or a directory of any of them.
enum MailSource: Equatable {
    case mbox(path: String, folder: String)
    /// A message in a file of its own, with the flags its name says.
    case message(path: String, folder: String, key: String, flags: [String], isMaildir: Bool)

    /// The folder below the source that its messages go to.
    var folder: String {
        switch self {
        case .mbox(_, let folder), .message(_, let folder, _, _, _): folder
        }
    }

    var path: String {
        switch self {
        case .mbox(let path, _), .message(let path, _, _, _, _): path
        }
    }

    /// Names the source below `root` so that it stays the same while a Maildir moves its files and changes their flags.
    func name(below root: String) -> String {
        switch self {
        case .mbox(let path, _): String(path.dropFirst(root.count))
        case .message: ""
        }
    }

    /// What lies at `path`, in the order in which it is taken: a file by its first octets, a Maildir by its `cur` and
    /// `new`.
    ///
    /// Symbolic links to directories below `path` are not followed, so that a circle of them has an end; pipes, sockets
    /// and devices are left out. What cannot be looked at is among what was found, and said to be unreadable in its turn.
    static func found(at path: String) throws(FileError) -> [MailSource] {
        guard try Files.status(path).isDirectory else { return [file(path, folder: "", key: lastName(path))] }
        _ = try Files.list(path)
        var found: [MailSource] = []
        var waiting: [(path: String, folder: String)] = [(path, "")]
        while let (directory, folder) = waiting.popLast() {
            guard let names = sortedNames(directory) else {
                found.append(.message(path: directory, folder: folder, key: directory, flags: [], isMaildir: false))
                continue
            }
            let isMaildir = names.contains("cur") && names.contains("new")
            if isMaildir { found += maildir(directory, folder: folder) }
            var below: [(path: String, folder: String)] = []
            for name in names where !isMaildir || name.utf8.first == ASCII.dot && name.utf8.count > 1 {
                let entry = "\(directory)/\(name)"
                let status = try? Files.status(entry)
                if status?.isDirectory == true {
                    if (try? Files.isSymbolicLink(entry)) == false {
                        below.append((entry, subfolder(name, of: folder, isMaildir)))
                    }
                } else if !isMaildir, name.utf8.first != ASCII.dot, status?.isRegular != false {
                    found.append(file(entry, folder: folder, key: name))
                }
            }
            waiting += below.reversed()
        }
        return found
    }

    private static func sortedNames(_ directory: String) -> [String]? {
        (try? Files.list(directory))?.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Maildir++ writes `Archive/2025` as a directory `.Archive.2025` beside `cur`.
    private static func subfolder(_ name: String, of folder: String, _ isMaildir: Bool) -> String {
        let own = isMaildir ? String(name.dropFirst()).replacing(".", with: "/") : name
        return folder.isEmpty ? own : "\(folder)/\(own)"
    }

    private static func lastName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private static func file(_ path: String, folder: String, key: String) -> MailSource {
        let start = try? File(path, .read).read(at: 0, count: 5)
        return start == Array("From ".utf8)
            ? .mbox(path: path, folder: folder)
            : .message(path: path, folder: folder, key: key, flags: [], isMaildir: false)
    }

    private static func maildir(_ path: String, folder: String) -> [MailSource] {
        var found: [MailSource] = []
        for directory in ["\(path)/cur", "\(path)/new"] {
            guard let names = sortedNames(directory) else {
                found.append(.message(path: directory, folder: folder, key: directory, flags: [], isMaildir: true))
                continue
            }
            for name in names where name.utf8.first != ASCII.dot {
                let file = "\(directory)/\(name)"
                guard (try? Files.status(file))?.isRegular != false else { continue }
                let (unique, flags) = maildirName(name)
                found.append(.message(path: file, folder: folder, key: unique, flags: flags, isMaildir: true))
            }
        }
        return found
    }

    /// `1743580800.M1P2.host,S=12:2,FS`: the unique part, which stays when flags change, and the flags.
    static func maildirName(_ name: String) -> (unique: String, flags: [String]) {
        guard let range = name.firstRange(of: ":2,") else { return (name, []) }
        let meanings: [Character: String] = [
            "S": "seen", "R": "answered", "F": "flagged", "T": "deleted", "D": "draft", "P": "$forwarded",
        ]
        return (String(name[..<range.lowerBound]), name[range.upperBound...].compactMap { meanings[$0] })
    }

    /// Hands over each message; `limit` is the largest that is read.
    func forEach(limit: Int, _ body: (ImportItem) throws -> Void) throws {
        switch self {
        case .mbox(let path, let folder):
            let file = try File(path, .read)
            var reader = MboxReader(limit: limit) { try file.read(at: $0, count: $1) }
            while let item = try reader.next() { try body(Self.placed(item, in: folder)) }
        case .message(let path, let folder, let key, let flags, let isMaildir):
            try body(Self.item(path, folder: folder, key: key, flags: flags, isDated: isMaildir, limit: limit))
        }
    }

    private static func placed(_ item: ImportItem, in folder: String) -> ImportItem {
        guard case .message(let message) = item else { return item }
        return .message(
            .init(
                key: message.key,
                folder: folder,
                flags: message.flags,
                internalDate: message.internalDate,
                octets: message.octets
            )
        )
    }

    /// `isDated`: the file's time of change is when the message arrived, as Maildir has it.
    private static func item(
        _ path: String,
        folder: String,
        key: String,
        flags: [String],
        isDated: Bool,
        limit: Int
    ) -> ImportItem {
        do throws(FileError) {
            let octets = try Files.contents(path, limit: limit)
            guard !octets.isEmpty else { return .unreadable(.init(key: key, reason: "the file is empty")) }
            let date = isDated ? Timestamp(milliseconds: try Files.status(path).modified) : nil
            return .message(.init(key: key, folder: folder, flags: flags, internalDate: date, octets: octets))
        } catch {
            let reason = error.isDiskFull ? "it is larger than the limit of \(limit) octets" : error.description
            return .unreadable(.init(key: key, reason: reason))
        }
    }
}
