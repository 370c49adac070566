// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import IMAP

/// What is written is read by our client's parser as what it was.
@Suite struct IMAPResponseEncoderTests {
    static func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func written(isUTF8: Bool = false, _ write: (inout IMAPResponseEncoder) -> Void) -> [UInt8] {
        var encoder = IMAPResponseEncoder()
        encoder.isUTF8 = isUTF8
        write(&encoder)
        return encoder.output.array()
    }

    /// Strings of every odd kind.
    static let strings: [[UInt8]] = [
        [], octets("plain"), octets("two words"), octets("NIL"), octets("nil"), octets("a\"b"), octets("a\\b"),
        octets("\\"),
        octets("\""), octets("(paren)"), octets("{3}"), octets("x {3+}"), octets("*%"), octets("a\r\nb"), octets("\n"),
        octets("ü"), [0xE4, 0xFF], [0x01, 0x1F, 0x7F], octets("]"), octets(") \r\n* OK done"), octets(" "),
        Array(repeating: 0x78, count: 1000), Array(repeating: 0x78, count: 1001), Array(1...255),
    ]

    static let names = strings.filter { !$0.isEmpty && IMAPMailboxName(octets: $0).isSendable }

    static var responses: [IMAPResponse] {
        let date = IMAPParameter(name: octets("date"), value: nil)
        var entries = names.map { name in
            IMAPResponse.list(
                IMAPListEntry(
                    IMAPMailboxName(octets: name),
                    attributes: [.hasNoChildren, .sent],
                    separator: ASCII.slash
                )
            )
        }
        entries.append(
            .list(
                IMAPListEntry(
                    .inbox,
                    kind: .lsub,
                    attributes: [.noInferiors, .noSelect, .marked, .unmarked, .hasChildren, .nonExistent, .subscribed],
                    otherAttributes: [octets("\\X-Odd")],
                    separator: nil,
                    oldName: IMAPMailboxName(octets: octets("old \"one\"")),
                    hasSubscribedChildren: true
                )
            )
        )
        entries.append(.list(IMAPListEntry(.inbox, attributes: [], separator: ASCII.backslash)))
        var status = IMAPMailboxStatus(mailbox: IMAPMailboxName(octets: octets("a b")))
        entries.append(.mailboxStatus(status))
        status.mailboxID = octets("F1")
        entries.append(.mailboxStatus(status))
        status.messages = 1
        status.recent = 2
        status.unseen = 3
        status.deleted = 4
        status.uidNext = 5
        status.uidValidity = 6
        status.highestModSeq = UInt64(Int64.max)
        status.size = 8
        status.appendLimit = 9
        entries.append(.mailboxStatus(status))
        var namespaces = IMAPNamespaces()
        entries.append(.namespace(namespaces))
        namespaces.personal = [
            .init(prefix: [], separator: ASCII.slash), .init(prefix: octets("#m \""), separator: nil),
        ]
        namespaces.shared = [.init(prefix: octets("s/"), separator: ASCII.backslash)]
        entries.append(.namespace(namespaces))
        return entries + [
            .capability(IMAPCapabilities([octets("IMAP4REV2"), octets("AUTH=PLAIN"), octets("APPENDLIMIT=5")])),
            .enabled([octets("QRESYNC"), octets("UTF8=ACCEPT")]), .enabled([]),
            .flags(IMAPFlags(MessageFlags([.seen, .deleted], keywords: ["$Junk"]), others: [octets("\\X")])),
            .exists(7), .recent(0), .expunge(3), .vanished(IMAPNumberSet([1, 2, 3, 9]), isEarlier: true),
            .vanished(IMAPNumberSet(5...5), isEarlier: false), .search([], modSeq: nil), .search([2, 1], modSeq: 7),
            .sort([3, 1, 2], modSeq: nil), .id([]),
            .id([IMAPParameter(name: octets("name"), value: octets("Post\"ern")), date]),
            .quota(
                IMAPQuota(root: [], resources: [.init(name: octets("STORAGE"), usage: 10, limit: 512)])
            ),
            .quota(IMAPQuota(root: octets("a b"), resources: [])),
            .quotaRoots(mailbox: .inbox, roots: [[], octets("x")]),
            .quotaRoots(mailbox: .inbox, roots: []),
        ]
    }

