// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import Storage
import Wire

// LIST with its extensions (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154), and LSUB.
extension IMAPMailbox {
    /// Octets of a LIST's patterns: each name is looked at so many times.
    private static let patternOctets = 2048

    /// What is there to be listed: folders, and names that are subscribed to.
    private struct Listing: Sendable {
        var folders: [FolderRow]
        var subscriptions: Set<FolderName>
    }

    func list(
        _ request: IMAPListRequest,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        guard request.verb != .xlist else { return IMAPStatus(.bad, nil, "Not known here") }
        if request.patterns == [[]], request.selections.isEmpty {
            // The root of the names, which is none itself.
            responses.write(.list(entry(request, [.noSelect], IMAPMailboxName(octets: []))))
            return .done
        }
        let octets = request.patterns.reduce(0) { $0 + $1.count + request.reference.count }
        guard octets <= Self.patternOctets else { throw Refusal(.no, .limit, "The patterns are too long") }
        let key = try account.key
        let listing = try await store.read { snapshot in
            Listing(
                folders: try snapshot.folders.list(of: key),
                subscriptions: Set(try snapshot.folders.subscriptions(of: key))
            )
        }
        let patterns = request.patterns.map { MailboxPattern($0, reference: request.reference) }
        let isSubscribed = request.verb == .lsub || request.selections.contains(.subscribed)
        if isSubscribed {
            try await listSubscribed(request, listing, patterns, session, responses)
        } else {
            try await listAll(request, listing, patterns, session, responses)
        }
        return .done
    }

    private func entry(
        _ request: IMAPListRequest,
        _ attributes: IMAPListEntry.Attributes,
        _ mailbox: IMAPMailboxName,
        hasSubscribedChildren: Bool = false
    ) -> IMAPListEntry {
        IMAPListEntry(
            mailbox,
            kind: request.verb == .lsub ? .lsub : .list,
            attributes: attributes,
            separator: ASCII.slash,
            hasSubscribedChildren: hasSubscribedChildren
        )
    }

    private func name(_ folder: FolderName, _ session: IMAPServerSession) -> IMAPMailboxName {
        IMAPMailboxName(folder.text, isUTF8: session.isUTF8)
    }

    /// Special use, and whether there are folders below it.
    private func attributes(
        of folder: FolderRow,
        _ parents: Set<FolderName>
    ) -> IMAPListEntry.Attributes {
        var attributes: IMAPListEntry.Attributes = parents.contains(folder.name) ? .hasChildren : .hasNoChildren
        if let use = IMAPListEntry.uses.first(where: { $0.role == folder.role }) { attributes.insert(use.attribute) }
        return attributes
    }

    // MARK: All

    private func listAll(
        _ request: IMAPListRequest,
        _ listing: Listing,
        _ patterns: [MailboxPattern],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws {
        let parents = Set(listing.folders.compactMap(\.name.parent))
        for folder in listing.folders {
            await Task.yield()
            let name = name(folder.name, session)
            guard patterns.contains(where: { $0.matches(name.octets) }) else { continue }
            var attributes = attributes(of: folder, parents)
            if request.selections.contains(.specialUse), !IMAPListEntry.uses.contains(where: { $0.role == folder.role })
            {
                continue
            }
            if request.returns.contains(.subscribed), listing.subscriptions.contains(folder.name) {
                attributes.insert(.subscribed)
            }
            responses.write(.list(entry(request, attributes, name)))
            try await tellStatus(of: folder, name, request.status, responses)
        }
    }

    private func tellStatus(
        of folder: FolderRow,
        _ name: IMAPMailboxName,
        _ items: [IMAPMailboxStatus.Item],
        _ responses: IMAPServerResponses
    ) async throws {
        guard !items.isEmpty else { return try await responses.relieve() }
        let context = context
        let status = try await store.read { snapshot -> IMAPMailboxStatus? in
            guard let now = try snapshot.folders.get(folder.key, in: folder.account) else { return nil }
            return try Self.status(name, items, of: now, context, snapshot)
        }
        if let status { responses.write(.mailboxStatus(status)) }
        try await responses.relieve()
    }

    // MARK: What is subscribed to

    private func listSubscribed(
        _ request: IMAPListRequest,
        _ listing: Listing,
        _ patterns: [MailboxPattern],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws {
        let folders = Dictionary(uniqueKeysWithValues: listing.folders.map { ($0.name, $0) })
        let parents = Set(listing.folders.compactMap(\.name.parent))
        let isRecursive = request.verb == .lsub || request.selections.contains(.recursiveMatch)
        let holders = isRecursive ? await holders(listing.subscriptions, patterns, session) : []
        for (folderName, isSubscribed) in candidates(listing.subscriptions, withParents: isRecursive) {
            await Task.yield()
            let name = name(folderName, session)
            guard patterns.contains(where: { $0.matches(name.octets) }) else { continue }
            let folder = folders[folderName]
            let isHolder = holders.contains(folderName)
            if !isSubscribed, !isHolder { continue }
            var attributes = folder.map { self.attributes(of: $0, parents) } ?? []
            if request.verb == .lsub {
                // Which says so of a name that is there only for what is below it (RFC 3501 §6.3.9).
                attributes = isSubscribed ? [] : .noSelect
            } else {
                if folder == nil { attributes.insert(.nonExistent) }
                if isSubscribed { attributes.insert(.subscribed) }
                if request.selections.contains(.specialUse), folder?.role == nil || folder?.role == .inbox { continue }
            }
            responses.write(
                .list(
                    entry(
                        request,
                        attributes,
                        name,
                        hasSubscribedChildren: isHolder && request.verb == .list
                    )
                )
            )
            if let folder { try await tellStatus(of: folder, name, request.status, responses) }
        }
    }

    /// The names, and those that they are below of; each with whether it is subscribed to itself.
    private func candidates(_ names: Set<FolderName>, withParents: Bool) -> [(FolderName, Bool)] {
        var all = names
        if withParents {
            for name in names {
                var level = name.parent
                while let parent = level, all.insert(parent).inserted { level = parent.parent }
            }
        }
        return all.sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }.map { ($0, names.contains($0)) }
    }

    /// The names below which something is subscribed to that no pattern shows.
    private func holders(
        _ names: Set<FolderName>,
        _ patterns: [MailboxPattern],
        _ session: IMAPServerSession
    ) async -> Set<FolderName> {
        var holders: Set<FolderName> = []
        for name in names {
            await Task.yield()
            let octets = self.name(name, session).octets
            if patterns.contains(where: { $0.matches(octets) }) { continue }
            var level = name.parent
            while let parent = level, holders.insert(parent).inserted { level = parent.parent }
        }
        return holders
    }
}
