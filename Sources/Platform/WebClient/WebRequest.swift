// SPDX-License-Identifier: Apache-2.0

/// One HTTP request to somebody else's server.
package struct WebRequest: Sendable {
    /// A header field, in octets.
    package struct Field: Hashable, Sendable {
        package let name: [UInt8]
        package let value: [UInt8]

        package init(_ name: [UInt8], _ value: [UInt8]) {
            self.name = name
            self.value = value
        }

        package init(_ name: String, _ value: String) { self.init(Array(name.utf8), Array(value.utf8)) }
    }

    /// A token (RFC 9110 §9.1): `POST`.
    package var method: String
    /// An absolute `http` or `https` URL without user information; the host in ASCII.
    package var url: String
    /// Besides those that the client makes itself, which are refused here: see ``isReserved(_:)``.
    package var fields: [Field] = []
    package var body: [UInt8]?
    /// From the call to the answer's end, looking up the name and waiting for a connection included.
    package var totalMilliseconds = 20_000
    /// For the connection and its TLS handshake.
    package var connectMilliseconds = 10_000
    /// Octets of the answer's body that are kept; when more come, the answer is cut there.
    package var maximumResponseOctets = 65_536
    /// Requests of different owners never share a connection.
    package var owner = ""

    package init(_ method: String, _ url: String) {
        self.method = method
        self.url = url
    }
}

extension WebRequest {
    /// Whether a field's name is one that frames the message or names the server, and so is the client's alone.
    package static func isReserved(_ name: some Collection<UInt8>) -> Bool {
        reserved.contains { HeaderOctets.equal(name, $0) }
            || name.lazy.map(HeaderOctets.lowercased).starts(with: "proxy-".utf8)
    }

    private static let reserved: [StaticString] = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "expect", "te", "trailer", "upgrade",
        "accept-encoding", "http2-settings",
    ]

    /// Why a field cannot be sent; nil when it can.
    package static func problem(of field: Field) -> WebClientError? {
        guard !field.name.isEmpty, field.name.allSatisfy(HeaderOctets.isToken), !isReserved(field.name) else {
            return .invalidField(name: String(decoding: field.name.prefix(64), as: UTF8.self))
        }
        // RFC 9110 §5.5: no controls but HTAB.
        guard field.value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            return .invalidField(name: String(decoding: field.name.prefix(64), as: UTF8.self))
        }
        return nil
    }
}