    static let searches: [IMAPExtendedSearch] = {
        var none = IMAPExtendedSearch()
        none.tag = octets("a\\1")
        var all = none
        all.isUID = true
        all.minimum = 1
        all.maximum = 9
        all.count = 4
        all.modSeq = 77
        all.all = IMAPNumberSet(ranges: [9...9, 1...3])
        all.partial = .init(range: octets("-1:-100"), numbers: IMAPNumberSet(1...2))
        var partial = IMAPExtendedSearch()
        partial.partial = .init(range: octets("1:100"), numbers: IMAPNumberSet())
        return [none, all, partial]
    }()

    static func read(_ written: [UInt8]) -> [IMAPResponseEvent] {
        let parsed = Parsed(written)
        return parsed.error == nil && !parsed.isIncomplete && parsed.deviations.subtracting([.utf8MailboxName]).isEmpty
            ? parsed.events : []
    }

    @Test(arguments: [false, true]) func responses(isUTF8: Bool) {
        for response in Self.responses + Self.searches.map({ .extendedSearch($0) }) {
            let written = Self.written(isUTF8: isUTF8) { $0.write(response) }
            #expect(Self.read(written) == [.response(response)], "\(Said.octets(written) as String)")
        }
    }

    @Test func mailboxNamesAreUTF8WhereThatWasEnabled() {
        func written(_ isUTF8: Bool) -> String {
            let name = IMAPMailboxName("Entwürfe", isUTF8: isUTF8)
            return Said.octets(
                Self.written(isUTF8: isUTF8) { $0.write(.list(IMAPListEntry(name, attributes: [], separator: 0x2F))) }
            )
        }
        #expect(written(true) == "* LIST () \"/\" \"Entwürfe\"␍␊")
        #expect(written(false) == "* LIST () \"/\" Entw&APw-rfe␍␊")
    }

    // MARK: Status

    static let codes: [IMAPResponseCode] =
        IMAPResponseCode.plain.map(\.code) + [
            .badCharset([]), .badCharset([octets("UTF-8"), octets("a b")]), .uidNext(5), .uidValidity(6), .unseen(7),
            .capability(IMAPCapabilities([octets("IMAP4REV1")])), .highestModSeq(9), .modified(IMAPNumberSet([1, 3])),
            .permanentFlags(IMAPFlags(MessageFlags([.seen]), allowsNewKeywords: true)),
            .appendUID(validity: 5, uids: IMAPNumberSet(6...8)), .mailboxID(octets("F12")),
            .badEvent([octets("MessageNew")]), .other(name: octets("X-ODD"), arguments: octets("1 2")),
            .other(name: octets("X"), arguments: nil),
        ]
        + [
            IMAPCopiedUIDs(validity: 5, source: IMAPNumberSet([1, 4]), destination: IMAPNumberSet(7...8))
        ].compactMap { $0.map { .copyUID($0) } }

    @Test func statuses() {
        for code in Self.codes.map(Optional.some) + [nil] {
            for condition in IMAPStatus.Condition.allCases {
                let status = IMAPStatus(condition, code, "Some [text]")
                #expect(Self.read(Self.written { $0.write(.status(status)) }) == [.response(.status(status))])
            }
            let status = IMAPStatus(.no, code, "Text")
            let tagged = IMAPResponse.tagged(tag: Self.octets("a1"), status)
            #expect(Self.read(Self.written { $0.write(tagged) }) == [.response(tagged)])
        }
    }

    @Test func textBreaksOutOfNothing() {
        let written = Self.written { $0.write(.status(IMAPStatus(.ok, nil, "[a\r\n* BYE \u{0}ü"))) }
        #expect(Said.octets(written) == "* OK (a  * BYE  ??␍␊")
        #expect(Said.octets(Self.written { $0.write(.status(IMAPStatus(.ok, .alert))) }) == "* OK [ALERT] -␍␊")
        #expect(Said.octets(Self.written { $0.write(.continuation(Self.octets("AA=="))) }) == "+ AA==␍␊")
    }

    // MARK: Threads

