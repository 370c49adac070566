// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import API

@Suite struct ListMessagesTests {
    @Test func pagesKeepTheirPlaceWhileMailArrives() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            for number in 0..<7 { try server.append(Letters.plain(number), to: account) }
            var seen: [String] = []
            var target = "\(messages)?folder=inbox&limit=3"
            for page in 0..<3 {
                let answer = try server.send("GET", target)
                seen += (0..<(answer.count("items") ?? 0)).compactMap { answer["items", "\($0)", "subject"] }
                if page == 0 { try server.append(Letters.plain(100), to: account) }
                guard let next = answer["next"] else { break }
                target = "\(messages)?folder=inbox&limit=3&cursor=\(next)"
            }
            #expect(seen == (0..<7).reversed().map { "Letter \($0)" })
        }
    }

    @Test func filtersCombine() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.plain(1), to: account, "?flags=seen&internalDate=2026-01-01T00:00:00Z")
            try server.append(Letters.plain(2), to: account, "?flags=flagged&internalDate=2026-02-01T00:00:00Z")
            try server.append(Letters.rich, to: account, "?folder=archive&internalDate=2026-03-01T00:00:00Z")
            func count(_ query: String) throws -> Int? { try server.send("GET", "\(messages)?\(query)").count("items") }
            #expect(try count("") == 3)
            #expect(try count("folder=all") == 3)
            #expect(try count("folder=archive") == 1)
            #expect(try count("unread=true") == 2 && count("unread=false") == 1)
            #expect(try count("flagged=true&unread=true") == 1)
            #expect(try count("hasAttachment=true") == 1 && count("hasAttachment=false") == 2)
            #expect(try count("since=2026-02-01") == 2 && count("before=2026-02-01T00:00:00Z") == 1)
            #expect(try count("folder=inbox&since=2026-02-01") == 1)
            #expect(try server.send("GET", "\(messages)?folder=nowhere").status == 404)
            for bad in ["unread=1", "since=2026-02-30", "limit=0", "q=%FF", "colour=red", "folder="] {
                #expect(try server.send("GET", "\(messages)?\(bad)").status == 400, "\(bad)")
            }
        }
    }

    @Test func fieldsAreSparse() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.plain(1), to: account, "?flags=Keep,seen")
            let answer = try server.send("GET", "\(messages)?fields=id,subject,flags")
            let item = try #require(answer.value(at: ["items", "0"])?.object)
            #expect(item.members.map { String(decoding: $0.name, as: UTF8.self) } == ["id", "flags", "subject"])
            #expect(answer.strings("items", "0", "flags") == ["seen", "Keep"])
        }
    }

    @Test func aFilterWithoutWordsFindsNothing() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.plain(1), to: account)
            for filter in ["from=%21%21%21", "to=%20", "subject=%C2%BF"] {
                let answer = try server.send("GET", "\(messages)?\(filter)")
                #expect(answer.status == 200 && answer.count("items") == 0, "\(filter): \(answer.text)")
                #expect(answer["notice"]?.contains("Nothing is found") == true)
            }
        }
    }

    @Test func aQueryThatIsNoneIsTakenAsWords() async throws {
        try await withServer { server in
            let (_, messages) = try server.mailbox()
            for query in ["%22open", "(", "OR", "-", "before:never", "nobody:x", "%22%22", "*", "%C2%BF"] {
                let answer = try server.send("GET", "\(messages)?q=\(query)")
                #expect(answer.status == 200, "\(query): \(answer.text)")
                #expect(answer.count("items") == 0)
            }
            #expect(try server.send("GET", "\(messages)?q=(")["notice"]?.contains("plain words") == true)
            #expect(try server.send("GET", "\(messages)?q=word")["notice"] == nil)
            let answer = try server.send("GET", "\(messages)?q=word&cursor=" + String(repeating: "f", count: 32))
            #expect(answer.status == 200)
        }
    }
}
