// SPDX-License-Identifier: Apache-2.0

internal import Wire

/// The name that somebody who wrote another one most probably meant.
enum NearestName {
    static func of(_ name: String, among names: [String]) -> String? {
        names.min { distance(name, $0) < distance(name, $1) }
    }

    /// Levenshtein's distance between the lower-cased octets; the last part of a dotted name may stand for all of it.
    static func distance(_ a: String, _ b: String) -> Int {
        let whole = edits(ASCII.lowercased(a.utf8), ASCII.lowercased(b.utf8))
        guard let dot = b.utf8.lastIndex(of: ASCII.dot), !a.utf8.contains(ASCII.dot) else { return whole }
        return min(whole, edits(ASCII.lowercased(a.utf8), ASCII.lowercased(b.utf8[dot...].dropFirst())) + 1)
    }

    private static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
        // A name longer than any key is far from each of them: no need to fill a table as large as what was given.
        guard a.count <= 200 else { return a.count }
        var row = Array(0...b.count)
        for (i, left) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in b.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(row[j] + 1, above + 1, diagonal + (left == right ? 0 : 1))
                diagonal = above
            }
        }
        return row[b.count]
    }
}
