// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Command

@Suite struct MboxReaderTests {
    /// The messages of a text, read `step` octets at a time.
    private func items(_ text: String, limit: Int = 10_000, step: Int = .max) throws -> [ImportItem] {
        let octets = Array(text.utf8)
        var reader = MboxReader(limit: limit) { offset, count in
            let start = min(Int(offset), octets.count)
            return Array(octets[start..<min(start + min(count, step), octets.count)])
        }
        var found: [ImportItem] = []
        while let item = try reader.next() { found.append(item) }
        return found
    }

    private func bodies(_ items: [ImportItem]) -> [String] {
        items.map { item in
            switch item {
            case .message(let message): String(decoding: message.octets, as: UTF8.self)
            case .unreadable(let failure): "unreadable: \(failure.reason)"
            }
        }
    }

    @Test(arguments: [
        ("", []),
        ("\n\n", []),
        ("From a Thu Apr  2 09:30:00 2026\nA: 1\n\nx\n", ["A: 1\n\nx\n"]),
        ("From a Thu Apr  2 09:30:00 2026\nA: 1\n\nx\n\n", ["A: 1\n\nx\n"]),
        ("From a Thu Apr  2 09:30:00 2026\r\nA: 1\r\n\r\nx\r\n\r\n", ["A: 1\r\n\r\nx\r\n"]),
        (
            "From a Thu Apr  2 09:30:00 2026\nA: 1\n\nx\n\nFrom b Thu Apr  2 09:31:00 2026\nB: 2\n\ny\n\n",
            ["A: 1\n\nx\n", "B: 2\n\ny\n"]
        ),
        // A sentence is no separator, nor is a separator without an empty line before it.
        ("From a Thu Apr  2 09:30:00 2026\n\n\nFrom here on it rains.\n", ["\n\nFrom here on it rains.\n"]),
        ("From a 09:30\n\nx\nFrom b 09:31\ny\n", ["\nx\nFrom b 09:31\ny\n"]),
        ("From a 09:30\n\n>From b\n>>From c\n> From d\n", ["\nFrom b\n>From c\n> From d\n"]),
        ("From a 09:30\n\nno end of line", ["\nno end of line"]),
        ("From a 09:30\n\nFrom b 09:31\n\n\n", ["", "\n"]),
    ])
    func messages(_ text: String, _ expected: [String]) throws {
        for step in [1, 2, 7, Int.max] { #expect(try bodies(items(text, step: step)) == expected) }
    }

    @Test func anythingElseIsNoMbox() {
        #expect(throws: MboxReader.NotMbox.self) { try items("Subject: x\n\n") }
    }

    @Test func keysAreTheOffsets() throws {
        let first = "From a 09:30\n\nx\n\n"
        let keys = try items(first + "From b 09:31\n\ny\n").map { item in
            if case .message(let message) = item { message.key } else { "" }
        }
        #expect(keys == ["0", "\(first.utf8.count)"])
    }

    @Test func aMessageAboveTheLimitDoesNotStopTheOthers() throws {
        let long = String(repeating: "0123456789\n", count: 100)
        let text = "From a 09:30\n\n\(long)\nFrom b 09:31\n\ny\n"
        #expect(
            try bodies(items(text, limit: 200, step: 50)) == [
                "unreadable: 1102 octets are more than the limit of 200", "\ny\n",
            ]
        )
        let line = String(repeating: "0", count: 1000)
        #expect(
            try bodies(items("From a 09:30\n\n\(line)\n\nFrom b 09:31\n\ny\n", limit: 200, step: 50)).last == "\ny\n"
        )
    }

    @Test(arguments: [
        ("Status: RO\nX-Status: AF\n\nStatus: D", ["seen", "answered", "flagged"]),
        ("status: O\r\n\r\n", []),
        ("Subject: Status: R\n\n", []),
    ])
    func flagsComeFromTheHeader(_ text: String, _ flags: [String]) {
        #expect(MboxStatus.flags(of: Array(text.utf8)) == flags)
    }

    @Test(arguments: [
        ("From ann@example.org Thu Apr  2 09:30:05 2026", "2026-04-02T09:30:05.000Z"),
        ("From ann@example.org Thu Apr  2 09:30 MET 2026", "2026-04-02T09:30:00.000Z"),
        ("From ann@example.org", nil),
        ("From april Thu Apr 99 09:30:05 2026", nil),
        ("From x Thu Apr 2 aa:30:05 2026", nil),
    ])
    func theSeparatorHasTheDate(_ line: String, _ expected: String?) {
        #expect(MboxStatus.date(ofSeparator: Array(line.utf8))?.description == expected)
    }
}
