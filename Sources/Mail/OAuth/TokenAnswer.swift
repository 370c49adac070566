// SPDX-License-Identifier: Apache-2.0

import JSON
package import Wire

/// What a token endpoint answers (RFC 6749 §5).
package struct TokenAnswer: Sendable {
    package enum Problem: Error, Hashable, Sendable {
        /// `invalid_grant`: the token, or the code, is good no more; in the provider's words.
        case invalidGrant(String)
        /// Another error of the protocol's, which trying again does not mend.
        case refused(String)
        /// No answer, or none that makes sense.
        case unavailable(String)

        package var reason: String {
            switch self {
            case .invalidGrant(let words), .refused(let words), .unavailable(let words): words
            }
        }
    }

    package let access: Secret
    /// 1 second to 30 days.
    package let lifetimeSeconds: Int64
    /// Nil where the one that is known stays good.
    package let refresh: Secret?
    /// As it came.
    package let idToken: [UInt8]?

    /// Of a lifetime that the answer does not name.
    private static let usualLifetime: Int64 = 3600
    private static let longestLifetime: Int64 = 30 * 86_400
    private static let limits = JSONLimits(octets: 64 << 10)

    /// Reads the body of an answer with this status.
    init(status: Int, body: [UInt8]) throws(Problem) {
        let value = try? JSONValue(parsing: body.span, limits: Self.limits)
        guard status == 200, let object = value?.object else { throw Self.problem(status, value?.object) }
        guard let type = object["token_type"]?.string, ASCII.equalsIgnoringCase(type, "bearer"),
            let access = object["access_token"]?.string, Self.isToken(access)
        else { throw .unavailable("The provider's answer has no bearer token.") }
        let refresh = object["refresh_token"]?.string
        guard refresh.map(Self.isToken) ?? true else {
            throw .unavailable("The provider's answer has a malformed refresh token.")
        }
        self.access = Secret(access)
        self.refresh = refresh.map { Secret($0) }
        lifetimeSeconds = min(max(Self.lifetime(object["expires_in"]), 1), Self.longestLifetime)
        idToken = object["id_token"]?.string
    }

    /// ```
    /// access-token = 1*VSCHAR        ; RFC 6749 §A.12, and without the space, which no header field could carry
    /// ```
    static func isToken(_ octets: [UInt8]) -> Bool {
        (1...8192).contains(octets.count) && octets.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// Some providers write the number as a text.
    private static func lifetime(_ value: JSONValue?) -> Int64 {
        if let seconds = value?.int64 { return seconds }
        let text = value?.string.flatMap { StrictInteger.decimal($0.span, maximum: UInt64(longestLifetime)) }
        return text.map { Int64($0) } ?? usualLifetime
    }

    private static func problem(_ status: Int, _ object: JSONObject?) -> Problem {
        guard let code = object?["error"]?.string.map(printable), !code.isEmpty else {
            return .unavailable("The provider answers with status \(status).")
        }
        let description = object?["error_description"]?.string.map(printable) ?? ""
        let words = "The provider says \(code)" + (description.isEmpty ? "." : ": \(description)")
        switch code {
        case "invalid_grant": return .invalidGrant(words)
        case "temporarily_unavailable", "server_error", "slow_down": return .unavailable(words)
        default: return status >= 500 || status == 429 ? .unavailable(words) : .refused(words)
        }
    }

    private static func printable(_ octets: [UInt8]) -> String {
        String(decoding: octets.prefix(200).map { (0x20...0x7E).contains($0) ? $0 : ASCII.question }, as: UTF8.self)
    }
}
