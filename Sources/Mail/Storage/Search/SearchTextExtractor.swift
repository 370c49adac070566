// SPDX-License-Identifier: Apache-2.0

/// What of a message can be looked for, in UTF-8 (ill-formed sequences separate words).
package struct SearchableText: Hashable, Sendable {
    package var subject: [UInt8] = []
    /// Names and addresses.
    package var from: [UInt8] = []
    package var to: [UInt8] = []
    package var cc: [UInt8] = []
    package var bcc: [UInt8] = []
    package var body: [UInt8] = []
    /// The names of attachments, with spaces between them.
    package var filenames: [UInt8] = []

    package init() {}
}

/// A content as the store has it, lent to who reads the words out of it.
package struct StoredContent: Sendable {
    /// JSON members without braces, as they were stored.
    package let summary: [UInt8]
    package let detail: [UInt8]
    /// The encoded `MIMELayout`.
    package let layout: [UInt8]
    /// It is not to be parsed.
    package let isQuarantined: Bool
    /// Nil where the octets are at the message's server.
    package let body: BodyReader?

    package init(summary: [UInt8], detail: [UInt8], layout: [UInt8], isQuarantined: Bool, body: BodyReader?) {
        self.summary = summary
        self.detail = detail
        self.layout = layout
        self.isQuarantined = isQuarantined
        self.body = body
    }
}

/// Reads the words out of a content.
///
/// `Intake`, which knows MIME, supplies it; `Storage` asks on the indexer's thread.
///
/// The same content must give the same text, for as long as ``version`` stays.
package protocol SearchTextExtractor: Sendable {
    /// Raise it whenever the text of some content changes: every index is then built anew.
    var version: Int64 { get }

    /// The text of `content`; at most ``maximumBodyOctets`` of its body. What cannot be read is left out; what is thrown
    /// leaves the message without words in the index.
    func text(of content: StoredContent) throws -> SearchableText
}

extension SearchTextExtractor {
    /// So much of the decoded text of one message is indexed.
    package static var maximumBodyOctets: Int { 1 << 20 }
}
