// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer

extension Preconditions {
    /// 412 unless the conditions of a change hold for the present state.
    func check(_ tag: EntityTag) throws(APIProblem) {
        guard evaluate(.patch, tag: tag) == .proceed else { throw .notModifiable }
    }
}

extension Call {
    /// Judges the conditions of a read.
    ///
    /// False when it was answered with 304, with `fields` beside the tag; throws 412.
    func proceeds(tag: EntityTag, _ fields: HTTPFields = HTTPFields()) async throws -> Bool {
        switch try Preconditions(exchange.fields).evaluate(exchange.method, tag: tag) {
        case .proceed: return true
        case .failed: throw APIProblem.notModifiable
        case .notModified:
            var response = HTTPResponse(.notModified, fields: fields)
            try response.fields.add("ETag", tag.fieldValue)
            try await exchange.respond(response)
            return false
        }
    }

    /// The path of something below the account of this call, as the caller named that.
    func location(below collection: String, _ id: String) throws -> [UInt8] {
        var path = Array("/v1/accounts/".utf8)
        PercentEncoding.encode(Array(parameters["account"]).span, into: &path)
        return path + Array("/\(collection)/\(id)".utf8)
    }
}
