// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing

@testable import Storage

@Suite struct FolderNameTests {
    @Test(arguments: [
        ("Work", "Work"), ("inbox", "INBOX"), ("InBox/Sub", "INBOX/Sub"), ("Sub/inbox", "Sub/inbox"),
        ("e\u{301}t\u{E9}", "\u{E9}t\u{E9}"), ("日本/語", "日本/語"), ("a b", "a b"), ("\u{212A}", "K"),
        (String(repeating: "x", count: 255), String(repeating: "x", count: 255)),
    ]) func isComposed(_ text: String, _ expected: String) throws {
        #expect(Array(try FolderName(text).text.utf8) == Array(expected.utf8))
    }

    @Test(arguments: [
        "", "/", "a/", "/a", "a//b", "a\nb", "a\r\nb", "a\u{0}", "a\u{7F}", "a\u{85}b", " a", "a ", "a/ b",
        String(repeating: "x", count: 256), String(repeating: "é", count: 128),
        "e" + String(repeating: "\u{301}\u{323}", count: 1 << 18),
        Array(repeating: "a", count: 33).joined(separator: "/"),
    ]) func isRefused(_ text: String) {
        #expect(throws: StoreError.self) { try FolderName(text) }
    }
}

@Suite struct FoldersTests {
    private let test: TestStore
    private let store: Store

    init() throws {
        test = try TestStore()
        store = test.store
    }

    private func names(_ account: AccountRow) async throws -> [String] {
        try await store.read { try $0.folders.list(of: account.key).map(\.name.text) }
    }

    private func create(_ name: String, _ account: AccountRow) async throws -> FolderRow {
        try await store.write { try $0.folders.create(FolderName(name), in: account.key) }
    }

    @Test func anAccountBeginsWithTheUsualFolders() async throws {
        let account = try await test.account()
        #expect(try await names(account) == ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"])
        for role in FolderRole.allCases {
            #expect(try await store.read { try $0.folders.find(role.rawValue, in: account.key)?.role } == role)
        }
    }

    @Test func parentsAreMadeAndNamesAreUnique() async throws {
        let account = try await test.account()
        _ = try await create("a/b/c", account)
        #expect(try await names(account).filter { $0.utf8.first == 0x61 } == ["a", "a/b", "a/b/c"])
        await #expect(throws: StoreError.alreadyExists(.folder)) { try await create("a/b", account) }
        await #expect(throws: StoreError.alreadyExists(.folder)) { try await create("iNbOx", account) }
        // Composed and decomposed are one name, upper and lower case are two.
        _ = try await create("\u{E9}", account)
        await #expect(throws: StoreError.alreadyExists(.folder)) { try await create("e\u{301}", account) }
        _ = try await create("A", account)
        try await test.expectSound()
    }

    @Test func renamingTakesTheChildrenAlong() async throws {
        let account = try await test.account()
        let a = try await create("a", account)
        let child = try await create("a/b/c", account)
        _ = try await create("ab", account)
        _ = try await create("a0", account)
        let message = try await test.deliver("kept", to: child)
        _ = try await store.write { try $0.folders.rename(a, to: FolderName("x/y")) }
        #expect(
            try await names(account).filter { !["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"].contains($0) }
                == ["a0", "ab", "x", "x/y", "x/y/b", "x/y/b/c"]
        )
        #expect(try await test.current(child).name.text == "x/y/b/c")
        #expect(try await test.current(child).uidValidity == child.uidValidity)
        #expect(try await test.current(message)?.folder == child.key)
        let events = try await test.events(of: account).filter { $0.type == "folder.renamed" }
        #expect(events.count == 3)
        try await test.expectSound()
    }

    @Test func whatCannotBeRenamedOrDeleted() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let a = try await create("a", account)
        let b = try await create("a/b", account)
        await #expect(throws: StoreError.protected) {
            try await store.write { try $0.folders.rename(inbox, to: FolderName("x")) }
        }
        await #expect(throws: StoreError.protected) { try await store.write { try $0.folders.delete(inbox) } }
        await #expect(throws: StoreError.notEmpty) { try await store.write { try $0.folders.delete(a) } }
        await #expect(throws: StoreError.alreadyExists(.folder)) {
            try await store.write { try $0.folders.rename(a, to: FolderName("INBOX")) }
        }
        await #expect(throws: StoreError.invalidName("a folder cannot be moved into itself")) {
            try await store.write { try $0.folders.rename(a, to: FolderName("a/b/c")) }
        }
        try await test.deliver("x", to: b)
        await #expect(throws: StoreError.notEmpty) { try await store.write { try $0.folders.delete(b) } }
        #expect(try await names(account).count == 8)
    }

    @Test func aDeletedFolderLeavesTombstonesAndItsNameANewUIDValidity() async throws {
        let account = try await test.account()
        let folder = try await create("a", account)
        let archive = try await test.folder(.archive, of: account)
        let kept = try await test.deliver("1", to: folder, date: 1000, id: "<1>")
        try await test.deliver(
            "2",
            to: folder,
            flags: MessageFlags([.seen]),
            date: 5000,
            id: "<2>",
            references: ["<1>"]
        )
        let copy = try await store.write { try $0.messages.copy(kept, to: archive) }
        try await store.write { try $0.folders.delete(folder, withMessages: true) }
        #expect(try await test.current(kept) == nil)
        let thread = try await store.read { snapshot in try snapshot.threads.list(in: account.key, limit: 5) }
        #expect(thread.map(\.key) == [copy.thread])
        #expect(thread.first?.latest == copy.internalDate)
        #expect(try await store.read { try $0.messages.expunged(from: folder, since: 0) } == [1, 2])
        let again = try await create("a", account)
        #expect(again.uidValidity > folder.uidValidity)
        #expect(again.id != folder.id)
        try await test.expectSound()
        test.advance(milliseconds: 120_000)
        try await store.sweep()
        try await test.expectSound()
    }
}
