// SPDX-License-Identifier: Apache-2.0

import Files
import MailTypes
import Runtime
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct SearchServiceTests {
    private let fixture: SearchFixture

    init() async throws { fixture = try await SearchFixture() }

    private func withService(
        version: Int64 = 1,
        waiting milliseconds: Int = 20_000,
        _ body: (SearchService) async throws -> Void
    ) async throws {
        let service = try fixture.service(version: version, waiting: milliseconds)
        do {
            try await body(service)
        } catch {
            service.stop()
            throw error
        }
        service.stop()
    }

    private func expect(
        _ service: SearchService,
        _ text: String,
        folder: FolderKey? = nil,
        pageSize: Int = 1000,
        finds keys: [MessageKey],
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let found = try await service.all(text, folder: folder, pageSize: pageSize)
        #expect(found == keys, "\(text)", sourceLocation: location)
    }

    private func expect(
        _ service: SearchService,
        _ text: String,
        findsCount count: Int,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let found = try await service.all(text)
        #expect(found.count == count, "\(text)", sourceLocation: location)
    }

    @Test func whatOthersKnowOfWordsCountsLikeWhatTheIndexKnows() async throws {
        let messages = (0..<6).map { number in
            TestMessage(
                subject: "m\(number)",
                body: number < 2 ? "quince" : "",
                second: 1_700_000_000 + Int64(number),
                flags: number == 3 ? .seen : []
            )
        }
        let keys = try await fixture.add(messages)
        let quince = SearchQuery.Phrase(Array("quince".utf8))
        let body = SearchQuery.Phrase(Array("medlar".utf8), in: .body)
        var known = SearchHits()
        known.messages[quince] = [keys[3], keys[5], keys[1]]
        known.messages[body] = [keys[3], keys[4]]
        let expected: [(String, [Int])] = [
            ("quince", [5, 3, 1, 0]), ("-quince", [4, 2]), ("quince is:unread", [5, 1, 0]), ("subject:quince", []),
            ("quince subject:m3", [3]), ("body:medlar", [4, 3]), ("medlar", []), ("quince body:medlar", [3]),
            ("quince OR body:medlar", [5, 4, 3, 1, 0]), ("subject:m4 -quince", [4]),
        ]
        try await withService { [known] service in
            for (text, places) in expected {
                let query = try SearchQuery(parsing: Array(text.utf8).span)
                for limit in [1, 2, 100] {
                    var found: [MessageKey] = []
                    var cursor: SearchCursor?
                    repeat {
                        let page = try await service.search(
                            SearchFixture.account,
                            query,
                            known: known,
                            limit: limit,
                            after: cursor
                        )
                        found += page.messages.map(\.key)
                        cursor = page.next
                    } while cursor != nil
                    #expect(found == places.map { keys[$0] }, "\(text), \(limit) at a time")
                }
            }
        }
        let query = try SearchQuery(
            parsing: Array("quince (body:medlar OR quince) from:ann subject:m is:unread".utf8).span
        )
        #expect(query.textPhrases == [quince, body])
    }

    @Test func wordsOfManyScriptsAreFound() async throws {
        let messages = [
            TestMessage(subject: "Quarterly Größe", from: "Ann Example ann@example.com", body: "The café is open."),
            TestMessage(subject: "会议邀请", from: "王", to: "bob@example.com", body: "我们明天讨论中文邮件系统"),
            TestMessage(subject: "ภาษาไทย", cc: "eve@example.org", body: "สวัสดีครับ ที่นี่"),
            TestMessage(subject: "안녕하세요", bcc: "mal@example.net", filenames: "보고서.pdf", body: "한국어 메일입니다"),
            TestMessage(subject: "Привет Ёлка", body: "Ελλάδα שלום مرحبا"),
        ]
        let keys = try await fixture.add(messages)
        let expected: [(String, [Int])] = [
            ("grosse", [0]), ("größe", [0]), ("GRÖSSE", [0]), ("große", [0]), ("grose", []), ("gross*", [0]),
            ("cafe", [0]), ("café", [0]), ("CAF*", [0]), ("\"cafe is\"", [0]), ("\"is cafe\"", []),
            ("邮件", [1]), ("中文邮件", [1]), ("文件", []), ("系", [1]), ("统", [1]), ("王", [1]), ("subject:会议", [1]),
            ("body:会议", []), ("from:王", [1]), ("ไทย", [2]), ("ภาษา", [2]), ("สวัสดี", [2]), ("ที่", [2]),
            ("한국", [3]), ("메일", [3]), ("filename:보고서", [3]), ("filename:pdf", [3]), ("pdf", [3]),
            ("привет", [4]), ("ΕΛΛΆΔΑ", [4]), ("שלום", [4]), ("مرحبا", [4]),
            ("from:ann@example.com", [0]), ("to:bob", [1]), ("cc:eve", [2]), ("bcc:mal", [3]), ("to:eve", []),
            ("example", [3, 2, 1, 0]), ("example -ann", [3, 2, 1]), ("-example", [4]),
            ("(cafe OR 邮件) -from:王", [0]), ("-(example OR привет)", []),
        ]
        try await withService { service in
            for (text, indices) in expected {
                let found = try await service.all(text)
                #expect(Set(found) == Set(indices.map { keys[$0] }), "\(text)")
            }
        }
    }

    @Test func theDeepestAndTheLongestQueriesRun() async throws {
        let key = try await fixture.add(TestMessage(body: "alpha beta"))
        try await withService { service in
            var deep = "alpha"
            for level in 0..<SearchQuery.maximumDepth {
                deep = level.isMultiple(of: 2) ? "(beta \(deep))" : "(gamma OR \(deep))"
            }
            try await expect(service, deep, finds: [key])
            var mixed = "alpha"
            for level in 0..<SearchQuery.maximumDepth {
                mixed = level.isMultiple(of: 2) ? "(-gamma \(mixed))" : "(is:flagged OR \(mixed))"
            }
            try await expect(service, mixed, finds: [key])
            let wide = Array(repeating: "alpha", count: SearchQuery.maximumTerms)
            try await expect(service, wide.joined(separator: " "), finds: [key])
            try await expect(service, wide.joined(separator: " OR "), finds: [key])
            try await expect(service, wide.map { "-x\($0)" }.joined(separator: " "), finds: [key])
        }
    }

    @Test func conditionsOnRowsAreMet() async throws {
        let day: Int64 = 86_400
        let keys = try await fixture.add([
            TestMessage(body: "x", second: 0, size: 10, flags: [.seen]),
            TestMessage(body: "x", second: 10 * day, size: 2000, flags: [.seen, .flagged], hasAttachments: true),
            TestMessage(body: "x", second: 20 * day, size: 30_000, flags: [.answered], folder: 1),
            TestMessage(body: "x", second: -5 * day, size: 1, flags: [.draft]),
        ])
        let expected: [(String, [Int])] = [
            ("", [2, 1, 0, 3]), ("is:unread", [2, 3]), ("is:read", [1, 0]), ("-is:read", [2, 3]), ("is:flagged", [1]),
            ("is:unflagged", [2, 0, 3]), ("is:answered", [2]), ("is:draft", [3]), ("has:attachment", [1]),
            ("-has:attachment", [2, 0, 3]), ("before:1970-01-11", [0, 3]), ("since:1970-01-11", [2, 1]),
            ("on:1970-01-11", [1]), ("-on:1970-01-11", [2, 0, 3]), ("larger:10", [2, 1]), ("smaller:2000", [0, 3]),
            ("larger:1k smaller:10k", [1]), ("in:inbox", [1, 0, 3]), ("in:INBOX", [1, 0, 3]), ("in:Archive", [2]),
            ("in:nowhere", []), ("is:flagged OR in:archive", [2, 1]), ("-(is:flagged OR in:archive)", [0, 3]),
        ]
        try await withService { service in
            for (text, indices) in expected {
                try await expect(service, text, finds: indices.map { keys[$0] })
                let withWord = text.isEmpty ? "x" : "x (\(text))"
                try await expect(service, withWord, finds: indices.map { keys[$0] })
                let either = text.isEmpty ? "x OR y" : "y OR (\(text))"
                try await expect(service, either, finds: indices.map { keys[$0] })
            }
            try await expect(service, "x", folder: SearchFixture.folders[1], finds: [keys[2]])
            try await expect(service, "", folder: SearchFixture.folders[1], finds: [keys[2]])
        }
    }

    /// The index gathers what comes; who searches does not wait for that.
    @Test func whatWasCommittedIsFoundAtOnceHoweverOftenSomethingCame() async throws {
        try await withService { service in
            var keys: [MessageKey] = []
            for number in 0..<20 {
                keys.insert(try await fixture.add(TestMessage(body: "word", second: Int64(number))), at: 0)
                try await expect(service, "word", finds: keys)
            }
        }
    }

    @Test func pagesKeepTheirPlaceWhileMailArrives() async throws {
        let old = try await fixture.add((0..<50).map { TestMessage(body: "word", second: 1_000_000 + Int64($0 / 7)) })
        try await withService { service in
            for text in ["word", "", "word OR nothing", "-nothing"] {
                let query = try SearchQuery(parsing: Array(text.utf8).span)
                var found: [MessageKey] = []
                var cursor: SearchCursor?
                repeat {
                    let page = try await service.search(SearchFixture.account, query, limit: 7, after: cursor)
                    found += page.messages.map(\.key)
                    cursor = page.next
                    _ = try await fixture.add(TestMessage(body: "word", second: 2_000_000))
                } while cursor != nil
                #expect(Array(found.filter { $0 <= old[49] }) == old.reversed(), "\(text)")
                #expect(Set(found).count == found.count)
            }
            let page = try await service.search(SearchFixture.account, SearchQuery(), limit: 1)
            let other = try SearchQuery(parsing: Array("word".utf8).span)
            await #expect(throws: SearchError.foreignCursor) {
                try await service.search(SearchFixture.account, other, limit: 1, after: page.next)
            }
        }
    }

    @Test func manyOfOneDateComeInPages() async throws {
        let keys = try await fixture.add((0..<2000).map { _ in TestMessage(body: "word", flags: [.seen]) })
        try await withService { service in
            for text in ["is:read", "word is:read", "-nothing"] {
                try await expect(service, text, pageSize: 300, finds: keys.reversed())
            }
        }
    }

    @Test func foldersAreFoundByTheirNamesInAnyForm() async throws {
        let key = try await fixture.add(TestMessage(body: "x", folder: 1))
        try await fixture.store.write { tx in
            try tx.connection.run("UPDATE folders SET name = ?1, role = NULL WHERE pk = 2", "Entw\u{FC}rfe")
        }
        try await withService { service in
            try await expect(service, "in:Entw\u{FC}rfe", finds: [key])
            try await expect(service, "in:Entwu\u{308}rfe", finds: [key])
            try await expect(service, "in:\"\u{FC}/\"", finds: [])
        }
    }

    @Test func anUnknownAccountIsNotFound() async throws {
        try await withService { service in
            let query = try SearchQuery(parsing: Array("word".utf8).span)
            await #expect(throws: StoreError.notFound(.account)) {
                try await service.search(AccountKey(99), query, limit: 1)
            }
        }
    }

    @Test func wordsOfDeletedMessagesLeaveTheIndex() async throws {
        let keys = try await fixture.add((0..<20).map { TestMessage(body: "word\($0) common") })
        try await withService { service in
            try await expect(service, "common", findsCount: 20)
            for key in keys.prefix(5) { try await fixture.delete(key, sweeping: false) }
            for key in keys[5..<8] { try await fixture.delete(key, sweeping: true) }
            try await expect(service, "common", finds: keys[8...].reversed())
        }
        let index = try SQLiteConnection(fixture.indexPath, .readWrite)
        let matching = try index.first("SELECT COUNT(*) FROM words WHERE words MATCH 'common'") { $0.int(0) }
        // Three had lost their text before the index could take their words out.
        #expect(matching == 15)
        #expect(try index.first("SELECT value FROM state WHERE name = 4") { $0.int(0) } == 3)
        try index.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    }

    @Test func aCopySharesItsDocumentAndAMoveChangesNothing() async throws {
        let message = TestMessage(body: "word")
        let first = try await fixture.add(message)
        try await withService { service in
            let copy = try await fixture.copy(first, message)
            var later = message
            later.second += 10
            let laterCopy = try await fixture.copy(first, later)
            try await expect(service, "word", finds: [laterCopy, copy, first])
            try await expect(service, "word", pageSize: 1, finds: [laterCopy, copy, first])
            try await fixture.move(first, to: 1)
            try await expect(service, "word in:archive", finds: [first])
            try await fixture.delete(first, sweeping: true)
            try await expect(service, "word", finds: [laterCopy, copy])
        }
        let index = try SQLiteConnection(fixture.indexPath, .readOnly)
        #expect(try index.first("SELECT COUNT(*) FROM documents") { $0.int(0) } == 2)
        #expect(try index.first("SELECT COUNT(*) FROM placements") { $0.int(0) } == 2)
    }

    @Test func anIndexIsTakenUpWhereItWasLeft() async throws {
        let first = try await fixture.add(TestMessage(body: "word"))
        try await withService { service in try await expect(service, "word", finds: [first]) }
        let second = try await fixture.add(TestMessage(body: "word"))
        try await withService { service in try await expect(service, "word", finds: [second, first]) }
    }

    @Test(arguments: ["missing", "rubbish", "torn", "of another extractor", "of another store"])
    func aFileOfNoUseIsMadeAnew(kind: String) async throws {
        let keys = try await fixture.add((0..<300).map { TestMessage(body: "word number\($0)") })
        try await withService { service in try await expect(service, "word", findsCount: 300) }
        let path = try fixture.indexPath
        switch kind {
        case "missing": try Files.remove(path)
        case "rubbish": try File(path, .createEmpty).write(Array("not a database at all, for sure".utf8))
        case "torn": try File(path, .readWrite).truncate(to: 8192)
        case "of another store":
            let index = try SQLiteConnection(path, .readWrite)
            try index.run("UPDATE state SET value = 1000000 WHERE name = 2")
        default: break
        }
        try await withService(version: kind == "of another extractor" ? 2 : 1) { service in
            try await expect(service, "word", finds: keys.reversed())
            try await expect(service, "number7", finds: [keys[7]])
        }
    }

    @Test func anIndexDamagedWhileInUseIsMadeAnew() async throws {
        let keys = try await fixture.add((0..<300).map { TestMessage(body: "word number\($0)") })
        try await withService { service in
            try await expect(service, "word", findsCount: 300)
            let index = try SQLiteConnection(fixture.indexPath, .readWrite)
            try index.configure(busyMilliseconds: 5000)
            try index.execute("UPDATE words_data SET block = x'00' WHERE id > 10")
            var last: [MessageKey]?
            for _ in 0..<10 where last != keys.reversed() {
                last = try? await service.all("word")
            }
            #expect(last == keys.reversed())
        }
    }

    @Test func aRebuildServesMeanwhileAndLosesNothing() async throws {
        let keys = try await fixture.add((0..<600).map { TestMessage(body: "word number\($0)") })
        for key in keys[100..<200] { try await fixture.delete(key, sweeping: true) }
        try await withService { service in
            let expected = Array((keys[..<100] + keys[200...]).reversed())
            try await expect(service, "word", finds: expected)
            service.rebuild(SearchFixture.account)
            var more: [MessageKey] = []
            var isRebuilding: Bool
            repeat {
                isRebuilding = try await service.status(of: SearchFixture.account).isRebuilding
                more.append(try await fixture.add(TestMessage(body: "word", second: 1_800_000_000)))
                try await expect(service, "word", finds: more.reversed() + expected)
            } while isRebuilding && more.count < 20
            for _ in 0..<6000 where try await service.status(of: SearchFixture.account).isRebuilding {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await !service.status(of: SearchFixture.account).isRebuilding)
            try await expect(service, "word", finds: more.reversed() + expected)
            try await expect(service, "number599", finds: [keys[599]])
            let status = try await service.status(of: SearchFixture.account)
            #expect(status.indexed == status.total && status.total == Int64(500 + more.count))
        }
        #expect(try Files.list(fixture.directory.path + "/search").count == 1)
    }

    @Test func whatIsNotCaughtUpIsSaidToBeDegraded() async throws {
        _ = try await fixture.add((0..<2000).map { TestMessage(body: "word number\($0)") })
        try await withService(waiting: 0) { service in
            let query = try SearchQuery(parsing: Array("word".utf8).span)
            #expect(try await service.search(SearchFixture.account, query, limit: 10).isDegraded)
            let modseq = try await fixture.store.read { snapshot in
                try snapshot.connection.first("SELECT modseq FROM accounts WHERE pk = 1") { $0.int64(0) } ?? 0
            }
            #expect(await service.waitUntilCaughtUp(SearchFixture.account, modseq: modseq, milliseconds: 20_000))
            #expect(try await !service.search(SearchFixture.account, query, limit: 10).isDegraded)
            #expect(await !service.waitUntilCaughtUp(SearchFixture.account, modseq: modseq + 1, milliseconds: 30))
        }
    }

    @Test func filesOfDeletedAccountsGo() async throws {
        _ = try await fixture.add(TestMessage(body: "word"))
        try await withService { service in
            try await expect(service, "word", findsCount: 1)
            try await fixture.store.write { tx in
                try tx.connection.run("UPDATE accounts SET deleted = 1, address_key = NULL WHERE pk = 1")
                _ = try tx.modseq(of: SearchFixture.account)
            }
            for _ in 0..<200 where try !Files.list(fixture.directory.path + "/search").isEmpty {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try Files.list(fixture.directory.path + "/search") == [])
        }
    }
}