    @Test(arguments: [
        "(2)(3 6 (4 23)(44 7 96))", "((3)(5))", "", "(1)", "(1 2 3 (4)(5 6))", "(1 ((2)(3))(4))",
        "((1 2)(3 (4)(5)))(6)",
    ]) func threads(_ text: String) throws {
        let line = Self.octets("* THREAD \(text)\r\n")
        guard case .response(.thread(let thread)) = Self.read(line).first else {
            Issue.record("not read")
            return
        }
        let written = Self.written { $0.write(.thread(thread)) }
        #expect(Self.read(written) == [.response(.thread(thread))], "\(Said.octets(written) as String)")
        if !text.contains("((2)(3))") { #expect(written == (text.isEmpty ? Self.octets("* THREAD\r\n") : line)) }
    }

    // MARK: FETCH

    static var items: [IMAPFetchItem] {
        let moment = IMAPDateTime(Timestamp(milliseconds: 1_000_000_000_000), offsetMinutes: -330)
        return [
            .flags(IMAPFlags(MessageFlags([.flagged], keywords: ["x"]), isRecent: true)), .uid(4), .size(5),
            .internalDate(moment), .modSeq(9), .emailID(octets("M1")), .threadID(octets("T-1")), .threadID(nil),
            .saveDate(moment), .saveDate(nil), .preview(nil), .binarySize(part: [1, 2], octets: 9),
            .absent(IMAPSection(.binary, part: [2])), .absent(IMAPSection(.body, part: [1], .mime)),
            .gmailMessageID(1), .gmailThreadID(2), .gmailLabels([octets("a b"), octets("c")]),
        ] + strings.map { .preview($0) }
    }

    @Test func fetchItems() {
        let written = Self.written { encoder in
            encoder.beginFetch(7)
            for item in Self.items { encoder.item(item) }
            encoder.item(encoded: Self.octets("UID 12").span)
            encoder.endFetch()
        }
        #expect(
            Self.read(written) == [.fetchBegins(7)] + (Self.items + [.uid(12)]).map { .fetchItem($0) }
                + [.fetchEnds(isWhole: true)]
        )
    }

