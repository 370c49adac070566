// SPDX-License-Identifier: Apache-2.0

import MailTypes
@_spi(_Unicode) import Swift
import Wire

/// The full name of a folder: its levels from the top, joined by `/`.
///
/// In Unicode's composed form (NFC), without control
/// characters, no level empty or above 255 octets. The first level `INBOX` is one folder in any ASCII case.
package struct FolderName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package static let maximumLevelOctets = 255
    package static let maximumLevels = 32

    /// The folders every account has.
    static let usual: [(FolderRole, StaticString)] = [
        (.inbox, "INBOX"), (.sent, "Sent"), (.drafts, "Drafts"), (.trash, "Trash"), (.junk, "Junk"),
        (.archive, "Archive"),
    ]

    init(verbatim text: StaticString) { self.text = "\(text)" }

    init(stored text: String) { self.text = text }

    /// Throws ``StoreError/invalidName(_:)``, saying what is wrong.
    package init(_ text: String) throws(StoreError) {
        // Composing never makes a text more than three times shorter.
        guard text.utf8.count <= 3 * Self.maximumLevels * (Self.maximumLevelOctets + 1) else {
            throw .invalidName("it is too long")
        }
        var composed = String.UnicodeScalarView()
        for scalar in text._nfc { composed.append(scalar) }
        var levels = String(composed).utf8.split(separator: ASCII.slash, omittingEmptySubsequences: false).map(
            Array.init
        )
        guard levels.count <= Self.maximumLevels else { throw .invalidName("more than 32 levels") }
        for level in levels { try Self.check(level) }
        if ASCII.equalsIgnoringCase(levels[0], "INBOX") { levels[0] = Array("INBOX".utf8) }
        self.text = String(decoding: Array(levels.joined(separator: [ASCII.slash])), as: UTF8.self)
    }

    private static func check(_ level: [UInt8]) throws(StoreError) {
        guard !level.isEmpty else { throw .invalidName("a level is empty") }
        guard level.count <= maximumLevelOctets else { throw .invalidName("a level has more than 255 octets") }
        guard !level.contains(where: ASCII.isControl) else { throw .invalidName("control character") }
        // U+0080…U+009F in UTF-8.
        let hasC1 = zip(level, level.dropFirst()).contains { $0 == 0xC2 && $1 < 0xA0 }
        guard !hasC1 else { throw .invalidName("control character") }
        guard level.first != ASCII.space, level.last != ASCII.space else {
            throw .invalidName("a level begins or ends with a space")
        }
    }

    package var description: String { text }

    /// The name of the folder this one is in, if any.
    package var parent: FolderName? {
        guard let slash = text.utf8.lastIndex(of: ASCII.slash) else { return nil }
        return FolderName(stored: String(text[..<slash]))
    }

    /// What the names of all folders below this one begin with.
    var prefixOfChildren: String { text + "/" }

    /// What comes right behind all names that begin with ``prefixOfChildren``.
    var endOfChildren: String { text + "0" }

    // Names are compared as octets: both sides are composed.
    package static func == (a: Self, b: Self) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
    package func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
}
