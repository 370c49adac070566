// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// A list of flags: of a message, or those that a mailbox has or lets be changed for good.
package struct IMAPFlags: Hashable, Sendable {
    /// System flags and keywords; keywords that ``MailTypes/MessageFlags`` cannot hold are in `others`.
    package var flags: MessageFlags
    package var isRecent: Bool
    /// `\*`: new keywords can be made.
    package var allowsNewKeywords: Bool
    /// What is neither: unknown words with a backslash, keywords too long or too many; at most 64.
    package var others: [[UInt8]]

    package init(
        _ flags: MessageFlags = MessageFlags(),
        isRecent: Bool = false,
        allowsNewKeywords: Bool = false,
        others: [[UInt8]] = []
    ) {
        self.flags = flags
        self.isRecent = isRecent
        self.allowsNewKeywords = allowsNewKeywords
        self.others = others
    }

    static let systemWords: [(flag: SystemFlags, word: StaticString)] = [
        (.seen, "\\Seen"), (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.draft, "\\Draft"),
        (.deleted, "\\Deleted"),
    ]

    mutating func insert(_ word: [UInt8]) {
        if let known = Self.systemWords.first(where: { ASCII.equalsIgnoringCase(word, $0.word) }) {
            flags.system.insert(known.flag)
        } else if ASCII.equalsIgnoringCase(word, "\\Recent") {
            isRecent = true
        } else if word == [ASCII.backslash, ASCII.asterisk] {
            allowsNewKeywords = true
        } else if word.first != ASCII.backslash, flags.keywords.count < MessageFlags.maximumKeywords,
            let keyword = word.span.utf8String(), MessageFlags.isKeyword(keyword)
        {
            flags.insert(keyword: keyword)
        } else if others.count < 64 {
            others.append(word)
        }
    }

    /// `flag-list = "(" [flag *(SP flag)] ")"`.
    ///
    /// - Parameter withOthers: also what is neither a system flag nor a keyword that we can hold, as far as it is a flag.
    package func append(to output: inout ByteBuffer, withOthers: Bool = false) {
        var isFirst = true
        func separate(_ output: inout ByteBuffer) {
            if !isFirst { output.append(ASCII.space) }
            isFirst = false
        }
        output.append(ASCII.openParenthesis)
        for (flag, word) in Self.systemWords where flags.system.contains(flag) {
            separate(&output)
            output.append(word)
        }
        if isRecent {
            separate(&output)
            output.append("\\Recent")
        }
        for keyword in flags.keywords {
            separate(&output)
            output.append(utf8: keyword)
        }
        for word in others where withOthers && Self.isFlag(word) {
            separate(&output)
            output.append(word)
        }
        if allowsNewKeywords {
            separate(&output)
            output.append("\\*")
        }
        output.append(ASCII.closeParenthesis)
    }

    /// `flag-keyword / flag-extension`.
    private static func isFlag(_ word: [UInt8]) -> Bool {
        let atom = word.first == ASCII.backslash ? word.dropFirst() : word[...]
        return !atom.isEmpty && atom.allSatisfy(IMAPGrammar.isStrictAtom)
    }
}

extension IMAPCursor {
    mutating func flagList() throws(IMAPSyntaxError) -> IMAPFlags {
        var flags = IMAPFlags()
        try expect(ASCII.openParenthesis)
        skipSpaces()
        var count = 0
        while !take(ASCII.closeParenthesis) {
            guard !isStrict || count < 1000 else { throw .tooMany }
            count += 1
            // Gmail's labels are quoted where they have spaces, and so may be a flag of a proxy of its.
            flags.insert(isStrict ? try flag() : try astring())
            try separator(ASCII.closeParenthesis)
        }
        return flags
    }
}
