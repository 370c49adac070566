// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

/// A draft as octets: runs that are finished, and the places where an attachment's octets go, encoded as said there.
///
/// So a message with large attachments is written piece by piece and never held.
package struct ComposedMessage: Sendable {
    package enum Segment: Hashable, Sendable {
        case octets([UInt8])
        /// The octets of the draft's attachment of this index, through ``Base64LineEncoder``.
        case base64(attachment: Int)
        /// The octets of the draft's attachment of this index as they are (a message/rfc822, RFC 2046 §5.2.1), with CRLF line
        /// ends.
        case verbatim(attachment: Int)
    }

    package private(set) var segments: [Segment] = []

    /// - Parameter boundary: 1…60 octets of `bchars` that occur in no body; random, save in tests.
    package init(_ draft: Draft, boundary: String = ComposedMessage.randomBoundary()) throws(DraftError) {
        var composer = Composer(boundary: boundary)
        try composer.header(of: draft)
        try composer.body(of: draft)
        segments = composer.finish()
    }

    /// 120 random bits in characters that neither quoted-printable nor base64 can show in this order (RFC 2045 §6.7: `=_`).
    package static func randomBoundary() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567")
        return "=_" + String((0..<24).map { _ in digits[Int(generator.next(upperBound: UInt(32)))] })
    }

    /// The whole message; `attachment` gives the octets of one by its index.
    ///
    /// For small messages and for tests.
    package func octets(attachment: (Int) -> [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        for segment in segments {
            switch segment {
            case .octets(let bytes): buffer.append(bytes)
            case .verbatim(let index): buffer.append(attachment(index))
            case .base64(let index):
                var encoder = Base64LineEncoder()
                encoder.encode(attachment(index).span, into: &buffer)
                encoder.finish(into: &buffer)
            }
        }
        return buffer.array()
    }
}

/// Builds the segments: the tree is mixed > related > alternative, each only where it has something to hold.
private struct Composer {
    private var segments: [ComposedMessage.Segment] = []
    private var pending: [UInt8] = []
    private let boundary: String
    private var boundaries = 0

    init(boundary: String) { self.boundary = boundary }

    consuming func finish() -> [ComposedMessage.Segment] {
        flush()
        return segments
    }

    private mutating func flush() {
        if !pending.isEmpty { segments.append(.octets(pending)) }
        pending = []
    }

    // MARK: Header

    /// Fields that Postern writes itself, or that others write about the message.
    private static let reserved: Set<String> = [
        "from", "sender", "reply-to", "to", "cc", "bcc", "date", "message-id", "subject", "in-reply-to", "references",
        "mime-version", "received", "return-path", "delivered-to", "authentication-results", "dkim-signature",
        "arc-seal", "arc-message-signature", "arc-authentication-results", "received-spf",
    ]

    mutating func header(of draft: Draft) throws(DraftError) {
        guard !draft.from.isEmpty else { throw .missingFrom }
        guard draft.from.count == 1 || draft.sender != nil else { throw .missingSender }
        var writer = HeaderWriter()
        var date = ByteBuffer()
        date.append(rfc5322: draft.date)
        writer.plain("Date", date.array())
        try writer.mailboxes("From", draft.from)
        if let sender = draft.sender { try writer.mailboxes("Sender", [sender]) }
        try writer.mailboxes("Reply-To", draft.replyTo)
        try writer.mailboxes("To", draft.to)
        try writer.mailboxes("Cc", draft.cc)
        if draft.to.isEmpty, draft.cc.isEmpty { writer.plain("To", Array("undisclosed-recipients:;".utf8)) }
        writer.messageIDs("Message-ID", [draft.messageID])
        writer.messageIDs("In-Reply-To", draft.inReplyTo)
        writer.messageIDs("References", draft.references)
        if let subject = draft.subject { try writer.unstructured("Subject", subject) }
        for field in draft.headers {
            try Self.check(name: field.name)
            try writer.unstructured(field.name, field.value)
        }
        writer.plain("MIME-Version", Array("1.0".utf8))
        pending += writer.finish()
    }

