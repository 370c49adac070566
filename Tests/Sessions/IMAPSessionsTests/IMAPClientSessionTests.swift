// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import SessionSupport
import Sockets
import Testing
import Transport
import Wire

@testable import IMAPSessions

@Suite struct IMAPClientSessionTests {
    @Test func messagesAreHandedOutOneByOne() async throws {
        let server = try ScriptedServer([
            ServerStep.login() + [
                .hear, .say("* 1 FETCH (BODY[HEADER] {3}\r\na\r\n UID 4 FLAGS (\\Seen))"), .say("* 2 FETCH (FLAGS ())"),
                .say("* 5 EXISTS"), .say("* 3 FETCH (UID 6 BODY[HEADER] \"b\")"), .say("* 9 FETCH (UID 99 FLAGS ())"),
                .say("A2 OK done"), .hear, .say("A3 OK bye"),
            ]
        ])
        try await server.run {
            let session = try await server.open()
            var updates: [IMAPUpdate] = []
            session.onUpdate = { updates.append($0) }
            var messages: [IMAPFetchedMessage] = []
            let header = IMAPSection(.body, .header)
            try await session.fetch(IMAPNumberSet(4...6), [.flags, .section(header)]) { messages.append($0) }
            #expect(messages.map { $0.uid } == [4, 6])
            #expect(messages.map { $0.sections[header] } == [Array("a\r\n".utf8), [0x62]])
            #expect(messages[0].flags?.flags.system == [.seen])
            #expect(updates.count == 3)
            #expect(updates.contains(.exists(5)))
            await session.logout()
        }
        #expect(server.lines.contains("A2 UID FETCH 4:6 (UID FLAGS BODY.PEEK[HEADER])"))
    }

    @Test func onlySectionsThatWereAskedForAreCollected() async throws {
        let server = try ScriptedServer([
            ServerStep.login() + [
                .hear, .say("* 1 FETCH (UID 4 BODY[2]<0> \"xyz\" BODY[1]<0> \"abcdef\" BODY[1.MIME] \"m\")"),
                .say("A2 OK done"), .hear, .say("A3 OK bye"),
            ]
        ])
        try await server.run {
            let session = try await server.open()
            var messages: [IMAPFetchedMessage] = []
            let section = IMAPSection(part: [1], origin: 0)
            try await session.fetch(IMAPNumberSet(4...4), [.section(section, length: 3)]) { messages.append($0) }
            // One octet more shows that it is too long.
            #expect(messages.map(\.sections) == [[section: Array("abcd".utf8)]])
            await session.logout()
        }
    }

