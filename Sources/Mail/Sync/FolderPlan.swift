// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Storage
import Wire

/// A mailbox as LIST shows it, with its STATUS where that was told.
struct ListedFolder: Sendable {
    let entry: IMAPListEntry
    var status: IMAPMailboxStatus?
}

/// What makes the mirror's folders those of the server.
struct FolderPlan: Sendable {
    struct Added: Sendable {
        let name: FolderName
        let role: FolderRole?
        let remote: RemoteFolder
    }

    struct Renamed: Sendable {
        let folder: FolderRow
        let name: FolderName
        let remote: RemoteFolder
    }

    private(set) var added: [Added] = []
    private(set) var renamed: [Renamed] = []
    private(set) var removed: [FolderRow] = []
    /// Mailboxes that no name of ours can stand for.
    private(set) var unnamed: [IMAPMailboxName] = []

    /// Whether nothing is to be done at once.
    var isEmpty: Bool { added.isEmpty && renamed.isEmpty && removed.isEmpty }

    /// Keeps what the server knows after all, and gives the folders whose messages may have gone into others.
    ///
    /// These are removed once that was looked for; one whose name is needed goes at once.
    mutating func keep(_ stillThere: Set<[UInt8]>, _ mirrored: [MirroredFolder]) -> [FolderRow] {
        let needed = Set(added.map(\.name) + renamed.map(\.name))
        let known = Set(mirrored.filter { $0.remote.map { stillThere.contains($0.path) } ?? false }.map(\.folder.key))
        let gone = removed.filter { !known.contains($0.key) }
        removed = gone.filter { needed.contains($0.name) }
        return gone.filter { !needed.contains($0.name) }
    }

    init(listed: [ListedFolder], mirrored: [MirroredFolder], names: RemoteFolderNames) {
        let selectable = listed.filter(\.entry.isSelectable)
        let known = Dictionary(
            mirrored.compactMap { folder in folder.remote.map { ($0.path, folder) } },
            uniquingKeysWith: { first, _ in first }
        )
        let present = Set(selectable.map(\.entry.mailbox.octets))
        let gone = mirrored.filter { folder in folder.remote.map { !present.contains($0.path) } ?? false }
        var missing = MissingFolders(gone)
        var taken = Set(mirrored.map(\.folder.name)).subtracting(gone.map(\.folder.name))
        // A name without a mailbox of its own is taken over.
        var bare = Set(mirrored.filter { $0.remote == nil }.map(\.folder.name))
        let saysRoles = selectable.contains { $0.entry.role != nil && $0.entry.role != .inbox }
        for listed in selectable.sorted(by: Self.isFirst) where known[listed.entry.mailbox.octets] == nil {
            let mailbox = listed.entry.mailbox
            guard let name = names.name(of: mailbox, separator: listed.entry.separator) else {
                unnamed.append(mailbox)
                continue
            }
            guard taken.insert(name).inserted else {
                if bare.remove(name) != nil {
                    add(listed, as: name, saysRoles: saysRoles)
                } else {
                    unnamed.append(mailbox)
                }
                continue
            }
            if let former = missing.take(listed), var remote = former.remote {
                remote.path = mailbox.octets
                remote.separator = listed.entry.separator
                renamed.append(Renamed(folder: former.folder, name: name, remote: remote))
            } else {
                add(listed, as: name, saysRoles: saysRoles)
            }
        }
        removed = missing.rest.map(\.folder)
    }

    private mutating func add(_ listed: ListedFolder, as name: FolderName, saysRoles: Bool) {
        var remote = RemoteFolder(path: listed.entry.mailbox.octets, separator: listed.entry.separator)
        remote.id = listed.status?.mailboxID
        let role = listed.entry.role ?? (saysRoles ? nil : UsualFolderRoles.role(of: name))
        added.append(Added(name: name, role: role, remote: remote))
    }

    /// INBOX first, so that it is there first; the outer before the inner.
    private static func isFirst(_ a: ListedFolder, _ b: ListedFolder) -> Bool {
        if a.entry.mailbox.isInbox != b.entry.mailbox.isInbox { return a.entry.mailbox.isInbox }
        return a.entry.mailbox.octets.lexicographicallyPrecedes(b.entry.mailbox.octets)
    }
}
