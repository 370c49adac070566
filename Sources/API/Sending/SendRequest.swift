// SPDX-License-Identifier: Apache-2.0

import Crypto
import Delivery
import MIME
import MailTypes
import Storage

/// What a caller wants sent, whatever form it came in: JSON or a form.
struct SendRequest: Sendable {
    static let maximumAttachments = 100

    var from: Mailbox?
    var replyTo: [Mailbox] = []
    var to: [Mailbox] = []
    var cc: [Mailbox] = []
    var bcc: [Mailbox] = []
    var subject: String?
    var text: String?
    var html: String?
    var reference: MessageReferral?
    var headers: [(name: String, value: String)] = []
    var attachments: [(part: Draft.Attachment, source: AttachmentSource)] = []
    var savesToSent = true

    /// Puts it into a draft that is dated and named already.
    func fill(_ draft: inout Draft, of account: AccountRow) {
        draft.from = [from ?? Mailbox(name: account.displayName, address: account.address)]
        draft.replyTo = replyTo
        draft.to = to
        draft.cc = cc
        draft.bcc = bcc
        draft.subject = subject
        draft.text = text
        draft.html = html
        draft.headers = headers
        draft.attachments = attachments.map(\.part)
    }
}

/// The stored message that a new one answers or forwards.
struct MessageReferral: Hashable, Sendable {
    enum Action: String, Hashable, Sendable { case reply, replyAll, forward }

    let message: PlacementID
    let action: Action
}

/// A request's content as a digest, so that a repeat is told from another request under the same key.
struct RequestFingerprint: ~Copyable {
    private var digest = SHA256()

    /// Adds a run of octets, its length in front: no two sequences of runs are alike.
    mutating func add(_ octets: [UInt8]) {
        let length = Array("\(octets.count):".utf8)
        digest.update(length.span)
        digest.update(octets.span)
    }

    /// Adds a piece of a run whose length is added at its end.
    mutating func addPiece(_ octets: Span<UInt8>) { digest.update(octets) }

    /// The 32 octets; nothing can be added after.
    mutating func finish() -> [UInt8] { digest.finalize() }
}
