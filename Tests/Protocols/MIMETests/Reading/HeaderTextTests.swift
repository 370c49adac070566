// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import MIME

@Suite struct HeaderTextTests {
    @Test(arguments: [
        ("plain text ", "plain text"),
        ("folded\r\n  line\r\n\tagain", "folded line again"),
        ("=?iso-8859-1?q?this=20is=20some=20text?=", "this is some text"),
        ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=\r\n =?utf-8?b?Yw==?=", "abc"),
        ("=?ISO-8859-1?Q?a?= b", "a b"),
        ("=?ISO-8859-1?Q?a_?= =?ISO-8859-2?Q?_b?=", "a  b"),
        ("=?utf-8?q?=F0=9F?= =?utf-8?q?=98=80?=", "😀"),
        ("=?utf-8?b?8J8=?= =?UTF-8?B?mIA=?=", "😀"),
        ("=?utf-8*en?q?lang?=", "lang"),
        ("pre=?utf-8?q?=C3=A9?=post", "preépost"),
        ("=?unknown?q?=C3=A9?=", "é"),
        ("=?utf-8?q?bad=ZZ?=", "bad=ZZ"),
        ("=?utf-8?x?no?=", "=?utf-8?x?no?="),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("=??q?x?=", "=??q?x?="),
        ("=?utf-8?q?a=0D=0AB:_c=00?=", "a  B: c"),
        ("=?utf-8?q??= x", "x"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("", ""),
    ]) func decodes(_ raw: String, _ text: String) { #expect(HeaderText.decode(Array(raw.utf8)) == text) }

    @Test func octetsBeyondASCIIAreUTF8OrElseWindows1252() {
        #expect(HeaderText.decode(Array("Grüße".utf8)) == "Grüße")
        #expect(HeaderText.decode([0x47, 0x72, 0xFC, 0xDF, 0x65]) == "Grüße")
    }

    @Test(.timeLimit(.minutes(20))) func wordsWithoutEndTakeLinearTime() {
        for word in ["=?a?q?", "=?", "=?utf-8?b?QQ?= ", "=?utf-8?q"] {
            let many = Array(String(repeating: word, count: 150_000).utf8)
            _ = HeaderText.decode(many)
        }
    }
}