    private static func check(name: String) throws(DraftError) {
        let bytes = Array(name.utf8)
        // field-name = 1*ftext: printable ASCII without the colon (RFC 5322 §3.6.8).
        let isName =
            !bytes.isEmpty && bytes.count <= 76 && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != ASCII.colon }
        let folded = ASCII.lowercased(bytes).span.repairedUTF8String()
        guard isName, !reserved.contains(folded), !folded.hasPrefix("content-"), !folded.hasPrefix("resent-") else {
            throw .headerName(name)
        }
    }

    // MARK: Body

    private enum Node {
        case text(subtype: String, String)
        case attachment(Int, Draft.Attachment)
        case multipart(subtype: String, [Node])
    }

    /// A step of the walk: explicit, so that no nesting of ours uses the stack.
    private enum Step {
        case open(Node)
        case delimiter([UInt8])
        case close([UInt8])
    }

    mutating func body(of draft: Draft) throws(DraftError) {
        var steps = [Step.open(Self.tree(of: draft))]
        while let step = steps.popLast() {
            switch step {
            case .delimiter(let mark): pending += Array("\r\n--".utf8) + mark + [ASCII.cr, ASCII.lf]
            case .close(let mark): pending += Array("\r\n--".utf8) + mark + Array("--\r\n".utf8)
            case .open(.text(let subtype, let text)): try self.text(text, subtype: subtype)
            case .open(.attachment(let index, let attachment)): try self.attachment(index, attachment)
            case .open(.multipart(let subtype, let children)):
                let mark = try multipart(subtype)
                steps.append(.close(mark))
                for child in children.reversed() { steps += [.open(child), .delimiter(mark)] }
            }
        }
    }

    private static func tree(of draft: Draft) -> Node {
        let html = draft.html.map { Node.text(subtype: "html", $0) }
        let attachments = draft.attachments.enumerated().map { ($0.offset, $0.element) }
        let related = html == nil ? [] : attachments.filter { $0.1.isInline && $0.1.contentID != nil }
        let mixed = attachments.filter { item in !related.contains { $0.0 == item.0 } }
        var root: Node?
        if let html {
            root =
                related.isEmpty
                ? html : .multipart(subtype: "related", [html] + related.map { .attachment($0.0, $0.1) })
        }
        if let text = draft.text {
            let plain = Node.text(subtype: "plain", text)
            root = root.map { .multipart(subtype: "alternative", [plain, $0]) } ?? plain
        }
        let content = root ?? .text(subtype: "plain", "")
        return mixed.isEmpty ? content : .multipart(subtype: "mixed", [content] + mixed.map { .attachment($0.0, $0.1) })
    }

    private mutating func multipart(_ subtype: String) throws(DraftError) -> [UInt8] {
        boundaries += 1
        let mark = "\(boundary)-\(boundaries)"
        var writer = HeaderWriter()
        try writer.parameterised("Content-Type", Array("multipart/\(subtype)".utf8), [("boundary", mark)])
        pending += writer.finish()
        return Array(mark.utf8)
    }

    private mutating func text(_ text: String, subtype: String) throws(DraftError) {
        let bytes = TextEncoding.canonical(text)
        let encoding = TextEncoding(for: bytes)
        var writer = HeaderWriter()
        try writer.parameterised("Content-Type", Array("text/\(subtype)".utf8), [("charset", "utf-8")])
        writer.plain("Content-Transfer-Encoding", encoding.name)
        pending += writer.finish() + [ASCII.cr, ASCII.lf] + encoding.encode(bytes)
    }

    private mutating func attachment(_ index: Int, _ attachment: Draft.Attachment) throws(DraftError) {
        let type = Array(attachment.contentType.utf8)
        let halves = type.split(separator: ASCII.slash, omittingEmptySubsequences: false)
        guard halves.count == 2, halves.allSatisfy({ !$0.isEmpty && $0.count <= 127 && $0.allSatisfy(ASCII.isToken) }),
            !ASCII.equalsIgnoringCase(halves[0], "multipart")
        else { throw .contentType(attachment.contentType) }
        let isMessage = ASCII.equalsIgnoringCase(type, "message/rfc822")
        let names = attachment.filename.map { [("filename", $0)] } ?? []
        var writer = HeaderWriter()
        try writer.parameterised("Content-Type", type, [])
        writer.plain("Content-Transfer-Encoding", Array((isMessage ? "8bit" : "base64").utf8))
        try writer.parameterised(
            "Content-Disposition",
            Array((attachment.isInline ? "inline" : "attachment").utf8),
            names
        )
        if let id = attachment.contentID { writer.messageIDs("Content-ID", [id]) }
        pending += writer.finish() + [ASCII.cr, ASCII.lf]
        flush()
        segments.append(isMessage ? .verbatim(attachment: index) : .base64(attachment: index))
    }
}
