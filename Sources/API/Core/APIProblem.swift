// SPDX-License-Identifier: Apache-2.0

import Accounts
import Delivery
import Files
import HTTP
import JSON
import MIME
import MailTypes
import Runtime
import Storage
import Sync
import Wire

/// What is wrong with one field of a request.
struct FieldProblem: Hashable, Sendable {
    enum Place: Hashable, Sendable {
        /// A JSON pointer into the body.
        case pointer([UInt8])
        /// The name of a query parameter, of a header field or of a form field.
        case parameter([UInt8])
    }

    let place: Place
    /// Stable, `[a-z_]+`.
    let code: String
    /// One sentence for people.
    let detail: String
}

/// An error as a client sees it: `application/problem+json` (RFC 9457).
///
/// The one place where errors become HTTP.
struct APIProblem: Error, Sendable {
    var status: HTTPStatus
    /// Stable, for programs: `[a-z_]+`.
    var code: StaticString
    /// One sentence for people; nil where the title says it all.
    var detail: String?
    var errors: [FieldProblem] = []
    /// Further members, as JSON.
    var members: [(name: StaticString, json: [UInt8])] = []
    var fields = HTTPFields()

    init(_ status: HTTPStatus, _ code: StaticString, _ detail: String? = nil, errors: [FieldProblem] = []) {
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
    }

    // MARK: Common ones

    static func notFound(_ noun: StaticString) -> APIProblem {
        APIProblem(.notFound, "not_found", "There is no such \(noun).")
    }

    static let notModifiable = APIProblem(.preconditionFailed, "precondition_failed", "It was changed in the meantime.")

    static func unavailable(_ code: StaticString, _ detail: String) -> APIProblem {
        var problem = APIProblem(.serviceUnavailable, code, detail)
        problem.fields.add("Retry-After", "1")
        return problem
    }

    static func unauthorized(_ code: StaticString, _ detail: String, challenge: StaticString) -> APIProblem {
        var problem = APIProblem(.unauthorized, code, detail)
        problem.fields.add("WWW-Authenticate", challenge)
        return problem
    }

    static var invalidToken: APIProblem {
        unauthorized(
            "invalid_token",
            "The token is unknown, expired or revoked.",
            challenge: "Bearer realm=\"postern\", error=\"invalid_token\""
        )
    }

    static func invalidFields(_ errors: [FieldProblem]) -> APIProblem {
        APIProblem(.unprocessableContent, "invalid_fields", "The body has fields that cannot be so.", errors: errors)
    }

    static func invalidField(_ pointer: String, _ code: String, _ detail: String) -> APIProblem {
        invalidFields([FieldProblem(place: .pointer(Array(pointer.utf8)), code: code, detail: detail)])
    }

    static func invalidParameters(_ errors: [FieldProblem]) -> APIProblem {
        APIProblem(.badRequest, "invalid_parameter", "The request has parameters that cannot be so.", errors: errors)
    }

    static func invalidParameter(_ name: StaticString, _ code: String, _ detail: String) -> APIProblem {
        invalidParameters([FieldProblem(place: .parameter(Array("\(name)".utf8)), code: code, detail: detail)])
    }

    // MARK: From others' errors

    /// The problem that `error` is to the client, or nil where it is our fault: then a 500 without detail.
    init?(_ error: any Error) {
        switch error {
        case let problem as APIProblem: self = problem
        case let problem as HTTPProblem:
            self.init(problem.status, problem.code, problem.detail)
            fields = problem.fields
        case let error as JSONError:
            self.init(.badRequest, "invalid_json", "The body is not JSON as it must be: \(error).")
        case let error as StoreError: self.init(store: error)
        case let error as SubmissionError: self.init(submission: error)
        case let error as DraftError: self.init(draft: error)
        case let error as BodyTooLarge:
            self.init(.contentTooLarge, "too_large", "The message may have at most \(error.limit) octets.")
        case let error as FileError where error.isDiskFull: self.init(store: .diskFull)
        case let error as RemoteError: self.init(remote: error)
        case is BlockingPool.Refused: self = .unavailable("busy", "Too much is waiting.")
        default: return nil
        }
    }

