// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import Wire

@testable import IMAP

@Suite struct IMAPResponseParserTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let input: String
        let lines: [String]
        let deviations: Set<IMAPDeviation>
        var testDescription: String { Said.octets(Array(input.utf8)) }

        init(_ input: String, _ lines: String..., deviations: Set<IMAPDeviation> = []) {
            self.input = input
            self.lines = lines
            self.deviations = deviations
        }
    }

    static let cases: [Case] = [
        // Status.
        Case("* OK hello\r\n", "* OK hello"),
        Case("* OK [UIDVALIDITY 3857529045] valid\r\n", "* OK [UIDVALIDITY 3857529045] valid"),
        Case("a1 NO [OVERQUOTA] full\r\n", "a1 NO [OVERQUOTA] full"),
        Case("a1 BAD what\r\n", "a1 BAD what"),
        Case("a1 OK\r\n", "a1 OK", deviations: [.missingText]),
        Case("* BYE\r\n", "* BYE", deviations: [.missingText]),
        Case("* OK text that ends in {5}\r\n* 1 EXISTS\r\n", "* OK text that ends in {5}", "EXISTS 1"),
        Case("+ go {3}\r\n+\r\n", "+ go {3}", "+ "),
        Case("* OK [X-NEW a b] y\r\n", "* OK [other X-NEW|a b] y"),
        Case("* OK [ no code\r\n", "* OK [ no code"),
        Case("* OK [BADCHARSET (\"a]b\" utf-8)] y\r\n", "* OK [BADCHARSET (a]b utf-8)] y"),
        Case("* OK [UIDNEXT 0] y\r\n", "* OK [other UIDNEXT|0] y", deviations: [.badCodeArguments]),
        Case("* OK [COPYUID 701  ]\r\n", "* OK [other COPYUID|701  ]", deviations: [.badCodeArguments, .missingText]),
        Case("[COPYUID 55 31 6]\r\n", "* OK [COPYUID 55 31 6]", deviations: [.codeWithoutStatus, .missingText]),
        Case(
            "a1 OK [COPYUID 9 1:3 1:2] uneven\r\n",
            "a1 OK [other COPYUID|9 1:3 1:2] uneven",
            deviations: [.badCodeArguments]
        ),
        Case("* OK bare\n", "* OK bare", deviations: [.bareLineFeed]),
        // Data.
        Case("* CAPABILITY IMAP4rev1 auth=plain X\r\n", "CAPABILITY (IMAP4REV1 AUTH=PLAIN X)"),
        Case("* LIST (\\HasChildren \\Sent) \"/\" \"a \\\"b\\\\\"\r\n", "list \\HasChildren \\Sent / a \"b\\"),
        Case("* LIST () NIL inBOX\r\n", "list  NIL INBOX"),
        Case("* LIST () \"\" x\r\n", "list  NIL x", deviations: [.emptySeparator]),
        Case("* LIST (\\X-Y) \".\" {3}\r\na\r\n\r\n", "list (\\X-Y) . a␍␊"),
        Case("* LIST () \".\" new (\"OLDNAME\" (old))\r\n", "list  . new was old"),
        Case("* STATUS {1}\r\nx (MESSAGES 2 X-Y (1 2) SIZE 9)\r\n", "STATUS x messages=2 size=9"),
        Case("* STATUS x (MAILBOXID (F-2_x) SIZE 9)\r\n", "STATUS x size=9 mailboxID=F-2_x"),
        Case(
            "* STATUS x (MESSAGES 2 MAILBOXID (L` \u{1})V\u{7F}) SIZE 9)\r\n",
            "STATUS x messages=2 size=9",
            deviations: [.senselessMailboxID]
        ),
        Case("* STATUS x (MAILBOXID () SIZE 9)\r\n", "STATUS x size=9", deviations: [.senselessMailboxID]),
        Case("* STATUS x (MAILBOXID (\u{1}))\r\n", "STATUS x", deviations: [.senselessMailboxID]),
        Case(
            "* STATUS x (MESSAGES 99999999999)\r\n",
            "unreadable: badNumber(at: 21)",
            deviations: [.unreadableResponse]
        ),
        Case("* FLAGS (\\Seen $Junk \\Odd)\r\n", "FLAGS (\\Seen $Junk) others (\\Odd)"),
        Case("* 4294967296 EXISTS\r\n", "unreadable: badNumber(at: 2)", deviations: [.unreadableResponse]),
        Case("* 0 EXPUNGE\r\n", "unreadable: badNumber(at: 0)", deviations: [.unreadableResponse]),
        Case("* VANISHED (EARLIER) 1:3,9\r\n", "VANISHED (EARLIER) 1:3,9"),
        Case("* VANISHED 9:7,5\r\n", "VANISHED 7:9,5"),
        Case("* SEARCH\r\n", "SEARCH "),
        Case("* SEARCH 3 1 (MODSEQ 7)\r\n", "SEARCH 3 1 MODSEQ 7"),
        Case("* SEARCH 3 \r\n", "SEARCH 3", deviations: [.spaceAtEnd]),
        Case("* ESEARCH (TAG \"a\") UID COUNT 3 X-NEW (1 (2)) ALL 1:2,9\r\n", "ESEARCH tag=a uid count=3 all=1:2,9"),
        Case("* NAMESPACE ((\"\" \"/\")(\"#m\" NIL \"X\" (\"Y\"))) NIL NIL\r\n", "NAMESPACE [|/, #m|NIL] [] []"),
        Case("* ID (\"name\" NIL \"a\" \"b\")\r\n", "ID name=NIL a=\"b\""),
        Case("* ID NIL\r\n", "ID "),
        Case("* ENABLED QRESYNC CONDSTORE\r\n", "ENABLED (QRESYNC CONDSTORE)"),
        Case("* QUOTA \"\" (STORAGE 1 2)\r\n", "QUOTA  STORAGE 1/2"),
        Case("* THREAD (1 2 (3)(4 5))((6)(7))\r\n", "THREAD 0:1 1:2 2:3 2:4 3:5 0:- 1:6 1:7"),
        Case("* X-NEW a {3}\r\n(\r\n x\r\n* 1 EXISTS\r\n", "unknown X-NEW", "EXISTS 1"),
        Case("* 3 X-NEW\r\n", "unknown 3 X-NEW"),
        Case("\r\n", "unreadable: unexpectedEnd", deviations: [.unreadableResponse]),
        // FETCH.
        Case("* 1 FETCH ()\r\n", "FETCH 1", "END"),
        Case(
            "* 2 FETCH (FLAGS (\\Seen \\Recent $x) UID 7 MODSEQ (12) RFC822.SIZE 5000000000)\r\n",
            "FETCH 2",
            "  FLAGS (\\Seen \\Recent $x)",
            "  UID 7",
            "  MODSEQ 12",
            "  RFC822.SIZE 5000000000",
            "END"
        ),
        Case(
            "* 2 FETCH (INTERNALDATE \" 1-Feb-2024 01:02:03 -0130\" SAVEDATE NIL PREVIEW {2}\r\nhi EMAILID (M1) THREADID NIL)\r\n",
            "FETCH 2",
            "  INTERNALDATE \" 1-Feb-2024 01:02:03 -0130\"",
            "  SAVEDATE NIL",
            "  PREVIEW \"hi\"",
            "  EMAILID M1",
            "  THREADID NIL",
            "END"
        ),
        Case(
            "* 2 FETCH (BODY[1.2.MIME]<4> {3}\r\n)\r\n UID 3 BODY[] \"ab\" BINARY[1] ~{2}\r\n\0\n BINARY.SIZE[2] 7 BODY[TEXT] NIL RFC822 {0}\r\n)\r\n",
            "FETCH 2",
            "  BODY[1.2.MIME]<4> {3}",
            "    )␍␊",
            "  .",
            "  UID 3",
            "  BODY[] {2}",
            "    ab",
            "  .",
            "  BINARY[1] {2}",
            "    \0␊",
            "  .",
            "  BINARY.SIZE[2] 7",
            "  BODY[TEXT] NIL",
            "  RFC822 {0}",
            "  .",
            "END"
        ),
        Case(
            "* 2 FETCH (BODY[HEADER.FIELDS (From \"X ]\")] {1}\r\nx)\r\n",
            "FETCH 2",
            "  BODY[HEADER.FIELDS (From X ])] {1}",
            "    x",
            "  .",
            "END"
        ),
        Case(
            "* 2 FETCH (X-GM-MSGID 18446744073709551615 X-GM-THRID 2 X-GM-LABELS (\\Sent \"a b\") X-NEW (1 {1}\r\n) (2)))\r\n",
            "FETCH 2",
            "  X-GM-MSGID 18446744073709551615",
            "  X-GM-THRID 2",
            "  X-GM-LABELS (\\Sent a b)",
            "  other X-NEW",
            "END"
        ),
        Case(
            "* 2 FETCH (UID 9 (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL {1}\r\nm)))\r\n",
            "FETCH 2",
            "  UID 9",
            "  ENVELOPE NIL NIL from [] to [] id \"m\"",
            "END",
            deviations: [.parenthesizedFetchItem]
        ),
        Case(
            "* 2 FETCH (ENVELOPE (foo) UID 9 BODY (1 2))\r\n",
            "FETCH 2",
            "  other ENVELOPE",
            "  UID 9",
            "  other BODY",
            "END",
            deviations: [.senselessStructure]
        ),
        Case(
            "* 2 FETCH (UID 9 FLAGS )\r\n* 3 EXISTS\r\n",
            "FETCH 2",
            "  UID 9",
            "unreadable: unexpectedOctet(41, at: 23)",
            "END, not whole",
            "EXISTS 3",
            deviations: [.unreadableResponse]
        ),
        Case(
            "* 2 FETCH (UID x BODY[] {3}\r\nabc X {1}\r\n)\r\n* 3 EXISTS\r\n",
            "FETCH 2",
            "unreadable: badNumber(at: 15)",
            "END, not whole",
            "EXISTS 3",
            deviations: [.unreadableResponse]
        ),
        Case("* 0 FETCH (UID 1)\r\n", "FETCH 0", "END, not whole"),
        Case(
            "* 123 FETCH (RFC822[] {5}\r\nfoo\r\n)\r\n",
            "FETCH 123",
            "  RFC822 {5}",
            "    foo␍␊",
            "  .",
            "END",
            deviations: [.bracketsBehindRFC822]
        ),
    ]

    @Test(arguments: cases, Feeding.allCases)
    func response(_ one: Case, _ feeding: Feeding) {
        let parsed = Parsed(Array(one.input.utf8), feeding)
        #expect(parsed.lines == one.lines)
        #expect(parsed.deviations == one.deviations)
        #expect(!parsed.isIncomplete)
    }

    @Test(arguments: cases)
    func whatIsCutIsNotOver(_ one: Case) {
        let octets = Array(one.input.utf8)
        for count in 1..<octets.count where octets[count - 1] != 10 && !one.deviations.contains(.unreadableResponse) {
            #expect(Parsed(Array(octets[..<count])).isIncomplete)
        }
    }

    // MARK: BODYSTRUCTURE

    @Test func partsHaveTheSectionsThatFetchWants() {
        let text = "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)"
        let inner = "((\(text)\(text) \"alternative\")(\"image\" \"png\" NIL NIL NIL \"base64\" 9) \"mixed\")"
        let envelope = "(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"
        let message = "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 50 \(envelope) \(inner) 5)"
        let single = "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 50 \(envelope) \(text) 5)"
        let parsed = Parsed(Array("* 1 FETCH (BODYSTRUCTURE (\(text)\(message)\(single) \"mixed\"))\r\n".utf8))
        #expect(
            parsed.lines[1]
                == "  BODYSTRUCTURE - MULTIPART/mixed multipart, 1 text/plain 1, 2 message/rfc822 message 50,"
                + " 2 MULTIPART/mixed multipart, 2.1 MULTIPART/alternative multipart, 2.1.1 text/plain 1, 2.1.2 text/plain 1,"
                + " 2.2 image/png 9, 3 message/rfc822 message 50, 3.1 text/plain 1"
        )
    }

    @Test func aMessageOfOnePartHasSection1() {
        let parsed = Parsed(
            Array(
                ("* 1 FETCH (BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\" 4 2 \"md5\""
                    + " (\"attachment\" (\"filename\" \"a\")) (\"de\" \"en\") \"loc\" \"ext\" (1 2)))\r\n").utf8
            )
        )
        guard case .fetchItem(.bodyStructure(let structure)) = parsed.events[1], let part = structure.parts.first else {
            Issue.record("no structure")
            return
        }
        #expect(part.section == [1])
        #expect(part.lines == 2)
        #expect(part.md5 == Array("md5".utf8))
        #expect(part.disposition?.parameters == [IMAPParameter(name: Array("filename".utf8), value: Array("a".utf8))])
        #expect(part.languages == [Array("de".utf8), Array("en".utf8)])
        #expect(part.location == Array("loc".utf8))
        #expect(structure.part([1])?.parameters.first?.value == Array("utf-8".utf8))
    }

    // MARK: Limits

    static func limits(_ change: (inout IMAPLimits) -> Void) -> IMAPLimits {
        var limits = IMAPLimits()
        change(&limits)
        return limits
    }

    @Test(arguments: Feeding.allCases)
    func whatIsTooLongEndsTheReading(_ feeding: Feeding) {
        let limits = Self.limits {
            $0.responseOctets = 100
            $0.sectionOctets = 1000
        }
        func error(_ text: String) -> IMAPSyntaxError? { Parsed(Array(text.utf8), feeding, limits).error }
        #expect(error("* OK " + String(repeating: "x", count: 101)) == .responseTooLong)
        #expect(error("* OK " + String(repeating: "x", count: 101) + "\r\n") == .responseTooLong)
        #expect(error("* LIST () \"/\" {90}\r\n") == .literalTooLong(octets: 90))
        #expect(error("* 1 FETCH (PREVIEW {90}\r\n") == .literalTooLong(octets: 90))
        #expect(error("* 1 FETCH (BODY[] {1001}\r\n") == .literalTooLong(octets: 1001))
        #expect(error("* 1 FETCH (BODY[] {1000}\r\n") == nil)
        #expect(error("* 1 FETCH (BODY[] {99999999999999999999}\r\n") == .badLiteral)
        #expect(error("* 1 FETCH (UID x BODY[] {1001}\r\n") == .literalTooLong(octets: 1001))
        // Many small literals are one response still.
        #expect(
            error("* 1 FETCH (ENVELOPE (" + String(repeating: "{1}\r\nx ", count: 40)) == .literalTooLong(octets: 1)
                || error("* 1 FETCH (ENVELOPE (" + String(repeating: "{1}\r\nx ", count: 40)) == .responseTooLong
        )
    }

    @Test func whatIsTooDeepIsLeftOut() {
        let deep = String(repeating: "(", count: 60) + String(repeating: ")", count: 60)
        #expect(Parsed(Array("* 1 FETCH (X-NEW \(deep))\r\n".utf8)).lines.contains("unreadable: tooDeep"))
        #expect(Parsed(Array("* THREAD \(deep)\r\n".utf8)).lines == ["unreadable: tooDeep"])
        let section = "BODY[" + String(repeating: "1.", count: 60) + "1]"
        #expect(Parsed(Array("* 1 FETCH (\(section) NIL)\r\n".utf8)).lines.contains("unreadable: tooDeep"))
    }

    @Test func aStructureOfTooManyPartsIsNone() {
        let part = "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)"
        let limits = Self.limits { $0.parts = 10 }
        let line = "* 1 FETCH (BODYSTRUCTURE (\(String(repeating: part, count: 10)) \"mixed\") UID 4)\r\n"
        #expect(
            Parsed(Array(line.utf8), .whole, limits).lines == ["FETCH 1", "  other BODYSTRUCTURE", "  UID 4", "END"]
        )
    }

    @Test(arguments: [Feeding.whole, .byOctet])
    func theNumbersOfALongSearchComeInGroups(_ feeding: Feeding) {
        let numbers = (1...20_000).map { UInt32($0) }
        let line = "* SEARCH " + numbers.map(String.init).joined(separator: " ") + " (MODSEQ 5)\r\n"
        let parsed = Parsed(Array(line.utf8), feeding, Self.limits { $0.responseOctets = 40_000 })
        var found: [UInt32] = []
        var last: UInt64?
        for event in parsed.events {
            guard case .response(.search(let some, let modSeq)) = event else {
                Issue.record("something else")
                return
            }
            found += some
            last = modSeq
        }
        #expect(found == numbers)
        #expect(last == 5)
        #expect(parsed.events.count > 3)
        #expect(parsed.error == nil && parsed.deviations.isEmpty)
    }

    @Test func aSectionIsHandedOnWhileItArrives() throws {
        var parser = IMAPResponseParser()
        var input = ByteBuffer(Array("* 1 FETCH (BODY[] {1000000}\r\n".utf8))
        var held = 0
        while try parser.next(&input) != nil {}
        for _ in 0..<100 {
            input.append([UInt8](repeating: 65, count: 10_000))
            while let event = try parser.next(&input) {
                if case .sectionOctets(let octets) = event { held += octets.count }
            }
            let isEmpty = input.isEmpty
            #expect(isEmpty)
        }
        #expect(held == 1_000_000)
    }
}
