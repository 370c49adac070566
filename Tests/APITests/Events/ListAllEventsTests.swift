// SPDX-License-Identifier: Apache-2.0

import Accounts
import Foundation
import JSON
import MailTypes
import Storage
import Testing

@testable import API

@Suite struct ListAllEventsTests {
    @Test func allAccountsComeInTheOrderOfTheirCommits() async throws {
        try await withServer { server in
            let (ann, bob) = (try server.account(), try server.account("bob@example.com"))
            let start = try #require(try server.allEvents("?after=newest")["next"])
            for (account, name) in [(ann, "a"), (bob, "b"), (ann, "c")] { try server.makeFolder(name, in: account) }
            let page = try server.allEvents("?after=\(start)&limit=2")
            #expect(page["items", "0", "accountId"] == ann && page["items", "1", "accountId"] == bob)
            let rest = try server.allEvents("?after=\(try #require(page["next"]))")
            #expect(rest.count("items") == 1 && rest["items", "0", "data", "path"] == "c")
            #expect(rest.numbers == [9])
            #expect(try server.allEvents().count("items") == 17)
        }
    }

    @Test func aBoundTokenSeesItsAccountsOnly() async throws {
        try await withServer { server in
            let (ann, bob) = (try server.account(), try server.account("bob@example.com"))
            let token = try await server.token(
                TokenDraft(name: "bob's", scopes: .read, accounts: [try #require(AccountID(bob))])
            )
            let page = try server.allEvents("?limit=5", token: token)
            #expect(page.numbers == [1, 2, 3, 4, 5])
            let rest = try server.allEvents("?after=\(try #require(page["next"]))", token: token)
            #expect(rest.numbers == [6, 7] && rest["items", "0", "accountId"] == bob)
            let end = try #require(rest["next"])
            async let waiting = onThread { try server.allEvents("?after=\(end)&wait=60", token: token) }
            try await server.untilWaiting(1)
            try server.makeFolder("a", in: ann)
            try server.makeFolder("b", in: bob)
            let answer = try await waiting
            #expect(answer.numbers == [8] && answer["items", "0", "accountId"] == bob)
        }
    }

    @Test func aDeletedAccountIsToldToTheEnd() async throws {
        try await withServer { server in
            let bob = try server.account("bob@example.com")
            let bound = try await server.token(
                TokenDraft(name: "bob's", scopes: .read, accounts: [try #require(AccountID(bob))])
            )
            let stream = try TestStream(server, "/v1/events?after=newest&type=account.*", token: bound)
            try await server.untilWaiting(1)
            #expect(try server.send("DELETE", "/v1/accounts/\(bob)").status == 204)
            #expect(stream.read(to: "event: ").contains("retry: "))
            #expect(stream.read(to: "\n") == "account.deleted\n")
            let page = try server.allEvents("?type=account.deleted")
            #expect(page.numbers == [8] && page["items", "0", "accountId"] == bob)
        }
    }

    @Test func aStreamGoesOnBehindItsLastID() async throws {
        try await withServer { server in
            let ann = try server.account()
            let first = try TestStream(server, "/v1/events")
            _ = first.read(to: "event: folder.created\n")
            let ids = first.read(to: "event: folder.created\n").components(separatedBy: "\n").filter {
                $0.hasPrefix("id: ")
            }
            let last = try #require(ids.last?.dropFirst(4))
            #expect(last.count == 32)
            let second = try TestStream(server, "/v1/events?after=newest", fields: [("Last-Event-ID", String(last))])
            #expect(second.read(to: "\"data\"").contains("\"accountId\":\"\(ann)\",\"seq\":4,"))
        }
    }

    @Test(arguments: ["1", "newest1", "00000000000000000000000000000000A", "0000000000000000000000000000000A"])
    func whatNoAnswerGaveIsNoCursor(_ cursor: String) async throws {
        try await withServer { server in
            let answer = try server.allEvents("?after=\(cursor)")
            #expect(answer.status == 400 && answer["errors", "0", "parameter"] == "after")
        }
    }

    @Test func cursorsThatAreNotThereAreTold() async throws {
        try await withServer { server in
            let ann = try server.account()
            let old = try #require(try server.allEvents("?after=newest")["next"])
            let ahead = try server.allEvents("?after=000000000000000000000000000000ff")
            #expect(ahead.status == 409 && ahead["code"] == "cursor_ahead" && ahead["newest"] == old)
            try await server.expireEvents(of: "ann@example.com")
            let expired = try server.allEvents("?after=\(old)")
            #expect(expired.status == 410 && expired["code"] == "cursor_expired")
            #expect(try server.allEvents("?limit=1").numbers == [108])
            try server.makeFolder("a", in: ann)
            #expect(try server.allEvents("?after=\(try #require(expired["newest"]))").count("items") == 1)
        }
    }
}
