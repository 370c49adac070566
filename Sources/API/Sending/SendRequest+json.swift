// SPDX-License-Identifier: Apache-2.0

import Delivery
import HTTP
import HTTPServer
import JSON
import MIME
import MailTypes
import Storage
import Wire

extension SendRequest {
    /// The text, the HTML and everything else but the attachments' octets, which go to spools.
    static let maximumJSONOctets = 4 << 20

    /// Reads the body as JSON, attachments' octets streamed to spools; with the digest of the whole.
    static func json(_ call: Call) async throws -> (request: SendRequest, fingerprint: [UInt8]) {
        var fingerprint = RequestFingerprint()
        fingerprint.add(Array("json".utf8))
        var parser = JSONDocumentParser(
            limits: JSONLimits(octets: maximumJSONOctets),
            streaming: [JSONPath("attachments", "*", "content")]
        )
        var contents = StreamedContents(api: call.api)
        var chunk = ByteBuffer()
        do {
            while try await call.exchange.readBody(into: &chunk) > 0 {
                fingerprint.addPiece(chunk.bytes)
                try parser.consume(chunk.bytes)
                chunk.removeAll()
                try await contents.take(parser.takePieces())
            }
            let value = try parser.finish()
            let errors = JSONFieldErrors()
            var request: SendRequest?
            if var reader = JSONField(value, errors: errors).object() {
                request = Self.request(&reader, contents)
                reader.finish()
            }
            guard let request, errors.isEmpty else { throw APIProblem.invalid(errors) }
            return (request, fingerprint.finish())
        } catch let error as JSONError where error.reason == .tooLarge {
            throw APIProblem(.contentTooLarge, "too_large", "Without attachments the body may have at most 4 MiB.")
        }
    }

    private static func request(_ reader: inout JSONObjectReader, _ contents: StreamedContents) -> SendRequest {
        var request = SendRequest()
        request.from = reader.take("from")?.mailbox()
        request.replyTo = reader.take("replyTo")?.mailboxes() ?? []
        request.to = reader.take("to")?.mailboxes() ?? []
        request.cc = reader.take("cc")?.mailboxes() ?? []
        request.bcc = reader.take("bcc")?.mailboxes() ?? []
        request.subject = reader.take("subject")?.line(maximum: 2000)
        request.text = reader.take("text")?.string(maximum: maximumJSONOctets)
        request.html = reader.take("html")?.string(maximum: maximumJSONOctets)
        request.reference = reader.take("reference")?.referral()
        request.headers = reader.take("headers")?.elements(maximum: 50)?.compactMap { $0.header() } ?? []
        request.attachments =
            reader.take("attachments")?.elements(maximum: maximumAttachments)?.compactMap { $0.attachment(contents) }
            ?? []
        request.savesToSent = reader.take("saveToSent")?.bool() ?? true
        return request
    }
}

extension APIProblem {
    static func invalid(_ errors: JSONFieldErrors) -> APIProblem {
        invalidFields(
            errors.errors.map { FieldProblem(place: .pointer($0.pointer), code: $0.code.rawValue, detail: $0.detail) }
        )
    }
}

/// The octets of attachments that stand in a JSON text as base64: decoded into spools while the text comes.
private struct StreamedContents {
    private let api: API
    private var decoder = Base64Decoder()
    private var spool: Spool?
    /// By the number of the streamed string; nil where that was not base64.
    private(set) var finished: [SpooledBody?] = []

    init(api: API) { self.api = api }

    mutating func take(_ pieces: [JSONStreamedPiece]) async throws {
        for piece in pieces {
            guard finished.count < SendRequest.maximumAttachments else {
                throw APIProblem.invalidField(
                    "/attachments",
                    "too_long",
                    "must have at most \(SendRequest.maximumAttachments) elements"
                )
            }
            let spool = self.spool ?? api.spool()
            self.spool = spool
            var octets = ByteBuffer()
            _ = decoder.decode(piece.octets.span, into: &octets)
            let isWhole = piece.isLast ? decoder.finish(into: &octets) : true
            try spool.append(octets.bytes)
            guard piece.isLast else { continue }
            finished.append(isWhole ? try await spool.finish() : nil)
            self.spool = nil
            decoder = Base64Decoder()
        }
    }

    func content(_ field: JSONField) -> SpooledBody? {
        guard case .streamed(let index) = field.value else {
            field.fail(.wrongType, "must be a string")
            return nil
        }
        let body = finished.indices.contains(index) ? finished[index] : nil
        if body == nil { field.fail(.invalid, "must be base64 (RFC 4648 §4)") }
        return body
    }
}

