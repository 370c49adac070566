// SPDX-License-Identifier: Apache-2.0

package import SASL
import Wire

/// What a server says it can do, in its answer to CAPA (RFC 2449 §6).
///
/// Keywords we do not know are passed over.
package struct POP3Capabilities: Hashable, Sendable {
    /// Whether the server knows CAPA: otherwise nothing is known.
    package var isKnown = false
    package var top = false
    package var user = false
    package var uidl = false
    package var pipelining = false
    package var responseCodes = false
    /// RFC 3206.
    package var authenticationResponseCode = false
    /// RFC 2595 §4.
    package var startTLS = false
    /// RFC 6856.
    package var utf8 = false
    /// Days that messages are kept, 0 for none once they were fetched; nil where nothing is said, or they are kept.
    package var expireDays: UInt32?
    /// Seconds between two logins.
    package var loginDelaySeconds: UInt32?
    package var implementation: String?
    /// Those we know (RFC 5034 §6).
    package var mechanisms: Set<SASLClientMechanism> = []

    package init() {}

    /// One line of the answer.
    mutating func take(_ line: [UInt8]) {
        let words = line.split(whereSeparator: ASCII.isBlank).map(Array.init)
        guard let keyword = words.first else { return }
        let parameters = words.dropFirst()
        switch String(decoding: keyword.map(ASCII.uppercased), as: UTF8.self) {
        case "TOP": top = true
        case "USER": user = true
        case "UIDL": uidl = true
        case "PIPELINING": pipelining = true
        case "RESP-CODES": responseCodes = true
        case "AUTH-RESP-CODE": authenticationResponseCode = true
        case "STLS": startTLS = true
        case "UTF8": utf8 = true
        case "EXPIRE": expireDays = Self.number(parameters.first)
        case "LOGIN-DELAY": loginDelaySeconds = Self.number(parameters.first)
        case "IMPLEMENTATION": implementation = parameters.map { $0.span.repairedUTF8String() }.joined(separator: " ")
        case "SASL":
            for name in parameters { if let known = SASLClientMechanism(name: name.span) { mechanisms.insert(known) } }
        default: break
        }
    }

    private static func number(_ word: [UInt8]?) -> UInt32? {
        word.flatMap { StrictInteger.decimal($0) }.flatMap { UInt32(exactly: $0) }
    }
}
