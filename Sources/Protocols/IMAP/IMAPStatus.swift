// SPDX-License-Identifier: Apache-2.0

import Wire

/// `resp-cond-state`, `resp-cond-auth` or `resp-cond-bye`: how something went, and in which words.
package struct IMAPStatus: Hashable, Sendable {
    package enum Condition: String, CaseIterable, Sendable {
        case ok = "OK"
        case no = "NO"
        case bad = "BAD"
        case preauth = "PREAUTH"
        case bye = "BYE"
    }

    package let condition: Condition
    package let code: IMAPResponseCode?
    /// UTF-8 made well-formed.
    package let text: String

    package init(_ condition: Condition, _ code: IMAPResponseCode? = nil, _ text: String = "") {
        self.condition = condition
        self.code = code
        self.text = text
    }
}

extension IMAPCursor {
    /// `("OK" / "NO" / "BAD") SP resp-text`, and PREAUTH and BYE.
    mutating func status(isTagged: Bool, _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPStatus {
        let condition: IMAPStatus.Condition
        if take(word: "OK") {
            condition = .ok
        } else if take(word: "NO") {
            condition = .no
        } else if take(word: "BAD") {
            condition = .bad
        } else if !isTagged, take(word: "PREAUTH") {
            condition = .preauth
        } else if !isTagged, take(word: "BYE") {
            condition = .bye
        } else {
            throw .badStatus
        }
        if isAtEnd { deviations.insert(.missingText) } else { try expect(ASCII.space) }
        return statusText(condition, limits)
    }

    /// `resp-text = ["[" resp-text-code "]" SP] [text]`.
    mutating func statusText(_ condition: IMAPStatus.Condition, _ limits: IMAPLimits) -> IMAPStatus {
        var code: IMAPResponseCode?
        if next == ASCII.openBracket, let close = closingBracket() {
            code = responseCode(index + 1..<close, limits)
            index = close + 1
            if isAtEnd { deviations.insert(.missingText) }
            skipSpaces()
        }
        return IMAPStatus(condition, code, rest().span.repairedUTF8String())
    }

    /// The bracket that ends the one here; one in a quoted string does not.
    private func closingBracket() -> Int? {
        var isQuoted = false
        var place = index + 1
        while place < end {
            switch bytes[place] {
            case ASCII.quote: isQuoted.toggle()
            case ASCII.backslash where isQuoted: place += 1
            case ASCII.closeBracket where !isQuoted: return place
            default: break
            }
            place += 1
        }
        // Quotation marks that do not come in pairs are no quotation marks.
        return isQuoted ? bytes[index..<end].firstIndex(of: ASCII.closeBracket) : nil
    }
}
