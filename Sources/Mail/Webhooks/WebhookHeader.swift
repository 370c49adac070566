// SPDX-License-Identifier: Apache-2.0

import Wire

/// A header field of an owner's that every request to his receiver carries.
package struct WebhookHeader: Hashable, Sendable {
    /// A token (RFC 9110 §5.6.2) that is none of ours and none of the connection's.
    package let name: String
    /// Visible ASCII, spaces and tabs between it.
    package let value: [UInt8]

    package static let maximumCount = 20
    package static let maximumNameOctets = 64
    package static let maximumValueOctets = 1024

    init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// Why a name or value cannot be one.
    package enum Flaw: Error, Hashable, Sendable {
        case name
        /// We or the connection need it ourselves.
        case reserved
        case value
    }

    package init(checking name: [UInt8], _ value: [UInt8]) throws(Flaw) {
        guard !name.isEmpty, name.count <= Self.maximumNameOctets, name.allSatisfy(Self.isToken) else { throw .name }
        guard !Self.isReserved(name) else { throw .reserved }
        guard value.count <= Self.maximumValueOctets, Self.isFieldValue(value) else { throw .value }
        self.init(name: name.span.repairedUTF8String(), value: value)
    }

    /// ```
    /// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
    /// ```
    private static func isToken(_ byte: UInt8) -> Bool {
        ASCII.isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }

    /// ```
    /// field-value = [ VCHAR [ *( SP / HTAB / VCHAR ) VCHAR ] ]     ; RFC 9110 §5.5, ASCII only
    /// ```
    private static func isFieldValue(_ value: [UInt8]) -> Bool {
        func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }
        guard let first = value.first, let last = value.last else { return true }
        return isVisible(first) && isVisible(last) && value.allSatisfy { isVisible($0) || ASCII.isBlank($0) }
    }

    private static let reserved: [StaticString] = [
        "host", "content-length", "content-type", "content-encoding", "connection", "keep-alive",
        "te", "trailer", "transfer-encoding", "upgrade", "expect", "accept-encoding",
        "user-agent",
    ]

    private static func isReserved(_ name: [UInt8]) -> Bool {
        let lowered = ASCII.lowercased(name)
        return lowered.starts(with: "webhook-".utf8) || lowered.starts(with: "proxy-".utf8)
            || reserved.contains { lowered.span.equals($0) }
    }
}
