// SPDX-License-Identifier: Apache-2.0

package import MIME
package import MailTypes
import Runtime
package import Storage
import Wire

extension SubmissionAgent {
    /// How a new message refers to a stored one.
    package enum Reference: Hashable, Sendable {
        case reply(toAll: Bool)
        /// The stored message is attached as it is (message/rfc822).
        case forward
    }

    /// As much of the stored message is read for its header section.
    private static let headerOctets: Int64 = 256 << 10

    /// Fills the fields that a reply or a forward takes from a stored message of the account, and attaches it to a forward.
    ///
    /// Throws ``StoreError/notFound(_:)`` when the account has no such message.
    package func refer(
        _ draft: inout Draft,
        _ attachments: inout [AttachmentSource],
        to message: PlacementID,
        _ reference: Reference,
        of account: AccountRow
    ) async throws {
        let body = try await store.read { snapshot in
            try snapshot.messages.get(message, in: account.key) { $0.body }
        }
        guard let body else { throw StoreError.notFound(.message) }
        guard let body else { throw BodyError.unknown }
        let reader = try await store.openBody(body)
        var head = ByteBuffer()
        _ = try await reader.read(0..<min(Self.headerOctets, reader.size), into: &head, on: store.blocking)
        let original = ReferredMessage(MIMEParser.parse(head.bytes).envelope)
        switch reference {
        case .reply(let toAll): draft.reply(to: original, toAll: toAll, own: [account.address])
        case .forward:
            draft.forward(original)
            draft.attachments.append(
                Draft.Attachment(filename: Self.filename(original.subject), contentType: "message/rfc822")
            )
            attachments.append(.stored(reader))
        }
    }

    private static func filename(_ subject: String?) -> String {
        let letters = (subject ?? "").unicodeScalars.map { scalar -> Character in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil ? Character(scalar) : "_"
        }
        return (letters.isEmpty ? "message" : String(letters.prefix(60))) + ".eml"
    }
}

extension ReferredMessage {
    /// What of an envelope can stand in a new message: addresses and ids that are none are left out.
    init(_ envelope: Envelope) {
        self.init()
        messageID = envelope.messageID.flatMap(Self.id)
        inReplyTo = envelope.inReplyTo.compactMap(Self.id)
        references = envelope.references.compactMap(Self.id)
        subject = envelope.subject.map(Self.line)
        from = envelope.from.compactMap(Self.mailbox)
        replyTo = envelope.replyTo.compactMap(Self.mailbox)
        to = envelope.to.compactMap(Self.mailbox)
        cc = envelope.cc.compactMap(Self.mailbox)
    }

    private static func id(_ text: String) -> MessageID? { MessageID(Array(text.utf8).span) }

    private static func mailbox(_ found: MailAddress) -> Mailbox? {
        EmailAddress(found.address).map { Mailbox(name: found.name.map(line), address: $0) }
    }

    /// What was decoded may hold anything: controls become spaces, so that it can be composed again.
    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }
}
