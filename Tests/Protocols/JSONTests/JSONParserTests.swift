// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import JSON

@Suite struct JSONParserTests {
    struct Fixture: CustomTestStringConvertible {
        let text: String
        let result: Result<JSONValue, JSONError>
        var testDescription: String { text }

        init(_ text: String, _ value: JSONValue) {
            self.text = text
            result = .success(value)
        }

        init(_ text: String, _ reason: JSONError.Reason, at offset: Int) {
            self.text = text
            result = .failure(JSONError(reason, offset: offset))
        }
    }

    @Test(arguments: [
        Fixture("0", .integer(0)),
        Fixture(" -0 ", .integer(0)),
        Fixture("9223372036854775807", .integer(.max)),
        Fixture("-9223372036854775808", .integer(.min)),
        Fixture("9223372036854775808", .unsigned(1 << 63)),
        Fixture("18446744073709551615", .unsigned(.max)),
        Fixture("18446744073709551616", .number(Array("18446744073709551616".utf8))),
        Fixture("-9223372036854775809", .number(Array("-9223372036854775809".utf8))),
        Fixture("1e3", .number(Array("1e3".utf8))),
        Fixture("1.0", .number(Array("1.0".utf8))),
        Fixture("[true,false,null]", .array([.bool(true), .bool(false), .null])),
        Fixture(#""\u00e9\ud834\udd1e\n\/""#, .string(Array("é𝄞\n/".utf8))),
        Fixture(
            #"{"a":{"a":[]},"b":"ü"}"#,
            .object(
                JSONObject([
                    .init(name: [0x61], value: .object(JSONObject([.init(name: [0x61], value: .array([]))]))),
                    .init(name: [0x62], value: .string(Array("ü".utf8))),
                ])
            )
        ),
        Fixture("", .unexpectedEnd, at: 0),
        Fixture("01", .unexpectedOctet, at: 1),
        Fixture("+1", .unexpectedOctet, at: 0),
        Fixture("1.", .unexpectedOctet, at: 2),
        Fixture("[1,]", .unexpectedOctet, at: 3),
        Fixture("[1}", .unexpectedOctet, at: 2),
        Fixture("{\"a\":1,}", .unexpectedOctet, at: 7),
        Fixture(#"{"a":1,"\u0061":2}"#, .duplicateKey, at: 14),
        Fixture("\u{FEFF}{}", .unexpectedOctet, at: 0),
        Fixture("{} {}", .unexpectedOctet, at: 3),
        Fixture("\"\u{1}\"", .controlCharacter, at: 1),
        Fixture(#""\ud834x""#, .loneSurrogate, at: 7),
        Fixture(#""\udd1e""#, .loneSurrogate, at: 6),
        Fixture(#""\x""#, .invalidEscape, at: 2),
        Fixture("nul", .unexpectedEnd, at: 3),
        Fixture("nulL", .unexpectedOctet, at: 3),
    ])
    func text(_ fixture: Fixture) throws {
        let octets = Array(fixture.text.utf8)
        for value in [Result { try JSONValue(parsing: octets.span) }, Result { try parseOctetByOctet(octets) }] {
            switch (value, fixture.result) {
            case (.success(let a), .success(let b)): #expect(a == b)
            case (.failure(let a), .failure(let b)): #expect(a as? JSONError == b)
            default: Issue.record("got \(value), not \(fixture.result)")
            }
        }
    }

    @Test func normalisationMakesNoTwoNamesOne() throws {
        let text = Array("{\"caf\u{E9}\":1,\"cafe\u{301}\":2}".utf8)
        #expect(try JSONValue(parsing: text.span).object?.members.count == 2)
    }

    @Test func depthIsLimited() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: ASCII.openBracket, count: depth) + [UInt8](repeating: ASCII.closeBracket, count: depth)
        }
        _ = try JSONValue(parsing: nested(64).span)
        #expect(throws: JSONError(.tooDeep, offset: 64)) { try JSONValue(parsing: nested(65).span) }
        #expect(throws: JSONError(.tooDeep, offset: 64)) { try JSONValue(parsing: nested(1_000_000).span) }
    }

    @Test func sizeIsLimited() {
        let text = Array("[\"0123456789\"]".utf8)
        #expect(throws: JSONError.self) {
            try JSONValue(parsing: text.span, limits: JSONLimits(octets: text.count - 1))
        }
        #expect(throws: Never.self) { try JSONValue(parsing: text.span, limits: JSONLimits(octets: text.count)) }
        var few = JSONLimits()
        few.values = 3
        #expect(throws: JSONError(.tooLarge, offset: 5)) {
            try JSONValue(parsing: Array("[1,2,3]".utf8).span, limits: few)
        }
    }

    @Test func errorIsRepeated() {
        var parser = JSONDocumentParser()
        #expect(throws: JSONError(.unexpectedOctet, offset: 0)) { try parser.consume([0x78].span) }
        #expect(throws: JSONError(.unexpectedOctet, offset: 0)) { try parser.consume([0x31].span) }
        #expect(throws: JSONError(.unexpectedOctet, offset: 0)) { try parser.finish() }
    }

    @Test(arguments: [1, 2, 3, 7, 64, 100_000])
    func longStringsAreStreamedBesideTheLimit(_ chunkOctets: Int) throws {
        let first = String(repeating: "AbC/", count: 5000)
        let text = Array(
            #"{"content":"no","attachments":[{"filename":"a","content":"\#(first)"},{"content":"\u0041\/é"},{"content":""}]}"#
                .utf8
        )
        var limits = JSONLimits(octets: 500)
        limits.depth = 8
        var parser = JSONDocumentParser(limits: limits, streaming: [JSONPath("attachments", "*", "content")])
        var streams: [[UInt8]] = [[], [], []]
        var ended = 0
        var index = 0
        while index < text.count {
            let end = min(index + chunkOctets, text.count)
            try parser.consume(text.span.extracting(index..<end))
            for piece in parser.takePieces() {
                #expect(piece.index == ended)
                streams[piece.index] += piece.octets
                if piece.isLast { ended += 1 }
            }
            index = end
        }
        let value = try parser.finish()
        #expect(ended == 3)
        #expect(streams == [Array(first.utf8), Array("A/é".utf8), []])
        #expect(value.object?["content"] == .string(Array("no".utf8)))
        #expect(value.object?["attachments"]?.array?[1].object?["content"] == .streamed(1))
    }
}
