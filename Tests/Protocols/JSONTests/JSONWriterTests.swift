// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import JSON

@Suite struct JSONWriterTests {
    @Test func commasStandBetweenAndNowhereElse() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.number(1)
        writer.number(UInt64.max)
        writer.beginObject()
        writer.endObject()
        writer.bool(true)
        writer.null()
        writer.endArray()
        let none: [UInt8] = []
        writer.raw(members: none.span)
        writer.raw(members: Array(#""b":2,"c":3"#.utf8).span)
        writer.key(Array("\"é".utf8).span)
        writer.timestamp(Timestamp(milliseconds: 1))
        writer.key("d")
        writer.raw(value: Array("[]".utf8).span)
        writer.endObject()
        #expect(
            text(writer)
                == #"{"a":[1,18446744073709551615,{},true,null],"b":2,"c":3,"\"é":"1970-01-01T00:00:00.001Z","d":[]}"#
        )
    }

    @Test func everyOctetIsEscapedAsItMustAtEveryPlace() throws {
        for octet in UInt8.min...0x7F {
            for place in 0..<20 {
                var text = [UInt8](repeating: 0x61, count: 20)
                text[place] = octet
                var writer = JSONWriter()
                writer.string(text)
                let written = writer.finish().array()
                #expect(try JSONValue(parsing: written.span) == .string(text))
                #expect(written.contains(octet) == (octet >= 0x20))
                if ![0x22, 0x5C].contains(octet), octet >= 0x20 { #expect(written.count == 22) }
            }
        }
    }

    @Test(
        arguments: [
            ([0xFF], "\u{FFFD}"),
            ([0x61, 0xC3], "a\u{FFFD}"),
            ([0xC3, 0xA9, 0xE2, 0x82], "é\u{FFFD}"),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xC0, 0xAF, 0x62], "\u{FFFD}\u{FFFD}b"),
            ([0xF0, 0x9F, 0x98, 0x80, 0xF4, 0x90, 0x80, 0x80], "😀\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ] as [([UInt8], String)]
    )
    func illFormedSequencesAreReplaced(_ octets: [UInt8], _ expected: String) throws {
        var writer = JSONWriter()
        writer.string(octets)
        let written = writer.finish().array()
        #expect(try JSONValue(parsing: written.span) == .string(Array(expected.utf8)))
    }

    /// The standard library's repair, an independent one, agrees on random octets; and what is written is read back.
    @Test func repairAgreesWithTheStandardLibrary() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<3000 {
            let count = Int.random(in: 0...40, using: &generator)
            let octets = (0..<count).map { _ in
                [
                    0x61, 0x22, 0x0A, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80, 0xED, 0xA0,
                    UInt8.random(in: 0...255),
                ]
                .randomElement(using: &generator) ?? 0
            }
            var writer = JSONWriter(capacity: 1)
            writer.string(octets)
            let written = writer.finish().array()
            let repaired = Array(String(decoding: octets, as: UTF8.self).utf8)
            #expect(try JSONValue(parsing: written.span) == .string(repaired), "\(octets)")
        }
    }

    @Test func aTreeIsWrittenAsItWasRead() throws {
        let source = #"{"a":[1,-2.50e+3,"\u0001é",{},[]],"b":{"c":null,"d":false}}"#
        var writer = JSONWriter()
        writer.value(try JSONValue(parsing: Array(source.utf8).span))
        #expect(text(writer) == source)
    }

    private func text(_ writer: consuming JSONWriter) -> String { writer.finish().bytes.repairedUTF8String() }
}
