// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Wire

/// What a reply or a forward takes from the message it refers to.
package struct ReferredMessage: Sendable {
    package var messageID: MessageID?
    package var inReplyTo: [MessageID] = []
    package var references: [MessageID] = []
    package var subject: String?
    package var from: [Mailbox] = []
    package var replyTo: [Mailbox] = []
    package var to: [Mailbox] = []
    package var cc: [Mailbox] = []

    package init() {}
}

extension Draft {
    /// At most so many ids in `References`: the first, which names the thread, and the newest.
    static let maximumReferences = 30

    /// Fills what the author left open, as RFC 5322 §3.6.4 says for a reply: `In-Reply-To`, `References`, `Re:` before the
    /// subject, and the recipients — `Reply-To` or else `From`; with `toAll` also `To` and `Cc`, without `own`.
    package mutating func reply(to original: ReferredMessage, toAll: Bool, own: Set<EmailAddress>) {
        refer(to: original)
        if subject == nil { subject = Self.subject(original.subject, prefix: "Re: ", known: ["re"]) }
        guard to.isEmpty, cc.isEmpty, bcc.isEmpty else { return }
        to = original.replyTo.isEmpty ? original.from : original.replyTo
        guard toAll else { return }
        var seen = own.union(to.map(\.address))
        to += original.to.filter { seen.insert($0.address).inserted }
        cc = original.cc.filter { seen.insert($0.address).inserted }
    }

    /// Fills what the author left open for a forward: `References`, and `Fwd:` before the subject.
    ///
    /// The original itself is attached by the caller.
    package mutating func forward(_ original: ReferredMessage) {
        let replied = inReplyTo
        refer(to: original)
        inReplyTo = replied
        if subject == nil { subject = Self.subject(original.subject, prefix: "Fwd: ", known: ["fwd", "fw"]) }
    }

    private mutating func refer(to original: ReferredMessage) {
        guard let id = original.messageID else { return }
        inReplyTo = [id]
        // RFC 5322 §3.6.4: the parent's References, or its In-Reply-To if that is one id, and then the parent.
        var chain = original.references
        if chain.isEmpty, original.inReplyTo.count == 1 { chain = original.inReplyTo }
        chain.removeAll { $0 == id }
        chain.append(id)
        if chain.count > Self.maximumReferences { chain = [chain[0]] + chain.suffix(Self.maximumReferences - 1) }
        references = chain
    }

    private static func subject(_ original: String?, prefix: String, known: [String]) -> String {
        let text = original ?? ""
        let bytes = Array(text.utf8)
        if let colon = bytes.firstIndex(of: ASCII.colon) {
            let head = ASCII.lowercased(bytes[..<colon]).span.repairedUTF8String()
            if known.contains(head) { return text }
        }
        return prefix + text
    }
}
