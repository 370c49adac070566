// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import JSON
import MailTypes
import Storage
import Wire

/// One call of an operation: the exchange, what stood in its path, and who calls.
struct Call {
    let api: API
    let exchange: HTTPExchange
    let parameters: PathParameters
    /// The caller's rights; nothing at all where the operation needs no token.
    let caller: Caller

    var store: Store { api.store }
    var query: QueryReader { QueryReader(exchange.query) }

    /// The account that the path names.
    var account: AccountReference { AccountReference(parameters["account"]) }
    /// The folder that the path names.
    var folder: FolderReference { FolderReference(parameters["folder"]) }
    /// The message that the path names.
    var message: MessageReference { MessageReference(parameters["message"]) }

    /// The id that the path names, or 404.
    func id<Kind>(_ name: StaticString, _ noun: StaticString) throws(APIProblem) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(parameters[name].span) else { throw .notFound(noun) }
        return id
    }

    /// For operations without parameters of their own: refuses any.
    func refuseParameters() throws(APIProblem) {
        var query = query
        try query.finish()
    }

    // MARK: Bodies

    /// At most so many octets of JSON where nothing is streamed.
    static let maximumJSONOctets = 1 << 20

    /// The body, which must be JSON.
    func jsonBody() async throws -> JSONValue {
        _ = try exchange.jsonContentType()
        let octets = try await exchange.collectBody(limit: Self.maximumJSONOctets)
        return try JSONValue(parsing: octets.span, limits: JSONLimits(octets: Self.maximumJSONOctets))
    }

    /// Reads the body, an object, with `read`; 422 naming every field that is wrong or unknown.
    func decodeBody<R>(_ read: (inout JSONObjectReader) -> R?) async throws -> R {
        let errors = JSONFieldErrors()
        let field = JSONField(try await jsonBody(), errors: errors)
        var result: R?
        if var reader = field.object() {
            result = read(&reader)
            reader.finish()
        }
        guard let result, errors.isEmpty else {
            throw APIProblem.invalidFields(
                errors.errors.map {
                    FieldProblem(place: .pointer($0.pointer), code: $0.code.rawValue, detail: $0.detail)
                }
            )
        }
        return result
    }

    // MARK: Answers

    @inline(__always)
    func respond(
        _ status: HTTPStatus = .ok,
        json body: consuming ByteBuffer,
        fields: HTTPFields = HTTPFields()
    ) async throws {
        try await exchange.respond(
            HTTPResponse(status, contentType: "application/json", fields: fields),
            body: body
        )
    }

    @inline(__always)
    func respond(
        _ status: HTTPStatus = .ok,
        fields: HTTPFields = HTTPFields(),
        _ write: (inout JSONWriter) -> Void
    ) async throws {
        var writer = JSONWriter()
        write(&writer)
        try await respond(status, json: writer.finish(), fields: fields)
    }

    func respondNoContent() async throws { try await exchange.respond(HTTPResponse(.noContent)) }
}

extension HTTPExchange {
    /// 415 unless the body says it is JSON, in UTF-8 if it says more.
    func jsonContentType() throws(HTTPProblem) -> MediaType {
        let type = try fields.contentType(among: ["application/json"])
        if let charset = type.parameter("charset"), !ASCII.equalsIgnoringCase(charset.span, "utf-8") {
            throw HTTPProblem(.unsupportedMediaType, "unsupported_media_type", "JSON must be UTF-8.")
        }
        return type
    }
}