    @Test func envelopes() {
        for text in Self.strings {
            var envelope = IMAPEnvelope()
            let address = IMAPAddress(name: text, route: nil, mailbox: text, host: Self.octets("x"))
            let group = [IMAPAddress(mailbox: text, host: nil), address, IMAPAddress(mailbox: nil, host: nil)]
            envelope.subject = text
            envelope.date = text
            envelope.from = [address]
            envelope.to = group
            envelope.messageID = text
            let written = Self.written { encoder in
                encoder.beginFetch(1)
                encoder.item(.envelope(envelope))
                encoder.item(.uid(1))
                encoder.endFetch()
            }
            #expect(
                Self.read(written) == [
                    .fetchBegins(1), .fetchItem(.envelope(envelope)), .fetchItem(.uid(1)), .fetchEnds(isWhole: true),
                ]
            )
        }
    }

    /// In the words of RFC 9051 and of mail in the wild.
    static let structures = [
        #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3028 92 NIL NIL NIL NIL)"#,
        #"("text" "html" NIL "<a@b>" "a \"text\"" "BASE64" 1 2 "md5" ("inline" ("filename" "a b")) ("de" "en") "loc")"#,
        #"("APPLICATION" "PDF" ("NAME" {4}"# + "\r\na\r\nb"
            + #") NIL NIL "BASE64" 8 NIL ("attachment" NIL) ("de") NIL)"#,
        #"(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL NIL NIL NIL)("IMAGE" "PNG" NIL NIL NIL "BASE64" 9 NIL NIL NIL NIL)"#
            + #" "MIXED" ("BOUNDARY" "x") NIL NIL NIL)"#,
        #"(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 50 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)"#
            + #" (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL NIL NIL NIL)("TEXT" "HTML" NIL NIL NIL "7BIT" 1 1 NIL NIL NIL NIL)"#
            + #" "ALTERNATIVE" NIL NIL NIL NIL) 5 NIL NIL NIL NIL)(("A" "B" NIL NIL NIL "8BIT" 0 NIL NIL NIL NIL) "RELATED" NIL NIL NIL NIL)"#
            + #" "MIXED" NIL NIL NIL NIL)"#,
    ]

    @Test(arguments: structures) func bodyStructures(_ text: String) {
        let line = Self.octets("* 1 FETCH (BODYSTRUCTURE \(text))\r\n")
        let events = Self.read(line)
        guard events.count == 3, case .fetchItem(.bodyStructure(let structure)) = events[1] else {
            Issue.record("not read: \(Said.octets(line) as String)")
            return
        }
        let written = Self.written { encoder in
            encoder.beginFetch(1)
            encoder.item(.bodyStructure(structure))
            encoder.endFetch()
        }
        #expect(Self.read(written) == events, "\(Said.octets(written) as String)")
        let short = Self.written { encoder in
            encoder.beginFetch(1)
            encoder.bodyStructure(structure, isExtended: false)
            encoder.endFetch()
        }
        guard case .fetchItem(.bodyStructure(let body)) = Self.read(short).dropFirst().first else {
            Issue.record("not read: \(Said.octets(short) as String)")
            return
        }
        #expect(body.parts.map(\.section) == structure.parts.map(\.section))
        #expect(body.parts.map(\.octets) == structure.parts.map(\.octets))
        #expect(body.parts.allSatisfy { $0.disposition == nil && $0.languages.isEmpty && $0.md5 == nil })
    }

    @Test func whatHasNothingInItHasAPart() {
        let structure = IMAPBodyStructure(
            parts: [.init(kind: .multipart, section: [], parent: nil, type: [], subtype: Self.octets("mixed"))]
        )
        let written = Self.written { $0.bodyStructure(structure, isExtended: false) }
        #expect(Said.octets(written) == #"BODY (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0) "mixed")"#)
    }

    @Test func deepStructuresAreWrittenWithoutRecursion() {
        let parts = (0..<20_000).map { place in
            IMAPBodyStructure.Part(
                kind: place == 19_999 ? .leaf : .multipart,
                section: [],
                parent: place == 0 ? nil : place - 1,
                type: Self.octets("A"),
                subtype: Self.octets("B")
            )
        }
        let written = Self.written { $0.bodyStructure(IMAPBodyStructure(parts: parts), isExtended: true) }
        #expect(written.filter { $0 == ASCII.openParenthesis }.count == 20_000)
        #expect(written.filter { $0 == ASCII.closeParenthesis }.count == 20_000)
    }

    @Test func sections() {
        let sections = [
            IMAPSection(), IMAPSection(.body, .header), IMAPSection(.body, part: [1, 2], .text), IMAPSection(.rfc822),
            IMAPSection(.rfc822Header), IMAPSection(.rfc822Text), IMAPSection(.binary, part: [3]),
            IMAPSection(.body, .all, origin: 10),
            IMAPSection(.body, part: [1], .headerFields([Self.octets("From"), Self.octets("X \"odd\"")])),
            IMAPSection(.body, .headerFieldsNot([Self.octets("From\r\n")]), origin: 0),
        ]
        let content = Self.octets("a\r\n) UID 5\r\n{3}")
        for section in sections {
            let written = Self.written { encoder in
                encoder.beginFetch(2)
                encoder.item(.uid(1))
                encoder.section(section, content)
                encoder.beginSection(section, octets: 0)
                encoder.beginSection(section, octets: 3)
                encoder.octets(Self.octets("a").span)
                encoder.octets(Self.octets("bc").span)
                encoder.item(.size(4))
                encoder.endFetch()
            }
            #expect(
                Self.read(written) == [
                    .fetchBegins(2), .fetchItem(.uid(1)), .sectionBegins(section, octets: UInt64(content.count)),
                    .sectionOctets(content), .sectionEnds, .sectionBegins(section, octets: 0), .sectionEnds,
                    .sectionBegins(section, octets: 3), .sectionOctets(Self.octets("abc")), .sectionEnds,
                    .fetchItem(.size(4)), .fetchEnds(isWhole: true),
                ],
                "\(Said.octets(written) as String)"
            )
        }
    }

    @Test func nulIsOnlyWhereItMayBe() {
        let content: [UInt8] = [0x61, 0, 0x62]
        let written = Self.written { encoder in
            encoder.section(IMAPSection(), content)
            encoder.section(IMAPSection(.binary, part: [1]), content)
            encoder.item(.preview(content))
        }
        #expect(
            written == Self.octets("BODY[] {3}\r\na") + [0x80] + Self.octets("b BINARY[1] ~{3}\r\na") + [0]
                + Self.octets("b PREVIEW {3}\r\na") + [0x80, 0x62]
        )
    }
}