    private init?(store error: StoreError) {
        switch error {
        case .busy: self = .unavailable("busy", "Too much is waiting.")
        case .closed: self = .unavailable("stopping", "The server is stopping.")
        case .failed, .corrupt, .locked:
            self = .unavailable("store_unavailable", "The store takes no changes just now.")
        case .tooSlow: self = .unavailable("too_slow", "The query took too long; narrow it down.")
        case .diskFull: self.init(.insufficientStorage, "disk_full", "The disk is full.")
        case .overQuota: self.init(.insufficientStorage, "over_quota", "The account's quota is used up.")
        case .notFound(let noun): self.init(.notFound, "not_found", "There is no such \(noun.rawValue).")
        case .alreadyExists(let noun): self.init(.conflict, "already_exists", "That \(noun.rawValue) exists already.")
        case .preconditionFailed: self = .notModifiable
        case .notEmpty: self.init(.conflict, "not_empty", "The folder is not empty.")
        case .protected: self.init(.conflict, "protected", "The folder has a role and stays.")
        case .wrongState(let reason): self.init(.conflict, "wrong_state", "Not in this state: \(reason).")
        case .invalidName(let reason):
            self = .invalidField("/name", "invalid", "cannot be a folder's name: \(reason)")
        default: return nil
        }
    }

    private init(submission error: SubmissionError) {
        switch error {
        case .noRecipients: self = .invalidField("/to", "missing", "there must be a recipient in to, cc or bcc")
        case .tooManyRecipients(let limit): self = .invalidField("/to", "too_long", "at most \(limit) recipients")
        case .foreignSender(let address):
            self.init(.forbidden, "sender_not_allowed", "\(address) is not an address of this account.")
        case .unreadableHeader(let field):
            self.init(.unprocessableContent, "invalid_message", "\(field) cannot be read as addresses.")
        case .headerTooLarge(let limit):
            self.init(.contentTooLarge, "too_large", "The header section may have at most \(limit) octets.")
        case .unreachable(let recipients):
            self.init(
                .unprocessableContent,
                "recipient_unreachable",
                "Nothing was sent: these recipients cannot be reached.",
                errors: recipients.prefix(50).map {
                    FieldProblem(
                        place: .parameter($0.address.octets),
                        code: $0.reason.rawValue,
                        detail: $0.reason.sentence
                    )
                }
            )
        }
    }

    private init(draft error: DraftError) {
        switch error {
        case .missingFrom: self = .invalidField("/from", "missing", "there must be an author")
        case .missingSender: self = .invalidField("/from", "invalid", "several authors need a sender")
        case .controlCharacter(let field):
            self = .invalidField("/\(field)", "invalid", "must not contain control characters")
        case .headerName: self = .invalidField("/headers", "invalid", "a header name cannot be so")
        case .contentType: self = .invalidField("/attachments", "invalid", "a content type cannot be so")
        }
    }

    // MARK: Writing

    /// `{"type":"about:blank","title":…,"status":…,"code":…,"detail":…,"requestId":…,"errors":[…]}`.
    func write(to writer: inout JSONWriter, requestID: [UInt8]) {
        writer.beginObject()
        writer.key("type")
        writer.string(literal: "about:blank")
        writer.key("title")
        writer.string(literal: status.reason)
        writer.key("status")
        writer.number(status.code)
        writer.key("code")
        writer.string(literal: code)
        if let detail {
            writer.key("detail")
            writer.string(detail)
        }
        writer.key("requestId")
        writer.string(requestID)
        for member in members {
            writer.key(member.name)
            writer.raw(value: member.json.span)
        }
        if !errors.isEmpty {
            writer.key("errors")
            writer.beginArray()
            for error in errors { Self.write(error, to: &writer) }
            writer.endArray()
        }
        writer.endObject()
    }

    private static func write(_ error: FieldProblem, to writer: inout JSONWriter) {
        writer.beginObject()
        switch error.place {
        case .pointer(let pointer):
            writer.key("pointer")
            writer.string(pointer)
        case .parameter(let name):
            writer.key("parameter")
            writer.string(name)
        }
        writer.key("code")
        writer.string(error.code)
        writer.key("detail")
        writer.string(error.detail)
        writer.endObject()
    }
}

extension UnreachableRecipient.Reason {
    fileprivate var sentence: String {
        switch self {
        case .unknownMailbox: "There is no such mailbox here."
        case .noRoute: "The domain is not served here, and no route to other servers exists."
        case .mailboxSuspended: "The mailbox takes no mail."
        case .mailboxFull: "The mailbox is full."
        }
    }
}
