// SPDX-License-Identifier: Apache-2.0

import IMAP
import Wire

/// A pattern of LIST: `*` stands for anything, `%` for anything without a separator (RFC 9051 §6.3.9).
///
/// A look at a name costs no more than the product of both lengths.
struct MailboxPattern {
    private static let longest = 4096

    private let octets: [UInt8]

    /// - Parameters:
    ///   - reference: stands in front of the pattern.
    ///   - pattern: as it is on the wire.
    init(_ pattern: [UInt8], reference: [UInt8]) {
        var joined = reference
        if pattern.first == ASCII.slash {
            joined = pattern
        } else {
            joined += pattern
        }
        var octets: [UInt8] = []
        for byte in joined.prefix(Self.longest) where !(byte == ASCII.asterisk && octets.last == ASCII.asterisk) {
            octets.append(byte)
        }
        self.octets = Self.withInbox(octets)
    }

    /// INBOX at the beginning in capitals, however it is written.
    private static func withInbox(_ octets: [UInt8]) -> [UInt8] {
        guard octets.count >= 5, ASCII.equalsIgnoringCase(octets[..<5], "INBOX"),
            octets.count == 5 || [ASCII.slash, ASCII.asterisk, ASCII.percent].contains(octets[5])
        else { return octets }
        return Array("INBOX".utf8) + octets.dropFirst(5)
    }

    func matches(_ name: [UInt8]) -> Bool {
        if Self.matches(octets, name) { return true }
        return name.elementsEqual("INBOX".utf8) && Self.matches(octets.map(ASCII.uppercased), name)
    }

    /// All places of the pattern that the octets of the name so far may have led to.
    private static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var places = [Bool](repeating: false, count: pattern.count + 1)
        places[0] = true
        skipWildcards(pattern, &places)
        for byte in name {
            var next = [Bool](repeating: false, count: pattern.count + 1)
            for place in pattern.indices where places[place] {
                switch pattern[place] {
                case ASCII.asterisk: next[place] = true
                case ASCII.percent: if byte != ASCII.slash { next[place] = true }
                default: if pattern[place] == byte { next[place + 1] = true }
                }
            }
            skipWildcards(pattern, &next)
            places = next
        }
        return places[pattern.count]
    }

    /// A wildcard may stand for nothing.
    private static func skipWildcards(_ pattern: [UInt8], _ places: inout [Bool]) {
        for place in pattern.indices
        where places[place] && (pattern[place] == ASCII.asterisk || pattern[place] == ASCII.percent) {
            places[place + 1] = true
        }
    }
}
