// SPDX-License-Identifier: Apache-2.0

import Wire

/// The methods this server knows (RFC 9110 §9.3 and RFC 5789).
///
/// Method names are case-sensitive: `get` is not `GET`.
public enum HTTPMethod: UInt8, Hashable, Sendable, CaseIterable {
    case get
    case head
    case post
    case put
    case patch
    case delete
    case options
    case trace
    case connect
    /// As GET with a body (draft-ietf-httpbis-safe-method-w-body); known so that it is answered with 405.
    case query
    /// Any other token.
    ///
    /// It is answered with 501.
    case other

    public var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .query: "QUERY"
        case .other: "-"
        }
    }

    /// The method of this name; the caller has seen that it is a token.
    public init(token: Span<UInt8>) {
        let candidate: HTTPMethod =
            switch token.count {
            case 3: token[0] == 0x47 ? .get : .put
            case 4: token[0] == 0x48 ? .head : .post
            case 5: token[0] == 0x50 ? .patch : token[0] == 0x51 ? .query : .trace
            case 6: .delete
            case 7: token[0] == 0x4F ? .options : .connect
            default: .other
            }
        self = token.equals(candidate.name) ? candidate : .other
    }

    /// RFC 9110 §9.2.1.
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace, .query: true
        case .post, .put, .patch, .delete, .connect, .other: false
        }
    }
}
