// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Testing
import Wire

@testable import Sync

/// What is fetched from POP3 servers that behave, and from some that do not, what is deleted there, and what is told of it.
@Suite struct PolledMaildropTests {
    private typealias Message = MaildropServer.Message

    private static func text(_ name: String, day: Int = 1) -> String {
        "Received: from a by b; \(day) Nov 2025 10:00:00 +0000\r\nSubject: \(name)\r\nMessage-ID: <\(name)@x.example>\r\n"
            + "\r\nThis is \(name).\r\n"
    }

    private static func messages(_ count: Int) -> [Message] {
        (1...count).map { Message("u\($0)", text("m\($0)", day: $0)) }
    }

    private static func received(_ fixture: MaildropFixture) async throws -> Int {
        try await fixture.events().count { $0 == .messageReceived }
    }

    // MARK: Fetching

    @Test func whatWasThereBeforeIsFetchedNewestFirstAndNotAnnounced() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(5)
        } _: { fixture in
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.retrieved == ["u5", "u4", "u3", "u2", "u1"])
            #expect(
                try await fixture.texts()
                    == Self.messages(5).reversed().map { String(decoding: $0.octets, as: UTF8.self) }
            )
            let events = try await fixture.events()
            #expect(!events.contains(.messageReceived))
            #expect(events.count { $0 == .folderResynced } == 1)
            #expect(try await fixture.messages().last?.internalDate == Timestamp(seconds: 1_761_991_200))
            #expect(try await fixture.folder().verified != nil)
            #expect(try await fixture.condition() == .connected)
            #expect(fixture.server.uids.count == 5)
        }
    }

    @Test func whatComesLaterIsAnnouncedOnce() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(1)
        } _: { fixture in
            try await fixture.poll()
            fixture.server.add(Message("new", Self.text("new")))
            for _ in 0..<3 { try #require(try await fixture.poll() == nil) }
            #expect(try await Self.received(fixture) == 1)
            #expect(fixture.server.retrieved == ["u1", "new"])
            #expect(fixture.server.mostSessions == 1)
        }
    }

    /// POP3 does not care for line ends within a message, and some servers none for NUL; mail here has CRLF.
    @Test func lineEndsAreMadeRightAndNULIsKept() async throws {
        try await MaildropFixture.run {
            $0.messages = [Message("a", "Subject: a\r\n\r\none\ntwo\rthree\u{0}\r\n.dot\r\n")]
        } _: { fixture in
            try await fixture.poll()
            #expect(try await fixture.texts() == ["Subject: a\r\n\r\none\r\ntwo\r\nthree\u{0}\r\n.dot\r\n"])
        }
    }

    @Test func oneSessionFetchesSoManyAndTheNextGoesOn() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(7)
            $0.limits.maildropChunk = 2
            $0.deleteAfterDays = 0
        } _: { fixture in
            while !fixture.server.uids.isEmpty { try #require(try await fixture.poll() == nil) }
            #expect(try await fixture.messages().count == 7)
            #expect(fixture.server.retrieved.count == 7)
            #expect(fixture.server.logins >= 4)
            #expect(try await Self.received(fixture) == 0)
        }
    }

    // MARK: What stays known

    @Test func whatWasMovedOrDeletedHereIsNotFetchedAgain() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(3)
        } _: { fixture in
            try await fixture.poll()
            let rows = try await fixture.messages()
            let archive = try await fixture.folder(.archive)
            try await fixture.store.write { tx in
                try tx.messages.move(rows[0], to: archive)
                try tx.messages.expunge(rows[1])
            }
            for _ in 0..<2 { try #require(try await fixture.poll() == nil) }
            #expect(fixture.server.retrieved.count == 3)
            #expect(try await fixture.messages(.archive).map(\.id) == [rows[0].id])
            // What was deleted for good here is deleted there, and nothing else.
            #expect(fixture.server.uids == ["u1", "u3"])
        }
    }

    @Test func aServerThatNamesItsMessagesAnewHasTheSameMessages() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(3)
        } _: { fixture in
            try await fixture.poll()
            let rows = try await fixture.messages()
            try await fixture.store.write { try $0.messages.expunge(rows[2]) }
            fixture.server.change { messages in for index in messages.indices { messages[index].uid += "-again" } }
            for _ in 0..<2 { try #require(try await fixture.poll() == nil) }
            #expect(try await fixture.messages().map(\.id) == rows.prefix(2).map(\.id))
            #expect(try await Self.received(fixture) == 0)
            #expect(fixture.server.retrieved.count == 6)
            #expect(fixture.server.uids == ["u2-again", "u3-again"])
        }
    }

    @Test func anotherMaildropBeginsAnewAndKeepsWhatIsHere() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(2)
        } _: { fixture in
            try await fixture.poll()
            let rows = try await fixture.messages()
            try await fixture.store.write { [ann = fixture.ann] in try $0.maildrop.startAnew(ann.key) }
            // The first has a unique-id that meant another message before.
            fixture.server.change { $0 = [Message("u2", Self.text("other", day: 9)), $0[0]] }
            #expect(try await fixture.poll() == nil)
            let now = try await fixture.messages()
            #expect(now.count == 3 && now.suffix(2).map(\.id) == rows.map(\.id))
            #expect(try await Self.received(fixture) == 0)
            #expect(try await fixture.events().count { $0 == .folderResynced } == 2)
        }
    }

    @Test func repeatedUniqueIDsAreToldApartBySize() async throws {
        try await MaildropFixture.run {
            $0.messages = [
                Message("same", Self.text("one")), Message("same", Self.text("one")),
                Message("other", Self.text("two")),
                Message("other", Self.text("three, which is longer")), Message("own", Self.text("four")),
            ]
            $0.deleteAfterDays = 0
        } _: { fixture in
            for _ in 0..<2 { try #require(try await fixture.poll() == nil) }
            #expect(try await fixture.messages().count == 4)
            #expect(fixture.server.retrieved.count == 4)
            // Which of the copies was fetched, nobody can tell.
            #expect(fixture.server.uids == ["same", "same", "other", "other"])
        }
    }

    // MARK: Deleting

    @Test func whatWasFetchedIsDeletedAtOnceOrWhenItsDaysAreOver() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(2)
            $0.deleteAfterDays = 3
        } _: { fixture in
            #expect(try await fixture.poll() == nil)
            fixture.advance(days: 2)
            fixture.server.add(Message("later", Self.text("later")))
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.uids.count == 3)
            fixture.advance(days: 1)
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.uids == ["later"])
            try await fixture.put(deleteAfterDays: 0)
            fixture.server.add(Message("last", Self.text("last")))
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.uids.isEmpty)
            #expect(try await fixture.messages().count == 4)
        }
    }

    @Test(arguments: [true, false])
    func anUnansweredQuitLeavesItOpenWhetherAnythingWasDeleted(_ wasDeleted: Bool) async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(3)
            $0.deleteAfterDays = 0
            $0.script.quit = { $0 > 1 ? .right : wasDeleted ? .dropAfter : .dropBefore }
        } _: { fixture in
            while fixture.server.logins < 2 { try await fixture.poll() }
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.uids.isEmpty)
            #expect(fixture.server.retrieved == ["u3", "u2", "u1"])
            #expect(try await fixture.messages().count == 3)
        }
    }

    // MARK: Servers without UIDL

    @Test func aServerWithoutUIDLCannotKeepWhatWasFetched() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(2)
            $0.script.hasUniqueIDs = false
            $0.script.capabilities = ["USER"]
        } _: { fixture in
            let error = try await fixture.poll()
            #expect(error == .unsupported(MaildropSync.needsUniqueIDs))
            #expect(fixture.server.retrieved.isEmpty)
        }
    }

    /// One that refuses what it says it has is asked another time.
    @Test func aServerThatRefusesUIDLOnceIsNotTakenToHaveNone() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(2)
            $0.script.hasUniqueIDs = false
            $0.deleteAfterDays = 0
        } _: { fixture in
            let error = try await fixture.poll()
            #expect(error == .refused("what is that?", code: nil))
            #expect(fixture.server.retrieved.isEmpty)
            fixture.server.script { $0.hasUniqueIDs = true }
            #expect(try await fixture.poll() == nil)
            #expect(try await fixture.messages().count == 2)
        }
    }

    @Test func aServerWithoutUIDLIsEmptiedAndItsMessagesAreKnownByTheirOctets() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(2)
            $0.script.hasUniqueIDs = false
            $0.script.capabilities = ["USER"]
            $0.script.quit = { $0 == 1 ? .dropBefore : .right }
            $0.deleteAfterDays = 0
        } _: { fixture in
            while fixture.server.logins < 2 { try await fixture.poll() }
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.uids.isEmpty)
            #expect(fixture.server.retrieved.count == 4)
            #expect(try await fixture.messages().count == 2)
            #expect(try await Self.received(fixture) == 0)
            // The same once more is another message, once the first was deleted.
            fixture.server.add(Message("", Self.text("m1")))
            #expect(try await fixture.poll() == nil)
            #expect(try await fixture.messages().count == 3)
            #expect(try await Self.received(fixture) == 1)
        }
    }

    // MARK: What cannot be taken

    @Test func whatIsTooLargeStaysThereAndHoldsUpNothing() async throws {
        try await MaildropFixture.run {
            $0.messages = [
                Message("a", Self.text("a")), Message("huge", Self.text("huge") + String(repeating: "x", count: 5000)),
                Message("liar", Self.text("liar") + String(repeating: "y", count: 5000), told: 200),
                Message("b", Self.text("b")),
            ]
            $0.maximumMessageOctets = 4000
            $0.deleteAfterDays = 0
        } _: { fixture in
            while fixture.server.uids.count > 2 { try await fixture.poll() }
            for _ in 0..<2 { try #require(try await fixture.poll() == nil) }
            #expect(fixture.server.uids == ["huge", "liar"])
            #expect(fixture.server.retrieved.sorted() == ["a", "b", "liar"])
            let problem = try #require(try await fixture.folder().problem)
            #expect(problem.hasPrefix("2 of the server's messages are not here (2 of them for good): "))
        }
    }

    @Test func whatTheServerWillNotHandOutIsTriedNowAndThenAndThenLeft() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(3)
            $0.limits.maildropAttempts = 3
            $0.script.retrieve = { uid, _ in uid == "u2" ? .say("-ERR message is corrupt") : .right }
        } _: { fixture in
            for _ in 0..<3 { try #require(try await fixture.poll() == nil) }
            #expect(fixture.server.retrieved == ["u3", "u2", "u1"])
            #expect(try await fixture.folder().problem == "1 of the server's messages are not here: message is corrupt")
            for _ in 0..<5 {
                fixture.advance(days: 1)
                #expect(try await fixture.poll() == nil)
            }
            #expect(fixture.server.retrieved.count { $0 == "u2" } == 3)
            #expect(
                try await fixture.folder().problem
                    == "1 of the server's messages are not here (1 of them for good): message is corrupt"
            )
        }
    }

    @Test func aMessageThatItsServerFailsAtHoldsUpNothing() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(3)
            $0.script.retrieve = { uid, count in uid == "u2" && count == 1 ? .drop : .right }
        } _: { fixture in
            while try await fixture.messages().count < 2 { try await fixture.poll() }
            #expect(try await fixture.poll() == nil)
            #expect(fixture.server.retrieved == ["u3", "u2", "u1"])
            fixture.advance(days: 1)
            #expect(try await fixture.poll() == nil)
            #expect(try await fixture.messages().count == 3)
            #expect(try await fixture.folder().problem == nil)
        }
    }

    @Test func aMessageThatEndedTheProcessIsKeptUnread() async throws {
        let messages = Self.messages(3)
        try await MaildropFixture.run {
            $0.messages = messages
            $0.poison = messages[1].octets
            $0.deleteAfterDays = 0
        } _: { fixture in
            while !fixture.server.uids.isEmpty { try #require(try await fixture.poll() == nil) }
            #expect(try await fixture.messages().count == 3)
            #expect(try await fixture.events().count { $0 == .messageQuarantined } == 1)
            #expect(Set(try await fixture.texts()) == Set(messages.map { String(decoding: $0.octets, as: UTF8.self) }))
        }
    }

    @Test(arguments: [(4, Int.max), (Int.max - 1, 9)])
    func aListingThatIsTooLargeIsNotKept(_ messages: Int, _ nameOctets: Int) async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(5)
            $0.limits.maildropMessages = messages
            $0.limits.maildropNameOctets = nameOctets
        } _: { fixture in
            guard case .unsupported = try await fixture.poll() else {
                Issue.record("it was taken")
                return
            }
            #expect(fixture.server.retrieved.isEmpty)
        }
    }

    // MARK: Refusals

    struct Refusal: Sendable, CustomTestStringConvertible {
        let reply: String
        let error: RemoteError
        let condition: RemoteAccountState.Condition
        /// Whether another try shows the password again.
        let isTriedAgain: Bool
        var capabilities = ["USER", "UIDL", "RESP-CODES"]
        var testDescription: String { reply }
    }

    /// RFC 2449 §8.1.1, RFC 3206.
    @Test(arguments: [
        Refusal(
            reply: "-ERR [AUTH] no",
            error: .authentication("[AUTH] no"),
            condition: .authenticationFailed,
            isTriedAgain: false
        ),
        Refusal(reply: "-ERR no", error: .authentication("no"), condition: .authenticationFailed, isTriedAgain: false),
        Refusal(
            reply: "-ERR no",
            error: .unavailable("no"),
            condition: .unreachable,
            isTriedAgain: true,
            capabilities: ["USER", "UIDL", "RESP-CODES", "AUTH-RESP-CODE"]
        ),
        Refusal(
            reply: "-ERR [IN-USE] locked",
            error: .busy("[IN-USE] locked"),
            condition: .unreachable,
            isTriedAgain: true
        ),
        Refusal(
            reply: "-ERR [LOGIN-DELAY] wait",
            error: .busy("[LOGIN-DELAY] wait"),
            condition: .unreachable,
            isTriedAgain: true
        ),
        Refusal(
            reply: "-ERR [SYS/TEMP] later",
            error: .unavailable("[SYS/TEMP] later"),
            condition: .unreachable,
            isTriedAgain: true
        ),
    ])
    func whyNobodyIsLetInDecidesWhatFollows(_ refusal: Refusal) async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(1)
            $0.script.capabilities = refusal.capabilities
            $0.script.login = { _ in .say(refusal.reply) }
            $0.limits.failuresUntilUnreachable = 2
        } _: { fixture in
            for _ in 0..<3 { #expect(try await fixture.poll() == refusal.error) }
            #expect((fixture.server.logins > 1) == refusal.isTriedAgain)
            #expect(try await fixture.condition() == refusal.condition)
            fixture.server.script { $0.login = { _ in .right } }
            try await fixture.put(deleteAfterDays: nil, password: "another")
            #expect(try await fixture.poll() == nil)
            #expect(try await fixture.condition() == .connected)
            #expect(try await fixture.events().contains(.accountRecovered))
        }
    }

    @Test func aServerThatWantsTimeBetweenLoginsGetsIt() async throws {
        try await MaildropFixture.run {
            $0.messages = Self.messages(1)
            $0.script.capabilities += ["LOGIN-DELAY 900"]
        } _: { fixture in
            while try await fixture.messages().isEmpty { try await fixture.poll() }
            guard case .busy = try await fixture.poll() else {
                Issue.record("a login came before its time")
                return
            }
            #expect(fixture.server.logins == 1)
        }
    }
}
