// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import JSON

@Suite struct JSONObjectReaderTests {
    private func read(_ text: String, _ body: (inout JSONObjectReader) -> Void) throws -> [String] {
        let errors = JSONFieldErrors()
        let value = try JSONValue(parsing: Array(text.utf8).span)
        guard var reader = JSONField(value, errors: errors).object() else { return errors.errors.map(describe) }
        body(&reader)
        reader.finish()
        return errors.errors.map(describe)
    }

    private func describe(_ error: JSONFieldError) -> String {
        "\(error.pointer.span.repairedUTF8String()) \(error.code.rawValue)"
    }

    @Test func everythingWrongIsNamedAtOnce() throws {
        let found = try read(#"{"a":1,"b":"\u0000","c":[1,"x"],"d/~":2,"e":"éé","f":18446744073709551615,"g":1.0}"#) {
            reader in
            #expect(reader.take("a")?.text(maximum: 5) == nil)
            #expect(reader.take("b")?.text(maximum: 5) == nil)
            #expect(reader.take("c")?.elements(maximum: 5)?.map { $0.integer(in: 0...9) } == [1, nil])
            #expect(reader.take("e")?.text(maximum: 2) == Array("éé".utf8))
            #expect(reader.take("f")?.integer(in: 0...9) == nil)
            #expect(reader.take("g")?.integer(in: 0...9) == nil)
            #expect(reader.require("h") == nil)
            #expect(reader.take("i") == nil)
        }
        #expect(
            found == [
                "/a wrong_type", "/b contains_nul", "/c/1 wrong_type", "/f out_of_range", "/g wrong_type", "/h missing",
                "/d~1~0 unknown",
            ]
        )
    }

    @Test func lengthsAreCountedInScalars() throws {
        let found = try read(#"{"a":"ééé","b":"","c":[]}"#) { reader in
            #expect(reader.take("a")?.text(maximum: 2) == nil)
            #expect(reader.take("b")?.text(minimum: 1, maximum: 2) == nil)
            #expect(reader.take("c")?.elements(minimum: 1, maximum: 2) == nil)
        }
        #expect(found == ["/a too_long", "/b too_short", "/c too_short"])
    }

    @Test func anObjectMustBeOne() throws {
        #expect(try read("[]") { _ in } == [" wrong_type"])
    }
}
