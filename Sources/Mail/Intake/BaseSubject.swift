// SPDX-License-Identifier: Apache-2.0

/// The subject that a conversation has in common (RFC 5256 §2.1): without `Re:`, `Fwd:`, `[list]` and `(fwd)`, blanks joined.
///
/// ```
/// subject        = *subj-leader [subj-middle] *subj-trailer
/// subj-refwd     = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
/// subj-blob      = "[" *BLOBCHAR "]" *WSP
/// subj-leader    = (*subj-blob subj-refwd) / WSP
/// subj-trailer   = "(fwd)" / WSP
/// subj-fwd       = subj-fwd-hdr subject subj-fwd-trl
/// subj-fwd-hdr   = "[fwd:"
/// subj-fwd-trl   = "]"
/// ```
package enum BaseSubject {
    /// Beyond the RFC: what mail programs of other languages write instead of `Re` and `Fwd`.
    private static let leaders: Set<String> = [
        "re", "fw", "fwd", "aw", "wg", "sv", "vs", "antw", "tr", "rif", "res", "enc", "odp",
    ]
    /// Longer subjects are cut first: the work below is for people's subjects.
    private static let longest = 1_000

    package static func of(_ subject: String) -> String {
        var text = joined(subject)[...]
        while true {
            removeTrailers(&text)
            var changed = true
            while changed {
                changed = removeLeader(&text)
                if removeBlob(&text) { changed = true }
            }
            guard removeForwardFrame(&text) else { return String(text) }
        }
    }

    /// Every run of blanks as one, none at the ends.
    private static func joined(_ subject: String) -> String {
        subject.prefix(longest).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static func removeTrailers(_ text: inout Substring) {
        while true {
            if text.last == " " {
                text.removeLast()
            } else if text.suffix(5).lowercased() == "(fwd)" {
                text.removeLast(5)
            } else {
                return
            }
        }
    }

    /// `*subj-blob subj-refwd`, or blanks.
    private static func removeLeader(_ text: inout Substring) -> Bool {
        if text.first == " " {
            text.removeFirst()
            return true
        }
        var rest = text
        while let blob = blob(rest) { rest = blob }
        let word = rest.prefix { $0.isLetter }
        guard leaders.contains(word.lowercased()) else { return false }
        rest = rest[word.endIndex...].drop { $0 == " " }
        if let blob = blob(rest) { rest = blob }
        // Re[2]: and Re^2: count; so does a full-width colon.
        guard rest.first == ":" || rest.first == "：" else { return false }
        text = rest.dropFirst()
        return true
    }

    /// What stands behind `[…]` and blanks; nil where there is none.
    private static func blob(_ text: Substring) -> Substring? {
        guard text.first == "[" else { return nil }
        let inside = text.dropFirst()
        guard let end = inside.firstIndex(where: { $0 == "]" || $0 == "[" }), inside[end] == "]" else { return nil }
        return inside[inside.index(after: end)...].drop { $0 == " " }
    }

    private static func removeBlob(_ text: inout Substring) -> Bool {
        guard let rest = blob(text), !rest.isEmpty else { return false }
        text = rest
        return true
    }

    private static func removeForwardFrame(_ text: inout Substring) -> Bool {
        guard text.prefix(5).lowercased() == "[fwd:", text.last == "]" else { return false }
        text = text.dropFirst(5).dropLast()
        return true
    }
}
