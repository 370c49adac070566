// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import MailTypes
import Wire

/// A mailbox of a server's, with what LIST-STATUS told of it.
package struct IMAPFolder: Hashable, Sendable {
    package var entry: IMAPListEntry
    /// Nil where the server cannot tell that with LIST, or was not asked.
    package var status: IMAPMailboxStatus?

    package var mailbox: IMAPMailboxName { entry.mailbox }
}

extension IMAPClientSession {
    /// Of the names of all of them.
    private static var maximumFolderOctets: Int { 16 << 20 }

    /// All folders, with their special use and whether they are subscribed, where the server tells that; and with `status`,
    /// where it has LIST-STATUS.
    package func folders(status: [IMAPMailboxStatus.Item] = []) async throws -> [IMAPFolder] {
        var request = IMAPListRequest()
        if capabilities.contains(.listExtended) {
            request.returns = [.subscribed, .children]
            if capabilities.contains(.specialUse) { request.returns.append(.specialUse) }
        }
        if capabilities.contains(.listStatus) { request.status = askable(status) }
        var subscribed = IMAPListRequest(verb: .lsub)
        subscribed.patterns = request.patterns
        // Without LIST-EXTENDED it takes a second list to know what is subscribed.
        let commands: [IMAPCommand] =
            capabilities.contains(.listExtended) ? [.list(request)] : [.list(request), .list(subscribed)]
        var folders: [IMAPFolder] = []
        var octets = 0
        var places: [IMAPMailboxName: Int] = [:]
        let results = try await perform(commands) { place, told in
            switch told {
            case .response(.list(let entry)) where place == 0:
                octets += entry.mailbox.octets.count + entry.otherAttributes.reduce(0) { $0 + $1.count }
                guard folders.count < maximumFolders, octets <= Self.maximumFolderOctets else {
                    throw IMAPSessionError.tooMuch
                }
                // Some servers tell of INBOX twice.
                guard places[entry.mailbox] == nil else { return }
                places[entry.mailbox] = folders.count
                folders.append(IMAPFolder(entry: entry))
            case .response(.list(let entry)):
                if let place = places[entry.mailbox] { folders[place].entry.attributes.insert(.subscribed) }
            case .response(.mailboxStatus(let status)):
                if let place = places[status.mailbox] { folders[place].status = status }
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .message(let message): onUpdate(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
        guard results[0].condition == .ok else { throw IMAPSessionError.refused(results[0]) }
        if hasSenselessIDs { for place in folders.indices { folders[place].status?.mailboxID = nil } }
        return folders
    }

    /// The status of each folder, asked for together; nil where the server refuses one.
    ///
    /// Of a mailbox that is selected many servers tell what was when it was selected.
    package func status(
        of mailboxes: [IMAPMailboxName],
        _ items: [IMAPMailboxStatus.Item] = [.messages, .uidNext, .uidValidity, .unseen, .highestModSeq]
    ) async throws -> [IMAPMailboxStatus?] {
        let items = askable(items)
        var found = [IMAPMailboxStatus?](repeating: nil, count: mailboxes.count)
        let results = try await perform(mailboxes.map { .status($0, items) }) { place, told in
            switch told {
            case .response(.mailboxStatus(let status)): found[place] = status
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .message(let message): onUpdate(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
        for (place, result) in results.enumerated() where result.condition != .ok || hasSenselessIDs {
            if result.condition == .ok { found[place]?.mailboxID = nil } else { found[place] = nil }
        }
        return found
    }

    /// Where some ids of mailboxes were none, those that look like one may be another's.
    private var hasSenselessIDs: Bool { deviations.contains(.senselessMailboxID) }

    /// Those that the server knows.
    private func askable(_ items: [IMAPMailboxStatus.Item]) -> [IMAPMailboxStatus.Item] {
        items.filter { item in
            switch item {
            case .messages, .unseen, .uidNext, .uidValidity: true
            case .recent: !enabled.contains(.imap4rev2)
            case .deleted: capabilities.contains(.imap4rev2)
            case .highestModSeq: capabilities.contains(.condStore)
            case .size: capabilities.contains(.statusSize)
            case .mailboxID: capabilities.contains(.objectID) && !hasSenselessIDs
            case .appendLimit: capabilities.words.contains { $0.starts(with: "APPENDLIMIT".utf8) }
            }
        }
    }

    /// - Parameter role: what the folder is for, which is told where the server can keep it.
    package func createFolder(_ mailbox: IMAPMailboxName, for role: FolderRole? = nil) async throws {
        var use: IMAPListEntry.Attributes = []
        if capabilities.contains(.createSpecialUse) {
            switch role {
            case .sent: use = .sent
            case .drafts: use = .drafts
            case .trash: use = .trash
            case .junk: use = .junk
            case .archive: use = .archive
            case .inbox, nil: break
            }
        }
        try await perform(.create(mailbox, specialUse: use))
    }

    package func renameFolder(_ mailbox: IMAPMailboxName, to name: IMAPMailboxName) async throws {
        try await perform(.rename(mailbox, to: name))
    }

    package func deleteFolder(_ mailbox: IMAPMailboxName) async throws { try await perform(.delete(mailbox)) }

    package func subscribe(_ mailbox: IMAPMailboxName) async throws { try await perform(.subscribe(mailbox)) }

    package func unsubscribe(_ mailbox: IMAPMailboxName) async throws { try await perform(.unsubscribe(mailbox)) }

    /// The quotas that hold for a mailbox.
    package func quotas(of mailbox: IMAPMailboxName) async throws -> [IMAPQuota] {
        guard capabilities.contains(.quota) else { throw IMAPSessionError.unsupported(.quota) }
        var quotas: [IMAPQuota] = []
        try await perform(.quotaRoot(mailbox)) { told in
            if case .response(.quota(let quota)) = told, quotas.count < 100 { quotas.append(quota) }
        }
        return quotas
    }
}
