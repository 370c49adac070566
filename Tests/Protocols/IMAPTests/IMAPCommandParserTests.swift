// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import IMAP

@Suite struct IMAPCommandParserTests {
    /// Reads octets as a server does; what is told of them, in lines.
    static func read(
        _ octets: [UInt8],
        _ feeding: Feeding = .whole,
        _ limits: IMAPCommandReader.Limits = .init()
    ) -> [String] {
        var reader = IMAPCommandReader(limits)
        var input = ByteBuffer()
        var told: [String] = []
        var messageLeft: UInt64 = 0
        var append: (tag: [UInt8], message: IMAPAppend)?
        for piece in feeding.pieces(octets) {
            input.append(piece)
            pieces: while true {
                let count = Int(min(messageLeft, UInt64(input.count)))
                input.consume(count)
                messageLeft -= UInt64(count)
                if messageLeft > 0 { break }
                switch reader.next(&input) {
                case .incomplete: break pieces
                case .continuation: told.append("+")
                case .command(let command): told.append(described(command))
                case .message(let tag, let message, let isSynchronizing):
                    if let append { told.append(described(.command(tag: append.tag, .append(append.message)))) }
                    append = (tag, message)
                    messageLeft = message.octets
                    if isSynchronizing { told.append("+") }
                case .appendEnds:
                    if let append { told.append(described(.command(tag: append.tag, .append(append.message)))) }
                    append = nil
                case .refused(let tag, let error):
                    append = nil
                    told.append("refused \(tag.map { Said.octets($0) as String } ?? "-") \(error)")
                case .failed(let error): return told + ["failed \(error)"]
                }
            }
        }
        return told
    }

    /// A command is described as a client writes it.
    static func described(_ command: IMAPParsedCommand) -> String {
        switch command {
        case .command(let tag, let command):
            let written = IMAPClientCommandEncoderTests.written(command)
            return tag == [0x61] ? written : "\(Said.octets(tag) as String): \(written)"
        case .unknown: return "unknown"
        case .badCharset: return "bad charset"
        case .malformed(let tag, let error): return "malformed \(tag.map { Said.octets($0) as String } ?? "-") \(error)"
        }
    }

    /// What a client's encoder writes, apart from what is for servers of others.
    static let written = IMAPClientCommandEncoderTests.commands.filter {
        !$0.1.contains("X-GM") && !$0.1.contains("ISO-8859-1")
    }

    @Test(arguments: written, Feeding.allCases)
    func whatAClientWritesIsReadAsItWasMeant(_ command: (IMAPCommand, String), _ feeding: Feeding) throws {
        var octets: [UInt8] = []
        for piece in try IMAPClientCommandEncoder.encode(command.0, tag: [0x61], .plus, isUTF8: false) {
            switch piece {
            case .octets(let some): octets += some
            case .pause: break
            case .supply(let count): octets += [UInt8](repeating: 0x78, count: Int(count))
            }
        }
        #expect(Self.read(octets, feeding) == [command.1 + "␍␊"])
    }

