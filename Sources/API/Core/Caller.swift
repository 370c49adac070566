// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import MailTypes
import Metrics
import Sockets
import Wire

/// Who calls: what the token of this one request allows.
///
/// It is made for a request and dies with it.
struct Caller: Sendable {
    let grant: TokenGrant?

    /// Of operations that need no token.
    static let anybody = Caller(grant: nil)

    func allows(_ scope: TokenScopes) -> Bool { grant?.allows(scope) ?? false }

    func mayTouch(_ account: AccountID) -> Bool { grant?.allows(account) ?? false }

    /// The only accounts it may touch; nil for all.
    var accounts: [AccountID]? { grant.map(\.accounts) ?? [] }
}

extension API {
    /// Who sends this request; 401 without a good token, 403 where it lacks the scope or comes from a foreign web page.
    func authenticate(_ exchange: HTTPExchange, for scope: TokenScopes) async throws -> Caller {
        // The listener of the unix socket has checked that the process at its other end is our own user's, or root's.
        if exchange.peer.path != nil { return Caller(grant: Self.localAdministrator) }
        guard let bearer = try Self.bearer(exchange.fields) else {
            throw APIProblem.unauthorized(
                "unauthorized",
                "A token is needed: Authorization: Bearer.",
                challenge: "Bearer realm=\"postern\""
            )
        }
        guard let admission = try await tokens.admit(bearer: bearer.span) else { throw try await refusal(of: exchange) }
        let grant = admission.grant
        if exchange.isLogged { exchange.caller = "\(grant.id)" }
        if let budget = admission.budget { try spend(budget, of: admission.use, on: exchange) }
        try checkOrigin(exchange, grant)
        guard grant.allows(scope) else {
            throw APIProblem(.forbidden, "insufficient_scope", "The token lacks the scope of this operation.")
        }
        return Caller(grant: grant)
    }

    /// The rights of whoever comes over the unix socket.
    private static let localAdministrator = TokenGrant(
        id: .random(),
        name: "local administrator",
        scopes: .all,
        accounts: nil,
        origins: [],
        createdAt: Timestamp(milliseconds: 0),
        expiresAt: nil
    )

    /// A token that is none: counted by where it comes from, answered late, and after too many not looked at any more.
    private func refusal(of exchange: HTTPExchange) async throws -> APIProblem {
        let isThrottled = !configuration.isTrusted(exchange.peer)
        let source = LoginSource(addressOctets: exchange.peer.addressOctets)
        if isThrottled, let seconds = tokenThrottle.retryAfterSeconds(source) {
            authenticationAttempts["http", "throttled"].add()
            var problem = APIProblem(.tooManyRequests, "too_many_failures", "Too many tokens from there were wrong.")
            problem.fields.add("Retry-After", decimal: seconds)
            return problem
        }
        authenticationAttempts["http", "refused"].add()
        let delay = isThrottled ? tokenThrottle.failed(source) : 0
        if delay > 0, let loop = EventLoop.current { try await loop.sleep(milliseconds: delay) }
        return .invalidToken
    }

    /// Takes the request from the token's budget and tells the client how that stands; 429 where nothing is left.
    ///
    ///     RateLimit-Policy: "requests";q=100;w=10
    ///     RateLimit: "requests";r=42;t=6          ; draft-ietf-httpapi-ratelimit-headers-10
    private func spend(
        _ budget: RequestBudget,
        of use: TokenUse,
        on exchange: HTTPExchange
    ) throws(APIProblem) {
        let standing = use.take(of: budget, at: exchange.now)
        exchange.addFieldLines { lines in
            lines.append("RateLimit-Policy: \"requests\";q=")
            lines.append(decimal: budget.burst)
            lines.append(";w=")
            lines.append(decimal: budget.seconds)
            lines.append("\r\nRateLimit: \"requests\";r=")
            lines.append(decimal: standing.remaining)
            lines.append(";t=")
            lines.append(decimal: standing.seconds)
            lines.appendLineEnd()
        }
        guard standing.isGranted else {
            rejections["rate_limited"].add()
            var problem = APIProblem(.tooManyRequests, "rate_limited", "The token has used up its requests.")
            problem.fields.add("Retry-After", decimal: standing.seconds)
            throw problem
        }
    }

    /// 401 or 403 unless the configuration lets this caller read the metrics.
    func authorizeMetrics(_ exchange: HTTPExchange) async throws {
        switch configuration.metricsAccess {
        case .anyone: return
        case .loopback where exchange.peer.isLoopback: return
        case .loopback, .administrators: _ = try await authenticate(exchange, for: .admin)
        }
    }

    /// ```
    /// credentials = "Bearer" 1*SP b64token        ; RFC 6750 §2.1, the scheme in any case
    /// ```
    private static func bearer(_ fields: HTTPFields) throws(HTTPProblem) -> [UInt8]? {
        guard let value = try fields.single("Authorization") else { return nil }
        let text = value.span
        guard text.count > 7, ASCII.equalsIgnoringCase(text.extracting(0..<6), "bearer"), text[6] == ASCII.space else {
            return nil
        }
        var start = 7
        while start < text.count, text[start] == ASCII.space { start += 1 }
        return text.extracting(start..<text.count).array()
    }

    /// A token that is bound to web origins may be used by their pages; from other pages, by those the server allows.
    private func checkOrigin(_ exchange: HTTPExchange, _ grant: TokenGrant) throws(APIProblem) {
        guard let origin = exchange.origin else { return }
        if grant.allows(origin: Array(origin)) {
            exchange.allowsOrigin = true
        } else if !grant.origins.isEmpty || !exchange.allowsOrigin {
            exchange.allowsOrigin = false
            throw APIProblem(.forbidden, "origin_not_allowed", "The token may not be used from this web origin.")
        }
    }
}
