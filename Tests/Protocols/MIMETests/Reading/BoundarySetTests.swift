// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import MIME

@Suite struct BoundarySetTests {
    /// `level`, `level close`, with ` text` where something follows; `-` for ordinary text.
    private func match(_ set: BoundarySet, _ line: String) -> String {
        guard let match = set.match(Array(line.utf8)) else { return "-" }
        return "\(match.level)\(match.isClose ? " close" : "")\(match.hasTrailingText ? " text" : "")"
    }

    private func set(_ boundaries: [String]) -> BoundarySet {
        var set = BoundarySet()
        for (level, boundary) in boundaries.enumerated() { _ = set.insert(Array(boundary.utf8), level: level) }
        return set
    }

    @Test(arguments: [
        ("--a", "0"), ("--a \t", "0"), ("--a--", "0 close"), ("--a-- ", "0 close"), ("--a-", "0 text"),
        ("--a--x", "0 close text"), ("--a --", "0 text"), ("--ax", "0 text"), ("--abc", "1"), ("--abc--", "1 close"),
        ("--abcd", "1 text"), ("--abd", "0 text"), ("--b", "2"), ("--", "-"), ("-- a", "-"), ("-a", "-"), ("--c", "-"),
        ("a", "-"), ("", "-"), ("--B", "-"), ("--z--", "4"), ("--z----", "4 close"), ("--z", "3"),
    ]) func aLineThatBeginsWithTheLongestBoundaryIsItsDelimiter(_ line: String, _ expected: String) {
        #expect(match(set(["a", "abc", "b", "z", "z--"]), line) == expected)
    }

    @Test func whatWasClosedStillCoversALineButNoLongerDelimits() {
        var set = set(["a", "ab"])
        set.close(Array("ab".utf8), level: 1)
        #expect(match(set, "--ab") == "-")
        #expect(match(set, "--ab--") == "-")
        #expect(match(set, "--a") == "0")
        set.remove(Array("ab".utf8), level: 1)
        #expect(match(set, "--ab") == "0 text")
        set.remove(Array("a".utf8), level: 0)
        #expect(match(set, "--a") == "-")
        #expect(set.isEmpty)
    }

    @Test func ofTheSameBoundaryTwiceTheInnermostIsMeant() {
        var set = set(["a", "b"])
        let boundary = Array("a".utf8)
        let isRepeated = set.insert(boundary, level: 2)
        #expect(isRepeated)
        #expect(match(set, "--a") == "2")
        set.close(boundary, level: 2)
        #expect(match(set, "--a") == "0")
        set.remove(boundary, level: 2)
        #expect(match(set, "--a--") == "0 close")
    }

    /// Compared with looking at each boundary on its own.
    @Test func agreesWithTheSimpleSearch() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ab-".utf8)
        func word(_ length: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: length, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
        }
        for _ in 0..<2_000 {
            var set = BoundarySet()
            let boundaries = Swift.Set((0..<6).map { _ in word(1...4) }).sorted { $0.count < $1.count }
            for (level, boundary) in boundaries.enumerated() { _ = set.insert(boundary, level: level) }
            let rest = word(0...8)
            let line = Array("--".utf8) + rest
            let opening = boundaries.firstIndex(of: rest)
            let closing = boundaries.firstIndex { $0 + Array("--".utf8) == rest }
            let longest = boundaries.lastIndex { rest.starts(with: $0) }
            let expected = [opening, closing].compactMap(\.self).max() ?? longest
            #expect(set.match(line)?.level == expected, "\(boundaries) \(rest)")
        }
    }
}