    @Test(arguments: [
        ("a fetch 1:* all", "a FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"),
        ("a FETCH 2 FAST", "a FETCH 2 (FLAGS INTERNALDATE RFC822.SIZE)"),
        ("a FETCH 2,4:7,9,12:* full", "a FETCH 2,4:7,9,12:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"),
        ("a FETCH 5:2 BODY[2.HEADER]", "a FETCH 2:5 (BODY[2.HEADER])"),
        ("a FETCH 1 (PREVIEW (LAZY) UID)", "a FETCH 1 (PREVIEW UID)"),
        ("a FETCH 1 BODY[]<0.4294967295>", "a FETCH 1 (BODY[]<0.4294967295>)"),
        ("a UID STORE 1:2 +FLAGS \\Seen $x", "a UID STORE 1:2 +FLAGS (\\Seen $x)"),
        ("a STORE 1 FLAGS.SILENT (\\deleted)", "a STORE 1 FLAGS.SILENT (\\Deleted)"),
        ("a SEARCH SUBJECT x (SEEN)", "a SEARCH (SUBJECT \"x\" SEEN)"),
        ("a SEARCH RETURN () UNSEEN", "a SEARCH RETURN (ALL) UNSEEN"),
        ("a SEARCH CHARSET us-ascii NEW", "a SEARCH NOT ALL"),
        ("a SEARCH NOT NOT (OR SEEN (OR DRAFT DELETED))", "a SEARCH NOT NOT OR SEEN OR DRAFT DELETED"),
        ("a SEARCH ON \"1-Jan-2001\"", "a SEARCH ON 1-Jan-2001"),
        ("a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338", "a SEARCH MODSEQ 620162338"),
        ("a SEARCH CHARSET KOI8-R TEXT x", "bad charset"),
        ("a LOGIN {2+}\r\nme {3+}\r\np w", "a LOGIN \"me\" \"p w\""),
        ("a select inbox", "a SELECT INBOX"), ("a CHECK", "a NOOP"), ("a XYZZY", "unknown"),
        ("a UID XYZZY 1", "unknown"),
        ("a SELECT x (QRESYNC (1 2 41,43:211 (1,3 5,7)))", "a SELECT x (QRESYNC (1 2 41,43:211))"),
        ("a SELECT x (QRESYNC (1 2 (1,3 5,7)))", "a SELECT x (QRESYNC (1 2))"),
        (
            "a UID FETCH 7 (UID BODYSTRUCTURE MODSEQ EMAILID THREADID SAVEDATE BINARY.SIZE[1.2]) (CHANGEDSINCE 9 VANISHED)",
            "a UID FETCH 7 (UID BODYSTRUCTURE MODSEQ EMAILID THREADID SAVEDATE BINARY.SIZE[1.2]) (CHANGEDSINCE 9 VANISHED)"
        ),
        ("a LIST () \"\" (INBOX \"a/%\") RETURN (SUBSCRIBED)", "a LIST \"\" (\"INBOX\" \"a/%\") RETURN (SUBSCRIBED)"),
        ("a ENABLE CONDSTORE X-UNKNOWN qresync", "a ENABLE CONDSTORE QRESYNC"),
    ]) func whatOtherClientsWrite(_ command: String, _ meaning: String) {
        let isCommand = meaning.hasPrefix("a ")
        #expect(Self.read(Array("\(command)\r\n".utf8)) == [meaning + (isCommand ? "␍␊" : "")])
    }

    @Test(arguments: [
        "", " NOOP", "+ NOOP", "a", "a ", "a NOOP x", "a LOGIN me", "a LOGIN me \"pw", "a LOGIN \"\\",
        "a FETCH 0 FLAGS",
        "a FETCH 1 ()", "a FETCH 1 (FLAGS", "a FETCH 1 BODY[MIME]", "a FETCH 1 BODY[0]", "a FETCH 1 BODY[]<1>",
        "a FETCH 1 BODY[]<1.0>", "a FETCH 1 BODY[HEADER.FIELDS ()", "a FETCH 4294967296 FLAGS",
        "a FETCH 1 (FLAGS) (VANISHED)",
        "a FETCH 1 BINARY[1.HEADER]", "a STORE 1 FLAGS", "a STORE 1 *FLAGS ()", "a SEARCH", "a SEARCH (", "a SEARCH ()",
        "a SEARCH NOT", "a SEARCH OR SEEN", "a SEARCH SEEN)", "a SEARCH SINCE 31-Foo-2001", "a SEARCH LARGER -1",
        "a SEARCH RETURN (FOO) ALL", "a SEARCH RETURN (PARTIAL 1:-2) ALL", "a SEARCH FOO", "a STATUS x",
        "a STATUS x ()",
        "a STATUS x (FOO)", "a SELECT x (FOO)", "a SELECT x (QRESYNC (0 1))", "a LIST \"\"", "a LIST \"\" ()",
        "a CREATE x (FOO)", "a CREATE x (USE (\\Foo))", "a COPY 1", "a MOVE 1: x", "a UID", "a UID EXPUNGE", "a ENABLE",
        "a ID (\"x\"", "a COMPRESS GZIP", "a AUTHENTICATE", "a NO\u{0}OP", "a LOGIN a\u{0}b c", "a LOGIN \"a\rb\" c",
    ]) func noCommands(_ command: String) {
        let told = Self.read(Array("\(command)\r\n".utf8))
        #expect(told.count == 1 && told[0].hasPrefix("malformed"), "\(told)")
    }

