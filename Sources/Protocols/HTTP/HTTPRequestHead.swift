// SPDX-License-Identifier: Apache-2.0

import Wire

/// How a request's body ends (RFC 9112 §6.3).
public enum HTTPBodyFraming: Hashable, Sendable {
    case none
    /// So many octets, at least one.
    case length(UInt64)
    case chunked
}

/// A request's line and fields.
///
/// All octets are those of the head as it came; the parts are ranges of them. There is one, so that looking at it never
/// copies it.
public struct HTTPRequestHead: ~Copyable, Sendable {
    /// What of a head is not octets.
    public struct Outline: Sendable {
        public internal(set) var method = HTTPMethod.other
        /// 0 or 1: HTTP/1.0 or HTTP/1.1.
        public internal(set) var minorVersion: UInt8 = 1
        public internal(set) var framing = HTTPBodyFraming.none
        /// What the client's version and `Connection` ask for (RFC 9112 §9.3).
        public internal(set) var keepsAlive = false
        /// `Expect: 100-continue` in an HTTP/1.1 request.
        public internal(set) var expectsContinue = false
        /// Whether there is a `?` in the target.
        public internal(set) var hasQuery = false
        /// Numbers of the lines with fields that are asked for in every request; nil where they are absent.
        public internal(set) var requestIDLine: Int?
        public internal(set) var originLine: Int?

        public init() {}
    }

    public internal(set) var outline = Outline()
    public internal(set) var fields = HTTPFields()

    @usableFromInline var methodRange = 0..<0
    @usableFromInline var targetRange = 0..<0
    @usableFromInline var pathRange = 0..<0
    @usableFromInline var queryRange: Range<Int>?
    @usableFromInline var hostRange = 0..<0
    @usableFromInline var decodedPath: [UInt8]?

    public init() {}

    /// The method as sent.
    @inlinable public var methodName: ArraySlice<UInt8> { fields.octets[methodRange] }
    /// The request target as sent.
    @inlinable public var target: ArraySlice<UInt8> { fields.octets[targetRange] }
    /// The path, percent-decoded: begins with a slash, or is `*`, or for CONNECT is empty.
    ///
    /// No NUL, and no slash that was encoded.
    @inlinable public var path: ArraySlice<UInt8> { decodedPath.map { $0[...] } ?? fields.octets[pathRange] }
    /// What follows `?`, still encoded; nil without `?`.
    @inlinable public var query: ArraySlice<UInt8>? { queryRange.map { fields.octets[$0] } }
    /// Host and port: from the target in absolute form, else from `Host`; empty where neither has them.
    @inlinable public var host: ArraySlice<UInt8> { fields.octets[hostRange] }

    mutating func reset() {
        abandon()
        outline.method = .other
    }

    mutating func abandon() {
        let method = outline.method
        outline = Outline()
        outline.method = method
        fields.removeAll()
        methodRange = 0..<0
        targetRange = 0..<0
        pathRange = 0..<0
        queryRange = nil
        hostRange = 0..<0
        decodedPath = nil
    }
}