    @Test func aMessageThatIsToldOfWithoutEndEndsTheSession() async throws {
        let flood = String(repeating: "* 1 FETCH (UID 4 FLAGS ())\r\n", count: 10_100)
        let server = try ScriptedServer([ServerStep.login() + [.hear, .sayRaw(Array(flood.utf8))]])
        try await server.run {
            let session = try await server.open()
            await #expect(throws: IMAPSessionError.tooMuch) {
                try await session.fetch(IMAPNumberSet(4...4), [.flags]) { _ in }
            }
            #expect(!session.isUsable)
        }
    }

    @Test func aSectionIsStreamed() async throws {
        let octets = [UInt8](repeating: 0x41, count: 300_000)
        let server = try ScriptedServer([
            ServerStep.login() + [
                .hear, .sayRaw(Array("* 1 FETCH (BODY[1] {300000}\r\n".utf8) + octets + Array(" UID 4)\r\n".utf8)),
                .say("A2 OK done"), .hear, .say("* 1 FETCH (UID 4 BODY[2] NIL)"), .say("A3 OK done"), .hear,
                .say("A4 OK nobody there"),
            ]
        ])
        try await server.run {
            let session = try await server.open()
            var count = 0
            var announced: UInt64 = 0
            let isFound = try await session.stream(
                IMAPSection(part: [1]),
                of: 4,
                begin: { announced = $0 },
                piece: { count += $0.count }
            )
            #expect(isFound && count == 300_000 && announced == 300_000)
            #expect(try await !session.stream(IMAPSection(part: [2]), of: 4) { _ in count += 1 })
            #expect(try await !session.stream(IMAPSection(part: [1]), of: 5) { _ in count += 1 })
            #expect(count == 300_000)
        }
    }

    @Test func whatATakerThrowsEndsTheSession() async throws {
        struct Enough: Error {}
        let server = try ScriptedServer([
            ServerStep.login() + [.hear, .flood("* 1 FETCH (UID 4 BODY[1] \"x\")\r\n")]
        ])
        try await server.run {
            let session = try await server.open()
            await #expect(throws: Enough.self) {
                _ = try await session.stream(IMAPSection(part: [1]), of: 4) { _ in throw Enough() }
            }
            #expect(!session.isUsable)
            await #expect(throws: IMAPSessionError.self) { try await session.noop() }
        }
    }

    @Test func refusalsCarryTheServersWords() async throws {
        let server = try ScriptedServer([
            ServerStep.login() + [.hear, .say("A2 NO [NONEXISTENT] no such mailbox"), .hear, .say("A3 OK fine")]
        ])
        try await server.run {
            let session = try await server.open()
            await #expect(throws: IMAPSessionError.refused(IMAPStatus(.no, .nonExistent, "no such mailbox"))) {
                _ = try await session.select(session.mailboxName("x"))
            }
            try await session.noop()
        }
    }

    @Test func moveWithoutMoveRemovesNothingElse() async throws {
        let server = try ScriptedServer([
            ServerStep.login("IMAP4rev1 UIDPLUS") + [
                .hear, .say("A2 OK [COPYUID 7 4 9] copied"), .hear, .say("A3 OK flagged"), .hear, .say("A4 OK gone"),
            ],
            ServerStep.login() + [.hear, .say("A2 OK fine")],
        ])
        try await server.run {
            let session = try await server.open()
            let copied = try await session.move(IMAPNumberSet(4...4), to: session.mailboxName("x"))
            #expect(copied.first?.destination(of: 4) == 9)
            let other = try await server.open()
            await #expect(throws: IMAPSessionError.unsupported(.move)) {
                try await other.move(IMAPNumberSet(4...4), to: other.mailboxName("x"))
            }
            try await other.noop()
        }
        #expect(
            server.lines.dropFirst().prefix(3) == [
                "A2 UID COPY 4 x", "A3 UID STORE 4 +FLAGS (\\Deleted)", "A4 UID EXPUNGE 4",
            ]
        )
    }

    @Test(arguments: [true, false])
    func whatComesBeforeClosedIsOfTheOldMailbox(_ saysClosed: Bool) async throws {
        let server = try ScriptedServer([
            [
                .say("* OK [CAPABILITY IMAP4rev1 ENABLE QRESYNC] ready"), .hear,
                .say("A1 OK [CAPABILITY IMAP4rev1 ENABLE QRESYNC] in"), .hear, .say("* ENABLED QRESYNC"), .say("A2 OK"),
                .hear, .say("* 7 EXISTS"), .say("A3 OK in"), .hear, .say("* 7 FETCH (UID 70 FLAGS ())"),
                .say(saysClosed ? "* OK [CLOSED] old" : "* OK old"), .say("* 2 EXISTS"),
                .say("* 1 FETCH (UID 10 FLAGS ())"), .say("A4 OK in"), .hear, .say("A5 NO no such mailbox"),
            ]
        ])
        try await server.run {
            let session = try await server.open()
            var updates: [IMAPUpdate] = []
            session.onUpdate = { updates.append($0) }
            #expect(try await session.select(session.mailboxName("a")).exists == 7)
            var changed: [UInt32?] = []
            let known = IMAPSelection.Known(uidValidity: 1, modSeq: 1)
            let selected = try await session.select(session.mailboxName("b"), known: known) { changed.append($0.uid) }
            #expect(selected.exists == 2)
            #expect(session.selectedMailbox == session.mailboxName("b"))
            #expect(changed == (saysClosed ? [10] : [70, 10]))
            #expect(updates.count == (saysClosed ? 1 : 0))
            await #expect(throws: IMAPSessionError.self) { _ = try await session.select(session.mailboxName("c")) }
            #expect(session.selectedMailbox == nil)
        }
    }

    @Test func aMessageOfAnotherSizeIsNotAppended() async throws {
        let server = try ScriptedServer([
            ServerStep.login("IMAP4rev1 LITERAL+") + [.hear, .silence],
            ServerStep.login("IMAP4rev1 LITERAL+") + [.hear, .silence],
        ])
        try await server.run {
            for size in [5, 20] {
                let session = try await server.open()
                await #expect(throws: IMAPSessionError.wrongSize) {
                    try await session.append(IMAPAppend(.inbox, octets: UInt64(size))) { buffer in
                        buffer.append("0123456789")
                        return false
                    }
                }
                #expect(!session.isUsable)
            }
        }
    }

    @Test func appendHasItsLiteralTaken() async throws {
        let server = try ScriptedServer([
            ServerStep.login() + [
                .hear, .say("+ go"), .hearOctets(12), .say("* 1 EXISTS"), .say("A2 OK [APPENDUID 3 8] in"),
                .hear, .say("A3 NO [OVERQUOTA] full"),
            ]
        ])
        try await server.run {
            let session = try await server.open()
            let append = IMAPAppend(.inbox, octets: 10, flags: IMAPFlags(MessageFlags([.seen])))
            var rest = Array("0123456789".utf8)[...]
            let appended = try await session.append(append) { buffer in
                buffer.append(rest.prefix(3))
                rest = rest.dropFirst(3)
                return !rest.isEmpty
            }
            #expect(appended == IMAPAppended(uidValidity: 3, uid: 8))
            await #expect(throws: IMAPSessionError.refused(IMAPStatus(.no, .overQuota, "full"))) {
                try await session.append(append) { _ in false }
            }
        }
        #expect(server.lines.contains("0123456789\r\n"))
    }

    @Test func idleTellsAndEnds() async throws {
        let server = try ScriptedServer([
            ServerStep.login("IMAP4rev1 IDLE") + [
                .hear, .say("+ idling"), .say("* 4 EXISTS"), .hear, .say("A2 OK done"), .hear, .say("+ idling"), .hear,
                .say("A3 OK done"), .hear, .say("A4 OK fine"),
            ]
        ])
        try await server.run {
            let session = try await server.open()
            var updates: [IMAPUpdate] = []
            try await session.idle { update in
                updates.append(update)
                return false
            }
            #expect(updates == [.exists(4)])
            let interruption = session.idleInterruption
            let loop = server.group.loops[0]
            let other = Task(executorPreference: loop) {
                try await loop.sleep(milliseconds: 50)
                interruption.interrupt()
            }
            try await session.idle { _ in true }
            try await other.value
            try await session.noop()
        }
        #expect(server.lines.filter { $0 == "DONE" }.count == 2)
    }

    @Test func idleEndsWhenItWasLongEnough() async throws {
        let server = try ScriptedServer([
            ServerStep.login("IMAP4rev1 IDLE") + [.hear, .say("+ idling"), .hear, .say("A2 OK done"), .silence]
        ])
        try await server.run {
            let session = try await server.open { $0.idle = 50 }
            try await session.idle { _ in true }
            #expect(session.isUsable)
        }
        #expect(server.lines.last == "DONE")
    }

    // MARK: Servers that misbehave

    private static func failure(
        _ script: [ServerStep],
        _ security: ServerEndpoint.Security = .none,
        isTrusted: Bool = true,
        _ change: @escaping @Sendable (inout IMAPClientPatience) -> Void = { _ in }
    ) async throws -> (error: IMAPSessionError?, lines: [String]) {
        let server = try ScriptedServer([script], isTLS: security == .implicit, isTrusted: isTrusted)
        let error: IMAPSessionError? = try await server.run {
            do {
                let session = try await server.open(security, change)
                _ = try await session.select(.inbox)
                _ = try await session.search(.all)
                return nil
            } catch let error as IMAPSessionError {
                return error
            }
        }
        return (error, server.lines)
    }

    @Test func aServerThatSaysNothingIsLeft() async throws {
        #expect(
            try await Self.failure([.silence]) { $0.stall = 50 }.error == .session(.timedOut(.greeting))
        )
        #expect(
            try await Self.failure(ServerStep.login() + [.silence]) { $0.stall = 50 }.error
                == .session(.timedOut(.command))
        )
    }

    @Test func aServerThatDripsIsLeft() async throws {
        let error = try await Self.failure(ServerStep.login() + [.hear, .sayRaw(Array("* OK ".utf8)), .drip]) {
            $0.command = 200
        }.error
        #expect(error == .session(.timedOut(.command)))
    }

    @Test func aServerThatHangsUpIsNoticed() async throws {
        #expect(try await Self.failure([.close]).error == .session(.connectionLost(.greeting)))
        #expect(
            try await Self.failure(ServerStep.login() + [.hear, .sayRaw(Array("* 1 EX".utf8)), .close]).error
                == .session(.connectionLost(.command))
        )
        #expect(
            try await Self.failure(ServerStep.login() + [.hear, .say("* BYE [UNAVAILABLE] later"), .close]).error
                == .session(.bye(IMAPStatus(.bye, .unavailable, "later")))
        )
    }

    @Test func floodsAreNotHeld() async throws {
        #expect(try await Self.failure([.flood("x")]).error == .session(.syntax(.greeting, .responseTooLong)))
        #expect(
            try await Self.failure([.say("* OK ready"), .hear, .flood("* 1 EXISTS\r\n")]).error
                == .session(.tooMuchBeforeLogin)
        )
        #expect(
            try await Self.failure(ServerStep.login() + [.hear, .flood("(")]).error
                == .session(.syntax(.command, .responseTooLong))
        )
    }

    @Test func hitsBeyondWhatIsHeldEndTheSession() async throws {
        let server = try ScriptedServer([ServerStep.login() + [.hear, .flood("* SEARCH 1 2 3 4 5 6 7 8 9\r\n")]])
        try await server.run {
            let session = try await server.open()
            session.maximumHits = 10_000
            await #expect(throws: IMAPSessionError.tooMuch) { _ = try await session.search(.all) }
            #expect(!session.isUsable)
        }
    }

    @Test func literalsThatCannotBeAreRefused() async throws {
        let begin = ServerStep.login() + [.hear]
        #expect(
            try await Self.failure(begin + [.say("* LIST () \"/\" {99999999}")]).error
                == .session(.syntax(.command, .literalTooLong(octets: 99_999_999)))
        )
        #expect(
            try await Self.failure(begin + [.say("* 1 FETCH (BODY[] {99999999999}")]).error
                == .session(.syntax(.command, .literalTooLong(octets: 99_999_999_999)))
        )
    }

    @Test func nothingSecretIsSaidBeforeTLS() async throws {
        let stripped = try await Self.failure([.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"), .hear], .startTLS)
        #expect(stripped.error == .session(.tlsNotOffered) && stripped.lines.isEmpty)
        let greeted = try await Self.failure(
            [.say("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello"), .hear],
            .startTLS
        )
        #expect(greeted.error == .session(.preauthenticated) && greeted.lines.isEmpty)
        let injected = try await Self.failure(
            [
                .say("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready"), .hear,
                .sayRaw(Array("A1 OK go\r\n* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n".utf8)), .hear,
            ],
            .startTLS
        )
        #expect(injected.error == .session(.injectedBeforeTLS) && injected.lines == ["A1 STARTTLS"])
        let strange = try await Self.failure(
            [.say("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready"), .hear, .say("A1 OK go"), .startTLS, .hear],
            .startTLS,
            isTrusted: false
        )
        guard case .dial(.certificate) = strange.error else {
            Issue.record("\(String(describing: strange.error))")
            return
        }
        #expect(strange.lines == ["A1 STARTTLS"])
    }

    @Test func startTLSComesFirst() async throws {
        let server = try ScriptedServer([
            [
                .say("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=X] ready"), .hear, .say("A1 OK go"), .startTLS, .hear,
                .say("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR"), .say("A2 OK"), .hear,
                .say("A3 OK [CAPABILITY IMAP4rev1] in"),
            ]
        ])
        try await server.run {
            let session = try await server.open(.startTLS)
            #expect(session.isTLS)
        }
        #expect(server.lines == ["A1 STARTTLS", "A2 CAPABILITY", "A3 AUTHENTICATE PLAIN AHUxAHB3"])
    }

    @Test func aCancelledTaskLosesTheConnection() async throws {
        let server = try ScriptedServer([ServerStep.login() + [.hear, .silence]])
        try await server.run {
            let loop = server.group.loops[0]
            let task = Task(executorPreference: loop) {
                let session = try await server.open()
                try await session.noop()
            }
            while server.lines.count < 2 { try await loop.sleep(milliseconds: 5) }
            task.cancel()
            await #expect(throws: IMAPSessionError.session(.connectionLost(.command))) { try await task.value }
        }
    }

    @Test func aCompressedStreamThatIsNoneEndsTheSession() async throws {
        let server = try ScriptedServer([
            ServerStep.login("IMAP4rev1 COMPRESS=DEFLATE") + [
                .hear, .say("A2 OK now"), .sayRaw([UInt8](repeating: 0xFF, count: 100)), .silence,
            ]
        ])
        try await server.run {
            var route = server.route()
            route.usesCompression = true
            let session = try await IMAPClientSession.open(route, dialer: server.dialer, pool: server.pool)
            #expect(session.isCompressed)
            await #expect(throws: IMAPSessionError.session(.badCompression)) { try await session.noop() }
        }
    }
}
