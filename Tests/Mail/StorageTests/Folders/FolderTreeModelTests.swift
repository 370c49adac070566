// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing

@testable import Storage

/// Folders by their names, with the subjects of their messages: what the store must be like, without a database.
private struct FolderTreeModel {
    var folders: [String: (key: FolderKey, messages: [String])] = [:]

    func below(_ name: String) -> [String] { folders.keys.filter { $0.hasPrefix(name + "/") } }

    /// The names above, the outermost first.
    static func above(_ name: String) -> [String] {
        let steps = name.split(separator: "/")
        return (1..<max(steps.count, 1)).map { steps.prefix($0).joined(separator: "/") }
    }
}

@Suite struct FolderTreeModelTests {
    private static let words = ["a", "ab", "a0", "A", "é"]
    private static let usual: Set = ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]

    private func name(_ dice: inout some RandomNumberGenerator) -> String {
        (0..<Int.random(in: 1...3, using: &dice)).map { _ in Self.words.randomElement(using: &dice) ?? "a" }
            .joined(separator: "/")
    }

    /// Whatever is made, renamed, filled and deleted in whatever order: names, messages and counters are the model's.
    @Test(arguments: [11, 12, 13] as [UInt64]) func treesAreAsTheModelSays(seed: UInt64) async throws {
        let test = try TestStore()
        let account = try await test.account()
        var model = FolderTreeModel()
        var dice = Dice(state: seed)
        for step in 0..<400 {
            try await take(step, test, account, &model, &dice)
            if step % 40 == 39 { try await compare(test, account, model) }
        }
        test.advance(milliseconds: 120_000)
        try await test.store.sweep()
        try await compare(test, account, model)
    }

    private func take(
        _ step: Int,
        _ test: TestStore,
        _ account: AccountRow,
        _ model: inout FolderTreeModel,
        _ dice: inout Dice
    ) async throws {
        let new = name(&dice)
        guard let (old, known) = model.folders.sorted(by: { $0.key < $1.key }).randomElement(using: &dice),
            Int.random(in: 0..<4, using: &dice) > 0
        else { return try await create(new, test, account, &model) }
        let folder = try #require(try await test.store.read { try $0.folders.get(known.key, in: account.key) })
        switch Int.random(in: 0..<4, using: &dice) {
        case 0: try await rename(folder, old, to: new, test, &model)
        case 1:
            let withMessages = Bool.random(using: &dice)
            let isAllowed = model.below(old).isEmpty && (withMessages || known.messages.isEmpty)
            do {
                try await test.store.write { try $0.folders.delete(folder, withMessages: withMessages) }
                #expect(isAllowed)
                model.folders[old] = nil
            } catch {
                #expect(error as? StoreError == .notEmpty && !isAllowed)
            }
        default:
            let flags = Bool.random(using: &dice) ? MessageFlags([.seen]) : MessageFlags()
            let text = "text \(step % 17)"
            try await test.deliver(text, to: folder, flags: flags, id: "<\(step)>", references: ["<\(step / 9)>"])
            model.folders[old]?.messages.append(text)
        }
    }

    private func create(
        _ name: String,
        _ test: TestStore,
        _ account: AccountRow,
        _ model: inout FolderTreeModel
    ) async throws {
        let isNew = model.folders[name] == nil
        do {
            _ = try await test.store.write { try $0.folders.create(FolderName(name), in: account.key) }
            #expect(isNew)
        } catch {
            #expect(error as? StoreError == .alreadyExists(.folder) && !isNew)
        }
        try await learn(FolderTreeModel.above(name) + [name], test, account, &model)
    }

    private func rename(
        _ folder: FolderRow,
        _ old: String,
        to new: String,
        _ test: TestStore,
        _ model: inout FolderTreeModel
    ) async throws {
        let isAllowed = new == old || model.folders[new] == nil && !new.hasPrefix(old + "/")
        do {
            _ = try await test.store.write { try $0.folders.rename(folder, to: FolderName(new)) }
            #expect(isAllowed)
        } catch {
            #expect(!isAllowed)
            return
        }
        let moved = [old] + model.below(old)
        let contents = moved.map { model.folders.removeValue(forKey: $0) }
        for (name, content) in zip(moved, contents) { model.folders[new + name.dropFirst(old.count)] = content }
        let account = try #require(try await test.store.read { try $0.accounts.get(folder.account) })
        try await learn(FolderTreeModel.above(new), test, account, &model)
    }

    /// Folders that came into being because one below them did.
    private func learn(
        _ names: [String],
        _ test: TestStore,
        _ account: AccountRow,
        _ model: inout FolderTreeModel
    ) async throws {
        for name in names where model.folders[name] == nil {
            let row = try await test.store.read { try $0.folders.find(FolderName(name), in: account.key) }
            model.folders[name] = (key: try #require(row).key, messages: [])
        }
    }

    private func compare(_ test: TestStore, _ account: AccountRow, _ model: FolderTreeModel) async throws {
        let rows = try await test.store.read { try $0.folders.list(of: account.key) }
        let found = rows.filter { !Self.usual.contains($0.name.text) }
        #expect(Set(found.map(\.name.text)) == Set(model.folders.keys) && found.count == model.folders.count)
        for row in found {
            let wanted = try #require(model.folders[row.name.text])
            #expect(row.key == wanted.key && Int(row.total) == wanted.messages.count)
        }
        let current = try #require(try await test.store.read { try $0.accounts.get(account.key) })
        let octets = model.folders.values.flatMap(\.messages).reduce(0) { $0 + $1.utf8.count }
        #expect(current.used == Int64(octets))
        try await test.expectSound()
    }
}
