// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Storage

@Suite struct ThreadsTests {
    private let test: TestStore
    private let store: Store

    init() throws {
        test = try TestStore()
        store = test.store
    }

    /// What arrives, and which of them are then in one thread: letters stand for threads.
    struct Story: CustomTestStringConvertible, Sendable {
        let name: String
        let messages: [(id: String?, references: [String])]
        let threads: String
        var testDescription: String { name }
    }

    @Test(arguments: [
        Story(name: "alone", messages: [("<1>", []), ("<2>", [])], threads: "ab"),
        Story(name: "a reply", messages: [("<1>", []), ("<2>", ["<1>"])], threads: "aa"),
        Story(name: "the reply first", messages: [("<2>", ["<1>"]), ("<1>", [])], threads: "aa"),
        Story(name: "siblings of one not here", messages: [("<2>", ["<1>"]), ("<3>", ["<1>"])], threads: "aa"),
        Story(
            name: "a link that comes late",
            messages: [("<1>", []), ("<3>", ["<2>"]), ("<2>", ["<1>"])],
            threads: "aaa"
        ),
        Story(
            name: "three threads in one",
            messages: [("<1>", []), ("<2>", []), ("<3>", []), ("<4>", ["<3>", "<1>", "<2>"])],
            threads: "aaaa"
        ),
        Story(name: "no Message-ID", messages: [(nil, []), (nil, [])], threads: "ab"),
        Story(name: "no Message-ID, but references", messages: [("<1>", []), (nil, ["<1>"])], threads: "aa"),
        Story(name: "the same Message-ID", messages: [("<1>", []), ("<1>", [])], threads: "aa"),
        Story(name: "octets, not text", messages: [("<é>", []), ("<e\u{301}>", [])], threads: "ab"),
    ])
    func messagesThatNameEachOtherAreTogether(_ story: Story) async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        var rows: [MessageRow] = []
        for (index, message) in story.messages.enumerated() {
            rows.append(
                try await test.deliver("\(index)", to: inbox, id: message.id, references: message.references)
            )
        }
        var letters: [ThreadKey: Character] = [:]
        var found = ""
        for row in rows {
            let thread = try #require(try await test.current(row)).thread
            let letter = letters[thread] ?? Character(UnicodeScalar(UInt8(0x61 + letters.count)))
            letters[thread] = letter
            found.append(letter)
        }
        #expect(found == story.threads)
        try await test.expectSound()
    }

    @Test func accountsDoNotShareThreads() async throws {
        let ann = try await test.account()
        let bob = try await test.account("bob")
        let first = try await test.deliver("1", to: try await test.folder(.inbox, of: ann), id: "<1>")
        let second = try await test.deliver(
            "2",
            to: try await test.folder(.inbox, of: bob),
            id: "<2>",
            references: ["<1>"]
        )
        #expect(first.thread != second.thread)
    }

    @Test func joiningIsAChangeOfTheMessages() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        try await test.deliver("1", to: inbox, id: "<1>")
        let second = try await test.deliver("2", to: inbox, id: "<2>")
        let link = try await test.deliver("3", to: inbox, id: "<3>", references: ["<1>", "<2>"])
        let changed = try #require(try await test.current(second))
        #expect(changed.thread == link.thread)
        let ids = try await store.read { snapshot in
            try [second, link].map { try snapshot.messages.get($0.id, in: account.key) { $0.text("threadId") } }
        }
        #expect(ids[0] != nil)
        #expect(ids[0] == ids[1])
        #expect(changed.modseq > second.modseq)
        #expect(try await test.events(of: account).contains { $0.type == "thread.merged" })
    }

    @Test func threadsAreListedByTheirNewestMessage() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let archive = try await test.folder(.archive, of: account)
        for n in 1...4 { try await test.deliver("\(n)", to: inbox, date: Int64(n) * 1000, id: "<\(n)>") }
        let reply = try await test.deliver("re", to: archive, date: 9000, id: "<re>", references: ["<2>"])
        func list(_ folder: FolderRow?, after cursor: MessageCursor?, limit: Int) async throws -> [ThreadRow] {
            try await store.read {
                try $0.threads.list(in: account.key, folder: folder?.key, after: cursor, limit: limit)
            }
        }
        let first = try await list(nil, after: nil, limit: 2)
        #expect(first.map(\.latest.milliseconds) == [9000, 4000])
        #expect(first.map(\.total) == [2, 1])
        let second = try await list(nil, after: first.last?.cursor, limit: 9)
        #expect(second.map(\.latest.milliseconds) == [3000, 1000])
        #expect(try await list(archive, after: nil, limit: 9).map(\.key) == [reply.thread])
        try await store.write { try $0.messages.expunge(reply) }
        #expect(try await list(nil, after: nil, limit: 9).map(\.latest.milliseconds) == [4000, 3000, 2000, 1000])
        try await test.expectSound()
    }

    /// Of a thread whose messages are gone nothing is left but its links, and dates go back before 1970.
    @Test func theNewestOfJoinedThreadsIsThatOfTheirMessages() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let gone = try await test.deliver("1", to: inbox, id: "<1>")
        let kept = try await test.deliver("2", to: inbox, date: -9000, id: "<2>")
        try await store.write { try $0.messages.expunge(gone) }
        let link = try await test.deliver("3", to: inbox, date: -5000, id: "<3>", references: ["<1>", "<2>"])
        #expect(try await test.current(kept)?.thread == link.thread)
        let threads = try await store.read { try $0.threads.list(in: account.key, limit: 9) }
        #expect(threads.map(\.latest.milliseconds) == [-5000])
        try await test.expectSound()
    }
}
