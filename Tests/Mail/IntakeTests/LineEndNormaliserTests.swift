// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Intake

@Suite struct LineEndNormaliserTests {
    @Test(arguments: [
        ("a\r\nb\r\n", "a\r\nb\r\n", false), ("a\nb\n", "a\r\nb\r\n", true), ("a\rb\r", "a\r\nb\r\n", true),
        ("\n\n\r\r\n\r", "\r\n\r\n\r\n\r\n\r\n", true), ("", "", false), ("x", "x", false),
        ("\r\n\n", "\r\n\r\n", true),
        ("a\r\r\nb", "a\r\n\r\nb", true),
    ]) func everyLineEndIsCRLF(_ input: String, _ expected: String, _ changed: Bool) {
        let octets = Array(input.utf8)
        for size in 1...4 {
            var normaliser = LineEndNormaliser()
            var output = ByteBuffer()
            var start = 0
            while start < octets.count {
                let end = min(start + size, octets.count)
                normaliser.normalise(octets.span.extracting(start..<end), into: &output)
                start = end
            }
            normaliser.finish(into: &output)
            #expect(output.array() == Array(expected.utf8), "\(size)")
            #expect(normaliser.changed == changed)
        }
    }
}
