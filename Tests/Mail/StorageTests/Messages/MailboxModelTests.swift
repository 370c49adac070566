// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Storage

/// What mailboxes are by the rules of RFC 9051 and RFC 7162, without a database.
private struct MailboxModel {
    struct Message: Hashable {
        let id: PlacementID
        var folder: Int
        var uid: UInt32
        var flags: MessageFlags
        let text: String
        var modseq: UInt64
    }

    var messages: [PlacementID: Message] = [:]
    var uidNext: [UInt32]
    var gone: [[UInt32: UInt64]]

    init(folders: Int) {
        uidNext = Array(repeating: 1, count: folders)
        gone = Array(repeating: [:], count: folders)
    }

    mutating func takeUID(_ folder: Int) -> UInt32 {
        defer { uidNext[folder] += 1 }
        return uidNext[folder]
    }
}

@Suite struct MailboxModelTests {
    /// Whatever is done in whatever order, the store is as the model is.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func theStoreDoesWhatTheModelDoes(seed: UInt64) async throws {
        let test = try TestStore()
        let account = try await test.account()
        let roles: [FolderRole] = [.inbox, .archive, .trash]
        var folders: [FolderRow] = []
        for role in roles { folders.append(try await test.folder(role, of: account)) }
        var model = MailboxModel(folders: folders.count)
        var dice = Dice(state: seed)
        for step in 0..<300 {
            try await take(step, test, folders, &model, &dice)
            if step % 50 == 49 { try await compare(test, account, folders, model) }
        }
        test.advance(milliseconds: 120_000)
        try await test.store.sweep()
        try await compare(test, account, folders, model)
    }

    private func take(
        _ step: Int,
        _ test: TestStore,
        _ folders: [FolderRow],
        _ model: inout MailboxModel,
        _ dice: inout Dice
    ) async throws {
        let target = Int.random(in: 0..<folders.count, using: &dice)
        let folder = folders[target]
        let known = model.messages.values.sorted { $0.modseq < $1.modseq }.randomElement(using: &dice)
        guard let known, Int.random(in: 0..<10, using: &dice) > 2 else {
            let text = "text \(Int.random(in: 0..<40, using: &dice))"
            let flags: MessageFlags = Bool.random(using: &dice) ? MessageFlags([.seen]) : MessageFlags()
            let row = try await test.deliver(
                text,
                to: folder,
                flags: flags,
                id: "<\(text)>",
                references: ["<text \(step % 40)>"]
            )
            add(row, target, text, &model)
            return
        }
        let row = try #require(try await test.store.read { try $0.messages.find(known.id, in: folder.account) })
        switch Int.random(in: 0..<5, using: &dice) {
        case 0:
            let copy = try await test.store.write { try $0.messages.copy(row, to: folder) }
            add(copy, target, known.text, &model)
        case 1:
            let moved = try await test.store.write { try $0.messages.move(row, to: folder) }
            guard target != known.folder else {
                #expect(moved == row)
                return
            }
            model.gone[known.folder][known.uid] = moved.modseq
            let uid = model.takeUID(target)
            model.messages[known.id]?.folder = target
            model.messages[known.id]?.uid = uid
            model.messages[known.id]?.modseq = moved.modseq
        case 2:
            try await test.store.write { try $0.messages.expunge(row) }
            let modseq = try await test.store.read { try $0.accounts.get(folder.account)?.modseq }
            model.gone[known.folder][known.uid] = modseq
            model.messages[known.id] = nil
        default:
            let words = MessageFlags(
                SystemFlags(rawValue: UInt8.random(in: 0..<32, using: &dice)),
                keywords: Bool.random(using: &dice) ? ["k"] : []
            )
            let change: FlagChange =
                Bool.random(using: &dice) ? .set(words) : .change(add: words, remove: MessageFlags([.seen]))
            let changed = try await test.store.write { try $0.messages.setFlags(of: row, change) }
            let expected = change.applied(to: known.flags)
            #expect((changed.modseq > row.modseq) == (expected != known.flags))
            model.messages[known.id]?.flags = expected
            model.messages[known.id]?.modseq = changed.modseq
        }
    }

    private func add(_ row: MessageRow, _ folder: Int, _ text: String, _ model: inout MailboxModel) {
        #expect(model.messages[row.id] == nil)
        #expect(model.messages.values.allSatisfy { $0.modseq < row.modseq })
        model.messages[row.id] = MailboxModel.Message(
            id: row.id,
            folder: folder,
            uid: model.takeUID(folder),
            flags: row.flags,
            text: text,
            modseq: row.modseq
        )
    }

    private func compare(
        _ test: TestStore,
        _ account: AccountRow,
        _ folders: [FolderRow],
        _ model: MailboxModel
    ) async throws {
        for (index, folder) in folders.enumerated() {
            let wanted = model.messages.values.filter { $0.folder == index }.sorted { $0.uid < $1.uid }
            let found = try await test.store.read { try $0.messages.byUID(in: folder, limit: 10_000) }
            #expect(found.map(\.id) == wanted.map(\.id))
            #expect(found.map(\.uid) == wanted.map(\.uid))
            #expect(found.map(\.flags) == wanted.map(\.flags))
            // A merge of threads changes a message too, so the store's number may be the higher one.
            #expect(zip(found, wanted).allSatisfy { $0.modseq >= $1.modseq })
            let row = try await test.current(folder)
            #expect(row.uidNext == model.uidNext[index])
            #expect(row.total == wanted.count)
            #expect(row.unread == wanted.count { !$0.flags.system.contains(.seen) })
            let middle = row.highestModseq / 2
            for modseq in [0, middle, row.highestModseq] {
                let gone = try await test.store.read { try $0.messages.expunged(from: folder, since: modseq) }
                #expect(gone == model.gone[index].filter { $0.value > modseq }.keys.sorted())
            }
        }
        let events = try await test.events(of: account)
        #expect(events.map(\.seq) == (0..<events.count).map { Int64($0 + 1) })
        try await test.expectSound()
    }
}