extension JSONField {
    fileprivate func string(maximum: Int) -> String? {
        guard let text = text(maximum: maximum) else { return nil }
        return text.span.utf8String()
    }

    /// An address, or an object of a name and an address.
    fileprivate func mailbox() -> Mailbox? {
        if case .string = value { return address().map { Mailbox(address: $0) } }
        guard var reader = object() else { return nil }
        let name = reader.take("name")?.line(maximum: 200)
        let address = reader.require("address")?.address()
        reader.finish()
        return address.map { Mailbox(name: name, address: $0) }
    }

    /// One of them, or a list.
    fileprivate func mailboxes() -> [Mailbox] {
        guard case .array = value else { return mailbox().map { [$0] } ?? [] }
        return elements(maximum: SubmissionAgent.maximumRecipients)?.compactMap { $0.mailbox() } ?? []
    }

    fileprivate func referral() -> MessageReferral? {
        guard var reader = object() else { return nil }
        let message = reader.require("message")
        let id = message?.text(maximum: 64).flatMap { PlacementID($0.span) }
        if let message, id == nil { message.fail(.invalid, "must be the id of a message") }
        let word = reader.require("action")
        let action = word?.string(maximum: 16).flatMap(MessageReferral.Action.init)
        if let word, action == nil { word.fail(.invalid, "must be reply, replyAll or forward") }
        reader.finish()
        guard let id, let action else { return nil }
        return MessageReferral(message: id, action: action)
    }

    fileprivate func header() -> (name: String, value: String)? {
        guard var reader = object() else { return nil }
        let field = reader.require("name")
        let name = field?.line(minimum: 3, maximum: 62)
        let value = reader.require("value")?.line(maximum: 900)
        reader.finish()
        guard let name, let value else { return nil }
        let octets = Array(name.utf8)
        let isExtension =
            ASCII.lowercased(octets[0]) == 0x78 && octets[1] == ASCII.hyphen
            && octets[2...].allSatisfy { ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen }
        guard isExtension else {
            field?.fail(.invalid, "must be X- and letters, digits and hyphens")
            return nil
        }
        return (name, value)
    }

    fileprivate func attachment(_ contents: StreamedContents) -> (part: Draft.Attachment, source: AttachmentSource)? {
        guard var reader = object() else { return nil }
        var part = Draft.Attachment(filename: reader.take("filename")?.line(minimum: 1, maximum: 200))
        if let type = reader.take("contentType") { part.contentType = type.contentType() ?? part.contentType }
        part.contentID = reader.take("contentId")?.contentID()
        part.isInline = reader.take("disposition")?.isInline() ?? false
        let body = reader.require("content").flatMap { contents.content($0) }
        reader.finish()
        return body.map { (part, .spooled($0)) }
    }

    /// ```
    /// type-name = restricted-name = restricted-name-first *126restricted-name-chars      ; RFC 6838 §4.2
    /// ```
    private func contentType() -> String? {
        guard let text = text(maximum: 120) else { return nil }
        let halves = text.split(separator: ASCII.slash, omittingEmptySubsequences: false)
        let isType = halves.count == 2 && halves.allSatisfy(Self.isRestrictedName)
        guard isType, !ASCII.equalsIgnoringCase(halves[0], "multipart") else {
            fail(.invalid, "must be a media type such as application/pdf, without parameters, not a multipart")
            return nil
        }
        return ASCII.lowercased(text).span.utf8String()
    }

    private static func isRestrictedName(_ name: ArraySlice<UInt8>) -> Bool {
        guard let first = name.first, ASCII.isAlphanumeric(first), name.count <= 51 else { return false }
        return name.allSatisfy { ASCII.isAlphanumeric($0) || Array("!#$&^_.+-".utf8).contains($0) }
    }

    private func contentID() -> MessageID? {
        guard let text = text(minimum: 1, maximum: 200) else { return nil }
        guard text.allSatisfy({ ASCII.isAlphanumeric($0) || Array("!#$%&*+/=?^_{|}~.@-".utf8).contains($0) }),
            let id = MessageID(text.span)
        else {
            fail(.invalid, "must be of letters, digits and !#$%&*+/=?^_{|}~.@-")
            return nil
        }
        return id
    }

    private func isInline() -> Bool? {
        switch string(maximum: 16) {
        case "inline": return true
        case "attachment": return false
        case nil: return nil
        default:
            fail(.invalid, "must be attachment or inline")
            return nil
        }
    }
}
