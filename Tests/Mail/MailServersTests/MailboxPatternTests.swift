// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import MailServers

@Suite struct MailboxPatternTests {
    private func matches(_ pattern: String, _ name: String, reference: String = "") -> Bool {
        MailboxPattern(Array(pattern.utf8), reference: Array(reference.utf8)).matches(Array(name.utf8))
    }

    @Test(arguments: [
        ("*", "a/b/c", true), ("%", "a", true), ("%", "a/b", false), ("%/%", "a/b", true), ("a*", "a", true),
        ("a%", "a/b", false), ("*b", "a/b", true), ("%b", "a/b", false), ("a/%t*4", "a/test3/test4", true),
        ("inbox", "INBOX", true), ("InBox/%", "INBOX/x", true), ("in*", "INBOX", true), ("inboxes", "INBOX", false),
        ("", "a", false), ("a", "A", false), ("**%%*", "x/y", true), ("%3/%4", "x3/y4", true),
    ]) func wildcardsMatch(_ pattern: String, _ name: String, _ expected: Bool) {
        #expect(matches(pattern, name) == expected)
    }

    @Test func theReferenceStandsInFront() {
        #expect(matches("%", "a/b", reference: "a/"))
        #expect(!matches("%", "b", reference: "a/"))
        #expect(matches("/b", "/b", reference: "a/"))
    }

    /// A look costs no more than both lengths: this one would take for ever if it went back.
    @Test func manyWildcardsTakeNoTime() {
        let pattern = String(repeating: "*a", count: 500) + "b"
        #expect(!matches(pattern, String(repeating: "a", count: 2000)))
    }

    @Test func aNeedleIsFoundWhereItIs() {
        // All texts of up to eight, and needles of up to five, of two letters: each need for going back is among them.
        func texts(_ longest: Int) -> [[UInt8]] {
            (0...longest).flatMap { count in
                (0..<(1 << count)).map { bits in (0..<count).map { bits >> $0 & 1 == 1 ? 0x61 : 0x62 } }
            }
        }
        for needle in texts(5) {
            let sought = FoldedNeedle(needle)
            for text in texts(8) {
                let isThere = needle.isEmpty || (0..<text.count).contains { text[$0...].starts(with: needle) }
                #expect(sought.isIn(folded: text) == isThere)
            }
        }
    }

    @Test func foldedTextIsFoundAcrossPieces() {
        let needles = ["ÄHN", "hello world", "missing"].map { FoldedNeedle(Array($0.utf8)) }
        var text = FoldedText(needles)
        for piece in ["xx ä", "hn HELL", "O WOR", "ld"] { text.take(Array(piece.utf8)) }
        #expect(text.found == [true, true, false])
        text.take(Array("mis".utf8))
        text.end()
        text.take(Array("sing".utf8))
        #expect(text.found == [true, true, false])
        #expect(FoldedNeedle([]).isIn(Array("x".utf8)))
    }
}
