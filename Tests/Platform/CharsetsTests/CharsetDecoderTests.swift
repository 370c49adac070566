// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import Charsets

@Suite struct CharsetDecoderTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let label: String
        let octets: [UInt8]
        let text: String
        var testDescription: String { "\(label): \(text)" }

        init(_ label: String, _ octets: [UInt8], _ text: String) {
            self.label = label
            self.octets = octets
            self.text = text
        }
    }

    static let samples = [
        Sample("utf-8", Array("Grüße 日本 😀".utf8), "Grüße 日本 😀"),
        Sample("utf-8", [0x61, 0xFF, 0x62], "a\u{FFFD}b"),
        Sample("utf-8", [0xE2, 0x82], "\u{FFFD}"),
        Sample("utf-8", [0xC0, 0xAF], "\u{FFFD}\u{FFFD}"),
        Sample("utf-8", [0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
        Sample("utf-8", [0xF0, 0x9F, 0x41], "\u{FFFD}A"),
        Sample("iso-8859-1", [0x93, 0xE4, 0x94, 0x80], "“ä”€"),
        Sample("ISO-8859-15", [0xA4], "€"),
        Sample("iso-8859-16", [0xA4, 0xBA], "€ș"),
        Sample("koi8-r", [0xF0, 0xD2, 0xC9, 0xD7, 0xC5, 0xD4], "Привет"),
        Sample("windows-1251", [0xCF, 0xF0, 0xE8], "При"),
        Sample("iso-2022-jp", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x21], "日本!"),
        Sample("shift_jis", [0x93, 0xFA, 0x96, 0x7B], "日本"),
        Sample("euc-jp", [0xC6, 0xFC, 0xCB, 0xDC], "日本"),
        Sample("gb2312", [0xD6, 0xD0, 0xCE, 0xC4], "中文"),
        Sample("gb18030", [0x94, 0x39, 0xDA, 0x33], "\u{1F4A9}"),
        Sample("big5", [0xA4, 0xA4, 0xA4, 0xE5], "中文"),
        Sample("ks_c_5601-1987", [0xC7, 0xD1, 0xB1, 0xDB], "한글"),
        Sample("utf-16le", [0x3D, 0xD8, 0x00, 0xDE], "😀"),
        Sample("utf-16be", [0xD8, 0x3D, 0x00, 0x41], "\u{FFFD}A"),
        Sample("utf-16be", [0xD8, 0x3D], "\u{FFFD}"),
        Sample("utf-7", Array("Hi +2D3eAA-!".utf8), "Hi 😀!"),
        Sample("us-ascii", Array("plain".utf8), "plain"),
        Sample("us-ascii", Array("Grüße".utf8), "Grüße"),
        Sample("us-ascii", [0x47, 0x72, 0xFC, 0x66], "Grüf"),
        Sample("us-ascii", [0x61, 0xC3], "aÃ"),
    ]

    @Test(arguments: samples) func readsWholeAndOctetByOctet(_ sample: Sample) throws {
        let charset = try #require(Charset(sample.label))
        #expect(String(decoding: CharsetDecoder.decode(sample.octets.span, as: charset), as: UTF8.self) == sample.text)
        var decoder = CharsetDecoder(charset)
        var output: [UInt8] = []
        for octet in sample.octets { decoder.decode([octet], into: &output) }
        decoder.finish(into: &output)
        #expect(String(validating: output, as: UTF8.self) == sample.text)
    }

    @Test(arguments: ["utf-9", "", "x-user-defined", "ibm-37", "unicode-1-1-utf-7,x", "../utf-8"])
    func labelsOutsideTheTableAreUnknown(_ label: String) { #expect(Charset(label) == nil) }

    @Test(arguments: [
        (" \"UTF8\" ", "utf-8"), ("Latin1", "windows-1252"), ("GBK", "gb18030"), ("US-ASCII", "us-ascii"),
    ])
    func labelsAreReadAsBrowsersDo(_ label: String, _ name: String) { #expect(Charset(label)?.name == name) }

    @Test func everyRowHasAConverterAndItsNameIsALabelOfIt() {
        for (index, row) in CharsetTable.rows.enumerated() {
            #expect(Charset(row.name)?.index == index, "\(row.name)")
            #expect(CharsetDecoder.decode(Array("a1 ".utf8).span, as: .utf8) == Array("a1 ".utf8))
            if case .converter = row.method {
                let decoder = CharsetDecoder(Charset(row.name) ?? .utf8)
                let hasConverter = decoder.hasConverter
                #expect(hasConverter, "\(row.name)")
            }
        }
    }

    @Test func labelsAreUnique() {
        let labels = CharsetTable.rows.flatMap(\.labels)
        #expect(Set(labels).count == labels.count)
    }

    @Test func anyOctetsBecomeWellFormedUTF8OfBoundedLength() {
        var generator = SystemRandomNumberGenerator()
        let noise = (0..<4_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        for row in CharsetTable.rows {
            let output = CharsetDecoder.decode(noise.span, as: Charset(row.name) ?? .utf8)
            #expect(String(validating: output, as: UTF8.self) != nil, "\(row.name)")
            #expect(output.count <= noise.count * 4 + 8, "\(row.name)")
        }
    }

    /// The tables of the WHATWG standard, one pointer in each line; ICU's differ from them in few places.
    @Test(
        .enabled(if: TestData.root != nil),
        arguments: [("jis0208_in", "euc-jp", 0.998), ("big5_in", "big5", 0.95)]
    )
    func legacyTablesAgree(_ file: String, _ label: String, _ least: Double) throws {
        let input = try TestData.bytes("charset/encoding-rs/\(file).txt")
        let reference = try TestData.bytes("charset/encoding-rs/\(file)_ref.txt")
        let charset = try #require(Charset(label))
        let lines = { (octets: [UInt8]) in octets.split(separator: 0x0A, omittingEmptySubsequences: false) }
        let expected = lines(reference)
        var agreeing = 0
        for (line, wanted) in zip(lines(input), expected) {
            let line = Array(line)
            if CharsetDecoder.decode(line.span, as: charset) == Array(wanted) { agreeing += 1 }
        }
        #expect(expected.count > 7_000)
        #expect(Double(agreeing) / Double(expected.count) >= least, "\(agreeing) of \(expected.count)")
    }
}
