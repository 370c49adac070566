// SPDX-License-Identifier: Apache-2.0

import Crypto
import Delivery
import HTTP
import HTTPServer
import MIME
import MailTypes
import Storage
import Wire

extension SendRequest {
    /// Octets of all parts together that are not files.
    static let maximumFormOctets = 4 << 20

    /// Reads the body as `multipart/form-data`, files streamed to spools; with a digest of its fields, so that a repeat
    /// under another boundary is still the same request.
    static func form(_ call: Call, _ type: MediaType) async throws -> (request: SendRequest, fingerprint: [UInt8]) {
        guard let boundary = type.boundary else {
            throw APIProblem(.badRequest, "invalid_multipart", "Content-Type has no boundary that can be one.")
        }
        var reader = FormReader(api: call.api)
        var parser = MultipartParser(boundary: boundary)
        var input = ByteBuffer()
        var piece = ByteBuffer()
        while try await call.exchange.readBody(into: &input) > 0 {
            events: while true {
                switch try parser.next(&input, body: &piece) {
                case .part(let part): try reader.begin(part)
                case .body:
                    try reader.add(piece.bytes)
                    piece.removeAll()
                case .partEnd: try await reader.end()
                case .end: break
                case .needsInput: break events
                }
            }
        }
        try parser.finish()
        return try reader.finish()
    }
}

/// Collects the parts of a form.
private struct FormReader: ~Copyable {
    private let api: API
    private var request = SendRequest()
    private var fingerprint = RequestFingerprint()
    private var part: MultipartPart?
    /// Takes the part's octets where it is a file; else `field` does.
    private var file: Spool?
    private var field: [UInt8] = []
    private var fieldOctets = 0
    private var files = 0
    private var errors: [FieldProblem] = []
    /// Names of the fields that may come once and came.
    private var seen: Set<String> = []
    private var referred: PlacementID?
    private var action = MessageReferral.Action.reply

    init(api: API) {
        self.api = api
        fingerprint.add(Array("form".utf8))
    }

    mutating func begin(_ part: MultipartPart) throws {
        self.part = part
        file = part.name == "attachment" ? api.spool() : nil
        field.removeAll()
    }

    mutating func add(_ octets: Span<UInt8>) throws {
        if let file { return try file.append(octets) }
        fieldOctets += octets.count
        guard fieldOctets <= SendRequest.maximumFormOctets else {
            throw APIProblem(.contentTooLarge, "too_large", "Without attachments the form may have at most 4 MiB.")
        }
        field.append(octets)
    }

    mutating func end() async throws {
        guard let part else { return }
        self.part = nil
        fingerprint.add(Array(part.name.utf8))
        guard let file else {
            fingerprint.add(field)
            return take(part.name, field)
        }
        let body = try await file.finish()
        fingerprint.add(Array((part.filename ?? "").utf8))
        fingerprint.add(part.contentType ?? [])
        fingerprint.add(body.hash.octets)
        attach(part, body)
    }

    consuming func finish() throws -> (request: SendRequest, fingerprint: [UInt8]) {
        if !errors.isEmpty { throw APIProblem.invalidFields(errors) }
        if let referred { request.reference = MessageReferral(message: referred, action: action) }
        return (request, fingerprint.finish())
    }

    private mutating func fail(_ name: String, _ code: String, _ detail: String) {
        guard errors.count < 50 else { return }
        errors.append(FieldProblem(place: .parameter(Array(name.utf8.prefix(100))), code: code, detail: detail))
    }

    private mutating func attach(_ part: MultipartPart, _ body: SpooledBody) {
        files += 1
        guard files <= SendRequest.maximumAttachments else {
            return fail("attachment", "too_long", "may come at most \(SendRequest.maximumAttachments) times")
        }
        let name = part.filename ?? ""
        guard name.unicodeScalars.count <= 200, !name.utf8.contains(where: ASCII.isControl) else {
            return fail(
                "attachment",
                "invalid",
                "must have a file name of at most 200 characters, without control characters"
            )
        }
        var attachment = Draft.Attachment(filename: name.isEmpty ? nil : name)
        let type = part.contentType.flatMap { MediaType($0.span) }
        if let essence = type?.essence.span.utf8String(), !essence.hasPrefix("multipart/") {
            attachment.contentType = essence
        }
        request.attachments.append((attachment, .spooled(body)))
    }

    private mutating func take(_ name: String, _ value: [UInt8]) {
        switch name {
        case "from": if isFirst(name) { request.from = mailboxes(name, value).first }
        case "replyTo": request.replyTo += mailboxes(name, value)
        case "to": request.to += mailboxes(name, value)
        case "cc": request.cc += mailboxes(name, value)
        case "bcc": request.bcc += mailboxes(name, value)
        case "subject": if isFirst(name) { request.subject = line(name, value) }
        case "text": if isFirst(name) { request.text = text(name, value) }
        case "html": if isFirst(name) { request.html = text(name, value) }
        case "reference": if isFirst(name) { referred = reference(name, value) }
        case "action": if isFirst(name) { action = action(name, value) }
        case "saveToSent": if isFirst(name) { request.savesToSent = bool(name, value) }
        default: fail(name, "unknown", "is not known here")
        }
    }

    private mutating func isFirst(_ name: String) -> Bool {
        guard seen.insert(name).inserted else {
            fail(name, "duplicate", "may come once")
            return false
        }
        return true
    }

    /// `Ann <ann@example.com>, bob@example.com`.
    private mutating func mailboxes(_ name: String, _ value: [UInt8]) -> [Mailbox] {
        let parsed = AddressParser.parse(value[...], limit: SubmissionAgent.maximumRecipients)
        let mailboxes = parsed.addresses.compactMap { found -> Mailbox? in
            guard let address = try? EmailAddress(Array(found.address.utf8).span, allowingUTF8: false) else {
                return nil
            }
            return Mailbox(name: found.name, address: address)
        }
        let isWhole = !parsed.sawMalformed && !parsed.sawTooMany && mailboxes.count == parsed.addresses.count
        if !isWhole || mailboxes.isEmpty || value.contains(where: ASCII.isControl) {
            fail(name, "invalid", "must be addresses such as Ann <ann@example.com>, with commas between them")
            return []
        }
        return mailboxes
    }

    private mutating func text(_ name: String, _ value: [UInt8]) -> String? {
        guard !value.contains(0), let text = value.span.utf8String() else {
            fail(name, "invalid", "must be UTF-8 text without NUL")
            return nil
        }
        return text
    }

    private mutating func line(_ name: String, _ value: [UInt8]) -> String? {
        guard let text = text(name, value) else { return nil }
        guard text.unicodeScalars.count <= 2000, !value.contains(where: ASCII.isControl) else {
            fail(name, "invalid", "must have at most 2000 characters, none of them control characters")
            return nil
        }
        return text
    }

    private mutating func reference(_ name: String, _ value: [UInt8]) -> PlacementID? {
        let id = PlacementID(value.span)
        if id == nil { fail(name, "invalid", "must be the id of a message") }
        return id
    }

    private mutating func action(_ name: String, _ value: [UInt8]) -> MessageReferral.Action {
        guard let action = value.span.utf8String().flatMap(MessageReferral.Action.init) else {
            fail(name, "invalid", "must be reply, replyAll or forward")
            return .reply
        }
        return action
    }

    private mutating func bool(_ name: String, _ value: [UInt8]) -> Bool {
        let isTrue = value.span.equals("true")
        if !isTrue, !value.span.equals("false") { fail(name, "invalid", "must be true or false") }
        return isTrue
    }
}