    @Test func nestingIsBounded() {
        let limit = IMAPLimits().depth
        for (open, close) in [("NOT ", ""), ("(", ")"), ("OR SEEN ", "")] {
            for (depth, isTaken) in [(limit - 1, true), (limit + 1, false), (1000, false)] {
                let keys =
                    Array(repeating: open, count: depth).joined() + "ALL"
                    + Array(repeating: close, count: depth).joined()
                let parsed = IMAPParsedCommand(Array("a SEARCH \(keys)".utf8))
                if case .command = parsed { #expect(isTaken) } else { #expect(!isTaken) }
            }
        }
        guard
            case .malformed(_, .tooDeep) = IMAPParsedCommand(
                Array("a FETCH 1 BODY[HEADER.FIELDS \(String(repeating: "(", count: 60))".utf8)
            )
        else {
            Issue.record("lists have no bound")
            return
        }
    }

    @Test func aCommandHasOnlySoManyFlags() {
        for (count, isTaken) in [(1000, true), (1001, false)] {
            let flags = Array(repeating: "x", count: count).joined(separator: " ")
            for flags in [flags, "(\(flags))"] {
                let parsed = IMAPParsedCommand(Array("a STORE 1 FLAGS \(flags)".utf8))
                if case .command = parsed { #expect(isTaken) } else { #expect(!isTaken) }
            }
        }
    }

    // MARK: Literals

    /// What begins like an APPEND is not read anew with each literal: this would take minutes.
    @Test func aCommandOfManyLiteralsIsReadOnce() {
        let flags = (0..<900).map { "f\($0)" }.joined(separator: " ")
        let literals = String(repeating: "{1+}\r\nx", count: 20_000)
        let told = Self.read(Array("a APPEND x (\(flags) \(literals))\r\nb NOOP\r\n".utf8))
        #expect(told.count == 2 && told[0].hasPrefix("malformed a") && told[1] == "b: a NOOP␍␊")
    }

    @Test(arguments: Feeding.allCases) func literalsAreWaitedFor(_ feeding: Feeding) {
        let login = Array("a LOGIN {2}\r\nme {3+}\r\np w\r\nb NOOP\r\n".utf8)
        #expect(Self.read(login, feeding) == ["+", "a LOGIN \"me\" \"p w\"␍␊", "b: a NOOP␍␊"])
        let append = Array("a APPEND {1}\r\nx (\\Seen) {5}\r\na\r\n\0b\r\nb NOOP\r\n".utf8)
        #expect(Self.read(append, feeding) == ["+", "+", "a APPEND x (\\Seen) {5+}␍␊‹5›␍␊", "b: a NOOP␍␊"])
    }

    @Test(
        arguments: [
            (
                "a APPEND x {1+}\r\na (\\Seen) {2+}\r\nbb\r\n",
                ["a APPEND x {1+}␍␊‹1›␍␊", "a APPEND x (\\Seen) {2+}␍␊‹2›␍␊"]
            ),
            ("a APPEND x {1}\r\na {2}\r\nbb\r\n", ["+", "a APPEND x {1+}␍␊‹1›␍␊", "+", "a APPEND x {2+}␍␊‹2›␍␊"]),
            (
                "a APPEND {1+}\r\nx UTF8 (~{1+}\r\na) ~{2+}\r\nbb\r\n",
                ["a APPEND x UTF8 (~{1+}␍␊‹1›)␍␊", "a APPEND x ~{2+}␍␊‹2›␍␊"]
            ),
            ("a APPEND x {1+}\r\na y\r\nb NOOP\r\n", ["refused a unexpectedOctet(121, at: 11)", "b: a NOOP␍␊"]),
            ("a APPEND x {1+}\r\nay\r\nb NOOP\r\n", ["refused a unexpectedOctet(121, at: 10)", "b: a NOOP␍␊"]),
            ("a APPEND x UTF8 (~{1+}\r\na\r\nb NOOP\r\n", ["refused a unexpectedEnd", "b: a NOOP␍␊"]),
            // What belongs to a command that makes no sense is no command.
            (
                "a APPEND x {1+}\r\na (\\) {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
                ["refused a unexpectedOctet(41, at: 13)", "c: a NOOP␍␊"]
            ),
            ("a APPEND x (\\Seen\r\nb NOOP\r\n", ["malformed a unexpectedEnd", "b: a NOOP␍␊"]),
            ("a APPEND x\r\n", ["malformed a unexpectedEnd"]),
        ],
        Feeding.allCases
    )
    func severalMessages(_ case: (String, [String]), _ feeding: Feeding) {
        let told = Self.read(Array(`case`.0.utf8), feeding)
        // A message is told of behind the question for the next one.
        #expect(told.filter { $0 != "+" } == `case`.1.filter { $0 != "+" })
        #expect(told.count == `case`.1.count)
    }

    @Test(arguments: Feeding.allCases) func limitsHold(_ feeding: Feeding) {
        var limits = IMAPCommandReader.Limits.beforeLogin
        limits.lineOctets = 100
        limits.commandOctets = 6000
        func read(_ text: String) -> [String] { Self.read(Array(text.utf8), feeding, limits) }
        #expect(read("a LOGIN {4097}\r\nb NOOP\r\n") == ["refused a literalTooLong(octets: 4097)", "b: a NOOP␍␊"])
        #expect(read("a LOGIN {4097+}\r\n") == ["failed literalTooLong(octets: 4097)"])
        #expect(read("a LOGIN {9223372036854775807}\r\n") == ["refused a literalTooLong(octets: 9223372036854775807)"])
        #expect(read("a LOGIN {9223372036854775808}\r\n") == ["failed badLiteral"])
        let large = String(repeating: "x", count: 4000)
        #expect(read("a LOGIN {4000+}\r\n\(large) {4000+}\r\n") == ["failed literalTooLong(octets: 4000)"])
        #expect(read("a LOGIN \(large)\r\n") == ["failed responseTooLong"])
        #expect(read("a NOOP\nb NOOP\r\n") == ["refused a unexpectedOctet(10, at: 6)", "b: a NOOP␍␊"])
        let message = read("a LOGIN {3+}\r\na\u{0}b c\r\nb NOOP\r\n")
        #expect(message.count == 2 && message[0].hasPrefix("refused a unexpectedOctet(0"))
    }

    // MARK: What others test with

    /// Kinds of swift-nio-imap's vectors that are commands, or can stand in one, with what stands around them.
    static let frames: [String: (String, String)] = [
        "command": ("a ", ""), "searchKey": ("a SEARCH ", ""), "fetchAttribute": ("a FETCH 1 ", ""),
        "storeData": ("a STORE 1 ", ""), "copySuffix": ("a COPY", ""), "moveSuffix": ("a MOVE", ""),
        "fetchSuffix": ("a FETCH", ""), "storeSuffix": ("a STORE", ""), "searchSuffix": ("a SEARCH", ""),
        "renameSuffix": ("a RENAME", ""), "loginSuffix": ("a LOGIN", ""), "selectSuffix": ("a SELECT", ""),
        "statusSuffix": ("a STATUS", ""), "enableSuffix": ("a ENABLE", ""), "listSuffix": ("a LIST", ""),
        "createSuffix": ("a CREATE", ""), "deleteSuffix": ("a DELETE", ""), "subscribeSuffix": ("a SUBSCRIBE", ""),
        "unsubscribeSuffix": ("a UNSUBSCRIBE", ""), "authenticateSuffix": ("a AUTHENTICATE", ""),
        "uidSuffix": ("a UID", ""), "LSUBSuffix": ("a LSUB", ""), "idSuffix": ("a ID", ""),
        "sortSuffix": ("a SORT", ""), "getQuotaSuffix": ("a GETQUOTA", ""),
        "getQuotaRootSuffix": ("a GETQUOTAROOT", ""),
        "getQuotaRoot": ("a ", ""), "taggedCommand": ("", ""), "lastCommandSet": ("a COPY ", " x"),
        "changedSinceModifier": ("a FETCH 1 UID (", ")"), "fetchModifier": ("a FETCH 1 UID (", ")"),
        "fetchModifiers": ("a FETCH 1 UID", ""), "unchangedSinceModifier": ("a STORE 1 (", ") FLAGS ()"),
        "storeModifier": ("a STORE 1 (", ") FLAGS ()"), "storeModifiers": ("a STORE 1", " FLAGS ()"),
        "storeFlags": ("a STORE 1 ", ""), "partial": ("a FETCH 1 BODY[]", ""),
        "partialRange": ("a SEARCH RETURN (PARTIAL ", ") ALL"), "sectionBinary": ("a FETCH 1 BINARY", ""),
        "sectionPart": ("a FETCH 1 BODY[", ".MIME]"), "sequenceMatchData": ("a SELECT x (QRESYNC (1 2 ", "))"),
        "sortCriterion": ("a SORT (", ") UTF-8 ALL"), "sortCriteria": ("a SORT ", " UTF-8 ALL"),
        "searchCriteria": ("a SEARCH ", ""), "searchReturnOption": ("a SEARCH RETURN (", ") ALL"),
        "searchReturnOptions": ("a SEARCH", " ALL"), "selectParameter": ("a SELECT x (", ")"),
        "conditionalStoreParameter": ("a SELECT x (", ")"), "filterMailboxes": ("a NOTIFY SET (", " NONE)"),
        "oneOrMoreMailbox": ("a NOTIFY SET (MAILBOXES ", " NONE)"), "dateText": ("a SEARCH ON ", ""),
        "date": ("a SEARCH ON ", ""), "statusOption": ("a LIST \"\" * RETURN (", ")"),
        "returnOption": ("a LIST \"\" * RETURN (", ")"), "listSelectOption": ("a LIST (", ") \"\" *"),
        "charset": ("a SEARCH CHARSET ", " ALL"), "initialResponse": ("a AUTHENTICATE PLAIN ", ""),
        "createParameters": ("a CREATE x", ""),
    ]

    /// Those that are not as there: what has no meaning here is not taken.
    static let differently: [String: Set<String>] = [
        "command": [
            "GETMETADATA INBOX (test)", "SETMETADATA INBOX (test NIL)", "URLFETCH test", "UIDBATCHES 1000 10:20",
            "UIDBATCHES 1000 1", "GETJMAPACCESS", "RENAME box5 box6 (test)",
        ],
        "fetchAttribute": ["X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"], "storeData": ["-X-GM-LABELS (bar)"],
        "searchKey": ["UIDAFTER $", "FILTER something"],
        "selectSuffix": [" inbox (some1)"], "createSuffix": [" inbox (some)"], "createParameters": [" (param1 param2)"],
        "storeModifier": ["test"], "searchReturnOption": ["modifier"], "searchReturnOptions": [" RETURN (m1 m2)"],
        "selectParameter": ["test 1"], "filterMailboxes": ["subtree-one \"box1\""], "listSelectOption": ["MYEXT"],
        "partial": ["<2.4294967294>", "<2200000000.2200000000>"],
    ]

    struct Vector: CustomTestStringConvertible, Sendable {
        let kind: String
        let input: String
        let verdict: String
        var testDescription: String { "\(kind): \(Said.octets(Array(input.utf8)) as String)" }
    }

    static func vectors() throws -> [Vector] {
        let data = try TestData.bytes("imap/nio-imap/parse-fixtures.json")
        guard let all = try JSONSerialization.jsonObject(with: Data(data)) as? [[String: Any]] else { return [] }
        return all.compactMap { one in
            guard let kind = one["kind"] as? String, let input = one["input"] as? String,
                let verdict = one["verdict"] as? String, frames[kind] != nil,
                // Whether something is complete the end of its line says here; and two attributes there are lone numbers.
                verdict != "incomplete", !["0", "42"].contains(input)
            else { return nil }
            // Backslashes are twice in some of the inputs, which were lifted from source.
            return Vector(kind: kind, input: input.replacing("\\\\", with: "\\"), verdict: verdict)
        }
    }

    @Test(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set")) func thereAreVectors() throws {
        #expect(try Self.vectors().count >= 200)
    }

    @Test(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"), arguments: try vectors())
    func vector(_ vector: Vector) {
        guard let frame = Self.frames[vector.kind] else { return }
        let parsed = IMAPParsedCommand(Array((frame.0 + vector.input + frame.1).utf8).filter { $0 != ASCII.cr })
        var isTaken = false
        if case .command = parsed { isTaken = true }
        let isOurs = Self.differently[vector.kind]?.contains(vector.input) == true
        #expect(isTaken == ((vector.verdict == "success") != isOurs), "\(Self.described(parsed))")
    }
}
