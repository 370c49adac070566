// SPDX-License-Identifier: Apache-2.0

/// What servers send that RFC 9051 does not allow, and is taken as it is meant.
package enum IMAPDeviation: String, CaseIterable, Hashable, Sendable {
    /// Exchange 2013 (MailKit's issue 115): a line `[COPYUID 55 31 6]`, without `* OK` in front of the code.
    case codeWithoutStatus
    /// Outlook.com and Microsoft 365 send `[COPYUID 701  ]`: a known code without its arguments or with other ones, which is
    /// kept as an unknown one.
    case badCodeArguments
    /// Domino 9: `(ENVELOPE (…))` where `ENVELOPE (…)` is meant.
    case parenthesizedFetchItem
    /// Servers of 2013 that net-imap's issue 271 tells of: two spaces where one is due.
    case doubledSpace
    /// Exchange 2007 and others that net-imap and swift-nio-imap have met: a space in front of a closing parenthesis, or at
    /// the end of a response.
    case spaceAtEnd
    /// GreenMail, before its issue 633: `\*` among FLAGS.
    case wildcardInFlags
    /// Servers of Ruby's bug 7153: `("MIXED")`, a multipart without parts.
    case emptyMultipart
    /// Servers of Ruby's bugs 7147 and 6397: a `message/rfc822` part without envelope and structure.
    case messageWithoutEnvelope
    /// Servers that net-imap has met: `RFC822[]` for RFC822.
    case bracketsBehindRFC822
    /// Servers that MailKit has met: `""` where NIL is meant, for no hierarchy separator.
    case emptySeparator
    /// UW IMAP and Courier, as MailKit and net-imap have recorded them: `* BYE` or `* OK [code]` without a text.
    case missingText
    /// Servers behind proxies and tests: a line that ends in LF alone.
    case bareLineFeed
    /// Servers that net-imap has met: names of mailboxes in UTF-8 though UTF8=ACCEPT was not enabled.
    case utf8MailboxName
    /// Servers of swift-nio-imap's issue about invalid body structures: an ENVELOPE or BODYSTRUCTURE that makes no sense, in
    /// balanced parentheses; the rest of the message's data is taken.
    case senselessStructure
    /// Cyrus 3.6.1: STATUS of a mailbox that is not selected tells octets of memory that it has freed as its MAILBOXID.
    case senselessMailboxID
    /// A response that could not be read, on a line of its own, and was left out.
    case unreadableResponse
}
