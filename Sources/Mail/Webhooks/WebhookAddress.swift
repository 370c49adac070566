// SPDX-License-Identifier: Apache-2.0

import Wire

/// The URL of a receiver, in the one form that we take: absolute, `http` or `https`, ASCII, without user, password and
/// fragment (RFC 3986 §3).
/// ```
/// address = ( "http" / "https" ) "://" host [ ":" port ] [ path-abempty ] [ "?" query ]
/// ```
package struct WebhookAddress: Hashable, Sendable {
    /// As it was given.
    package let text: String
    package let isSecure: Bool
    /// In lower case; an IPv6 address without its brackets.
    package let host: String
    package let port: UInt16

    package static let maximumOctets = 2048

    /// Why a text is none.
    package enum Flaw: String, Error, Hashable, Sendable {
        case tooLong = "must have at most 2048 characters"
        case scheme = "must begin with http:// or https://"
        case characters = "must be ASCII without spaces and control characters; encode others"
        case userInformation = "must not have a user or password; give a header instead"
        case host = "must name a host"
        case port = "must have a port from 1 to 65535"
        case fragment = "must not have a fragment"
    }

    package init(parsing url: [UInt8]) throws(Flaw) {
        guard url.count <= Self.maximumOctets else { throw .tooLong }
        let lowered = ASCII.lowercased(url)
        let start: Int
        if lowered.starts(with: "https://".utf8) {
            (start, isSecure) = (8, true)
        } else if lowered.starts(with: "http://".utf8) {
            (start, isSecure) = (7, false)
        } else {
            throw .scheme
        }
        guard url.allSatisfy({ (0x21...0x7E).contains($0) && !"\"<>\\^`{|}".utf8.contains($0) }) else {
            throw .characters
        }
        guard !url.contains(0x23) else { throw .fragment }
        let authority = lowered[start...].prefix { $0 != ASCII.slash && $0 != ASCII.question }
        guard !authority.contains(ASCII.at) else { throw .userInformation }
        (host, port) = try Self.split(authority, isSecure ? 443 : 80)
        text = url.span.repairedUTF8String()
    }

    private static func split(_ authority: ArraySlice<UInt8>, _ standard: UInt16) throws(Flaw) -> (String, UInt16) {
        var host = authority
        var port = standard
        if authority.first == ASCII.openBracket {
            guard let end = authority.firstIndex(of: ASCII.closeBracket) else { throw .host }
            host = authority[authority.startIndex + 1..<end]
            guard !host.isEmpty, host.allSatisfy({ ASCII.hexValue($0) != nil || $0 == ASCII.colon || $0 == ASCII.dot })
            else { throw .host }
            port = try self.port(authority[(end + 1)...], standard)
        } else if let colon = authority.firstIndex(of: ASCII.colon) {
            host = authority[..<colon]
            port = try self.port(authority[colon...], standard)
        }
        if authority.first != ASCII.openBracket {
            guard isName(host) else { throw .host }
        }
        return (Array(host).span.repairedUTF8String(), port)
    }

    private static func port(_ text: ArraySlice<UInt8>, _ standard: UInt16) throws(Flaw) -> UInt16 {
        guard let colon = text.first else { return standard }
        guard colon == ASCII.colon, let port = StrictInteger.decimal(text.dropFirst(), maximum: 65_535), port > 0
        else { throw .port }
        return UInt16(port)
    }

    private static func isName(_ host: ArraySlice<UInt8>) -> Bool {
        guard (1...253).contains(host.count) else { return false }
        return host.split(separator: ASCII.dot, omittingEmptySubsequences: false).enumerated().allSatisfy {
            place,
            label in
            // The root's dot at the end is allowed.
            if label.isEmpty { return place > 0 && label.endIndex == host.endIndex }
            return label.count <= 63
                && label.allSatisfy { ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen || $0 == ASCII.underscore }
        }
    }
}
