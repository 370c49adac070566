// SPDX-License-Identifier: Apache-2.0

import SASL
import Testing
import Wire

@testable import IMAP

@Suite struct ModifiedUTF7Tests {
    static let names: [(text: String, wire: String)] = [
        ("INBOX", "INBOX"), ("a&b", "a&-b"), ("Entwürfe", "Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("☃️&☺️", "&JgP+Dw-&-&Jjr+Dw-"), ("𝄞", "&2DTdHg-"), ("", ""),
    ]

    @Test(arguments: names) func name(_ text: String, _ wire: String) {
        #expect(ModifiedUTF7.encode(text) == Array(wire.utf8))
        let decoded = ModifiedUTF7.decode(Array(wire.utf8).span)
        #expect(decoded == text)
    }

    @Test(arguments: ["&", "a&AP", "&AP-", "&AGE-", "&2DQ-", "ü", "&U/BTFw-", "&APw=-", "\t"])
    func whatIsNoneIsNotDecoded(_ wire: String) {
        let decoded = ModifiedUTF7.decode(Array(wire.utf8).span)
        #expect(decoded == nil)
    }

    @Test func aNameThatCannotBeDecodedIsKeptApart() {
        #expect(IMAPMailboxName(octets: Array("a&b".utf8)).text(isUTF8: false) == "a&b")
        #expect(IMAPMailboxName(octets: [0x61, 0xE4]).text(isUTF8: false) == "a=E4")
        #expect(IMAPMailboxName("ä", isUTF8: true).octets == [0xC3, 0xA4])
        #expect(IMAPMailboxName(octets: Array("inbox".utf8)).isInbox)
    }
}

@Suite struct IMAPNumberSetTests {
    @Test func numbersBecomeRanges() {
        #expect(Said.set(IMAPNumberSet([5, 1, 2, 3, 9, 3] as [UInt32])) == "1:3,5,9")
        #expect(Said.set(IMAPNumberSet([.max, .max - 1] as [UInt32])) == "4294967294:*")
        #expect(Said.set(IMAPNumberSet(7...IMAPNumberSet.largest)) == "7:*")
    }

    @Test func orderIsKept() throws {
        let set = try #require(IMAPNumberSet(Array("9,4:2,3".utf8)))
        #expect(Said.set(set) == "9,2:4,3")
        #expect(set.count == 5)
        #expect(set.number(at: 1) == 2)
        #expect(set.place(of: 4) == 3)
        #expect(set.numbers(limit: 5) == [9, 2, 3, 4, 3])
        #expect(Said.set(set.normalized) == "2:4,9")
    }

    @Test func aHugeRangeIsNotWrittenOut() throws {
        let set = try #require(IMAPNumberSet(Array("1:*,1:*".utf8)))
        #expect(set.count == 2 * UInt64(UInt32.max))
        #expect(set.numbers(limit: 1_000_000) == nil)
    }

    @Test(arguments: ["", "0", "1:", "a", "1,,2", "1:0", "4294967296", "1 "])
    func whatIsNoSetIsNone(_ text: String) { #expect(IMAPNumberSet(Array(text.utf8)) == nil) }

    @Test func piecesFitIntoLines() {
        let set = IMAPNumberSet((1...1000).map { UInt32($0 * 2) })
        let pieces = set.pieces(ofAtMost: 100)
        #expect(pieces.count > 10)
        #expect(pieces.allSatisfy { Said.set($0).utf8.count <= 100 })
        #expect(pieces.flatMap { $0.ranges } == set.ranges)
    }

    @Test func copiesAreFoundByTheirPlace() throws {
        let source = try #require(IMAPNumberSet(Array("304,319:320".utf8)))
        let copied = IMAPCopiedUIDs(validity: 1, source: source, destination: IMAPNumberSet(3956...3958))
        #expect(copied?.destination(of: 319) == 3957)
        #expect(copied?.destination(of: 305) == nil)
    }
}

@Suite struct IMAPDateTimeTests {
    @Test(arguments: ["17-Jul-1996 02:44:25 -0700", " 1-Jan-2000 00:00:00 +0000", "31-Dec-2024 23:59:59 +1400"])
    func date(_ text: String) {
        let date = IMAPDateTime(Array(text.utf8).span)
        #expect(date.map { Said.date($0) } == "\"\(text)\"")
    }

    @Test(arguments: [
        "", "32-Jan-2000 00:00:00 +0000", "1-Foo-2000 00:00:00 +0000", "1-Jan-2000 24:00:00 +0000",
        "1-Jan-2000 00:00:00", "1-Jan-2000 00:00:00 +0000 x", "1-Jan-2000 00:00:00 +9999",
    ])
    func whatIsNoDateIsNone(_ text: String) {
        let date = IMAPDateTime(Array(text.utf8).span)
        #expect(date == nil)
    }

    @Test func anOffsetIsTakenOff() {
        let date = IMAPDateTime(Array("01-Jan-1970 01:00:00 +0100".utf8).span)
        #expect(date == IMAPDateTime(Timestamp(milliseconds: 0), offsetMinutes: 60))
    }
}

@Suite struct IMAPCapabilitiesTests {
    private func capabilities(_ text: String) -> IMAPCapabilities {
        IMAPCapabilities(text.split(separator: " ").map { Array($0.utf8) })
    }

    @Test func rev2ImpliesWhatItIsMadeOf() {
        let rev2 = capabilities("IMAP4rev2 AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=X appendlimit=1000")
        #expect(rev2.contains(.move) && rev2.contains(.idle) && rev2.contains(.literalMinus) && rev2.contains(.uidPlus))
        #expect(!rev2.contains(.condStore) && !rev2.contains(.literalPlus))
        #expect(rev2.mechanisms == [.plain, .scramSHA256])
        #expect(rev2.appendLimit == 1000)
    }

    @Test func qresyncImpliesCondstore() {
        #expect(capabilities("IMAP4rev1 QRESYNC").contains(.condStore))
        #expect(!capabilities("IMAP4rev1").contains(.move))
    }
}
