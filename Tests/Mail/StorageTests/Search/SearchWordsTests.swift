// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Storage

@Suite struct SearchWordsTests {
    private static func indexed(_ text: String) -> String {
        var buffer = ByteBuffer()
        SearchWords.append(Array(text.utf8).span, to: &buffer)
        return buffer.bytes.repairedUTF8String()
    }

    @Test(arguments: [
        ("Hello, world", "Hello world"),
        ("  a--b  ", "a b "),
        ("ann@example.com", "ann example com"),
        ("中文邮件 ok", "中文 文邮 邮件 件 ok"),
        ("中", "中 "),
        ("v2の話", "v2 の話 話 "),
        ("한국어 메일", "한국 국어 어 메일 일 "),
        ("ที่", "ที ี่ ่ "),
        ("Größe e\u{301}", "Grösse e\u{301}"),
        ("🎉", ""),
        ("naïve, ça va", "naïve ça va"),
        ("中x文 é中", "中 x 文 é 中 "),
    ])
    func text(_ text: String, isIndexedAs words: String) {
        #expect(Self.indexed(text) == words)
    }

    @Test func wordsAreCutAndIllFormedOctetsSeparate() {
        let long = String(repeating: "x", count: 100)
        #expect(Self.indexed(long + " y") == String(repeating: "x", count: SearchWords.maximumWordLength) + " y")
        // Some of it ASCII and some not, it is one word all the same.
        let mixed = String(repeating: "x", count: SearchWords.maximumWordLength - 1)
        #expect(Self.indexed(mixed + "ézé") == mixed + "é")
        #expect(Self.indexed("é" + mixed + "z") == "é" + mixed)
        var buffer = ByteBuffer()
        SearchWords.append([0x61, 0xFF, 0x62].span, to: &buffer)
        #expect(buffer.array() == Array("a b".utf8))
    }

    @Test(arguments: [
        ("邮件", "邮件 ", false),
        ("中文邮件", "中文 文邮 邮件 ", false),
        ("邮", "邮 ", true),
        ("ok邮", "ok邮 ", true),
        ("邮件 ok", "邮件 件 ok", false),
        ("Mail", "Mail", false),
    ])
    func query(_ text: String, asksFor words: String, asBeginning isPrefix: Bool) {
        let query = SearchWords.query(Array(text.utf8).span)
        #expect(String(decoding: query.words, as: UTF8.self) == words.replacing("ok邮", with: "ok 邮"))
        #expect(query.isPrefix == isPrefix)
    }
}
