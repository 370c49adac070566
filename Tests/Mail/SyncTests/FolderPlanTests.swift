// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Testing

@testable import IMAP
@testable import Sync

/// What LIST shows against what is mirrored, in a store of its own.
@Suite struct FolderPlanTests {
    private let names = RemoteFolderNames(isUTF8: false, separator: 0x2F)

    private func listed(
        _ name: String,
        _ attributes: IMAPListEntry.Attributes = [],
        validity: UInt32 = 7,
        next: UInt32 = 10,
        id: String? = nil
    ) -> ListedFolder {
        let mailbox = IMAPMailboxName(octets: Array(name.utf8))
        var status = IMAPMailboxStatus(mailbox: mailbox)
        (status.uidValidity, status.uidNext) = (validity, next)
        status.mailboxID = id.map { Array($0.utf8) }
        let entry = IMAPListEntry(mailbox, attributes: attributes, separator: 0x2F)
        return ListedFolder(entry: entry, status: status)
    }

    /// The folders of an account after each plan was carried out.
    private func carriedOut(_ lists: [[ListedFolder]]) async throws -> (plans: [FolderPlan], folders: [MirroredFolder])
    {
        let place = try TemporaryStore()
        defer { place.close() }
        let address = try #require(EmailAddress("ann@example.net"))
        let account = try await place.store.write {
            try $0.accounts.create(NewAccount(kind: .imap, address: address))
        }
        var plans: [FolderPlan] = []
        for list in lists {
            let mirrored = try await place.store.read { try $0.mirror.folders(of: account.key) }
            let plan = FolderPlan(listed: list, mirrored: mirrored, names: names)
            plans.append(plan)
            try await place.store.write { tx in
                for rename in plan.renamed { try tx.mirror.rename(rename.folder, to: rename.name, rename.remote) }
                for folder in plan.removed { try tx.mirror.remove(folder) }
                for added in plan.added {
                    var remote = added.remote
                    (remote.uidValidity, remote.uidNext, remote.low) = (7, 10, 10)
                    try tx.mirror.add(added.name, role: added.role, remote, to: account.key)
                }
            }
        }
        return (plans, try await place.store.read { try $0.mirror.folders(of: account.key) })
    }

    @Test func rolesAreTheServersWhereItHasSome() async throws {
        let said = try await carriedOut([[listed("Sent"), listed("Post", .sent), listed("inbox")]])
        #expect(said.folders.map(\.folder.role) == [.inbox, .sent, nil])
        let unsaid = try await carriedOut([[listed("Sent"), listed("Post"), listed("INBOX")]])
        #expect(unsaid.folders.map(\.folder.role) == [.inbox, nil, .sent])
    }

    @Test func aFolderWithTheSameUIDsWasRenamed() async throws {
        let done = try await carriedOut([
            [listed("A", next: 10), listed("B", validity: 8)], [listed("C", next: 10), listed("B", validity: 8)],
        ])
        #expect(done.plans[1].renamed.map(\.name.text) == ["C"])
        #expect(done.plans[1].added.isEmpty && done.plans[1].removed.isEmpty)
    }

    @Test func anIDDecidesWhichFolderWasRenamed() async throws {
        let done = try await carriedOut([
            [listed("A", id: "1"), listed("B", id: "2"), listed("C"), listed("D"), listed("E", id: "5")],
            [listed("F", id: "2"), listed("G", id: "3"), listed("H"), listed("I", id: "4"), listed("J", id: "6")],
        ])
        let plan = done.plans[1]
        #expect(plan.renamed.map { "\($0.folder.name.text) \($0.name.text)" } == ["B F", "C G", "A H", "D I"])
        #expect(plan.added.map(\.name.text) == ["J"])
        #expect(plan.removed.map(\.name.text) == ["E"])
    }

    @Test func aNameIsTakenOverOnce() async throws {
        let done = try await carriedOut([
            [listed("N/x", validity: 2)],
            [listed("N/x", validity: 2), listed("N", validity: 3), listed("N", validity: 4)],
        ])
        #expect(done.plans[1].added.map(\.name.text) == ["N"] && done.plans[1].unnamed.count == 1)
        #expect(done.plans[1].removed.isEmpty)
    }

    @Test func whatIsGoneGoesAndWhatCannotBeSelectedIsLeftOut() async throws {
        let done = try await carriedOut([
            [listed("A", validity: 1), listed("N", .noSelect), listed("N/x", validity: 2)],
            [listed("N/x", validity: 2)],
        ])
        #expect(done.plans[1].removed.map(\.name.text) == ["A"])
        #expect(done.folders.map(\.folder.name.text) == ["N", "N/x"] && done.folders[0].remote == nil)
        #expect(
            try await carriedOut([[listed("N/x")], [listed("N/x"), listed("N", validity: 3)]]).folders[0].remote != nil
        )
    }
}
