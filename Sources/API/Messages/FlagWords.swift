// SPDX-License-Identifier: Apache-2.0

import JSON
import MailTypes
import Wire

/// Flags as requests write them: words, of which some are the system's.
enum FlagWords {
    /// Words at most in one list.
    static let maximum = 64

    /// Adds a word to the flags; false where it can be no flag.
    ///
    /// ```
    /// flag = 1*64( %x21 / "#" / "$" / "&" / "'" / "+" / %x2D-5A / %x5E-7A / "|" / "}" / "~" )
    /// ```
    static func insert(_ word: [UInt8], into flags: inout MessageFlags) -> Bool {
        guard let text = word.span.utf8String() else { return false }
        if let flag = MessageFlags.systemFlag(text) {
            flags.system.formUnion(flag)
            return true
        }
        // A list in a query has commas, and brackets are no part of an atom where IMAP lists flags.
        guard MessageFlags.isKeyword(text), !word.contains(ASCII.comma), !word.contains(ASCII.openBracket) else {
            return false
        }
        flags.insert(keyword: text)
        return true
    }

    /// A JSON array of words.
    static func read(_ field: JSONField) -> MessageFlags {
        var flags = MessageFlags()
        for element in field.elements(maximum: maximum) ?? [] {
            guard let word = element.text(minimum: 1, maximum: MessageFlags.maximumKeywordOctets) else { continue }
            if !insert(word, into: &flags) { element.fail(.invalid, "must be a flag's word") }
        }
        return flags
    }

    /// `{"set":[…]}`, or `add` or `remove` or both.
    static func readChange(_ field: JSONField) -> FlagChange? {
        guard var reader = field.object() else { return nil }
        let (set, add, remove) = (reader.take("set"), reader.take("add"), reader.take("remove"))
        reader.finish()
        if let set {
            if add != nil || remove != nil { field.fail(.invalid, "must not have set beside add or remove") }
            return .set(read(set))
        }
        if add == nil, remove == nil { field.fail(.missing, "must have set, add or remove") }
        return .change(add: add.map(read) ?? MessageFlags(), remove: remove.map(read) ?? MessageFlags())
    }
}
