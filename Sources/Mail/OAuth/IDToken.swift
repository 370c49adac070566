// SPDX-License-Identifier: Apache-2.0

import JSON
import Wire

/// What an ID token claims (OpenID Connect Core §2).
///
/// It is read only where it came from the token endpoint itself, over verified TLS, which vouches for it instead of its signature
/// (§3.1.3.7, point 6).
struct IDToken: Sendable {
    private let claims: JSONObject

    /// Nil for what is not a token for this client.
    init?(_ octets: [UInt8], for clientID: String) {
        let parts = octets.split(separator: ASCII.dot, omittingEmptySubsequences: false)
        guard octets.count <= 16 << 10, parts.count == 3, let payload = Base64URL.decode(Array(parts[1])),
            let claims = (try? JSONValue(parsing: payload.span))?.object
        else { return nil }
        let client = Array(clientID.utf8)
        let audiences: [[UInt8]] =
            switch claims["aud"] {
            case .string(let one): [one]
            case .array(let several): several.compactMap(\.string)
            default: []
            }
        guard audiences.contains(client) else { return nil }
        self.claims = claims
    }

    /// A claim that is a line of text; nil where there is none, or where an address is said not to be verified.
    func text(_ name: String) -> String? {
        let octets = Array(name.utf8)
        if name == "email", claims["email_verified"]?.bool == false { return nil }
        guard let value = claims.members.first(where: { Array($0.name) == octets })?.value.string,
            (1...320).contains(value.count), !value.contains(where: ASCII.isControl)
        else { return nil }
        return value.span.utf8String()
    }
}
