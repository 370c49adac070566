// SPDX-License-Identifier: Apache-2.0

import Crypto
import HTTP
package import Runtime
package import Wire

/// Authorizations under way: from the moment somebody asked for one until the provider sends the browser back, once, or until
/// their time is up (RFC 6749 §4.1, RFC 7636, RFC 9700 §2.1).
///
/// They live in memory alone: a start of the server ends them.
package final class AuthorizationFlows<Purpose: Sendable>: Sendable {
    package struct Limits: Sendable {
        package var lifetimeMilliseconds: Int64 = 600_000
        package var flows = 10_000

        package init() {}
    }

    /// One that is under way.
    package struct Flow: Sendable {
        package let provider: OAuthProvider
        package let purpose: Purpose
        package let expires: Timestamp
        /// Where the browser goes to give its consent.
        package let authorizeURL: String
        /// Where the provider sends it back to.
        package let redirectURL: String
        /// Shown with the code (RFC 7636 §4.1).
        fileprivate let verifier: [UInt8]
        /// The SHA-256 of what the browser that went by our page carries; nil where another page sent it.
        fileprivate var browser: [UInt8]?
        fileprivate let (stateKey, ticketKey): ([UInt8], [UInt8])
    }

    package struct Begun: Sendable {
        package let flow: Flow
        /// Names our page for it.
        package let ticket: String
    }

    package enum Failure: Error, Hashable, Sendable {
        /// Nobody began it, it is done already, or its time was up.
        case unknown
        /// It was begun in another browser.
        case otherBrowser
        case tooMany
    }

    private struct State {
        var flows: [[UInt8]: Flow] = [:]
        /// By ticket, which state.
        var tickets: [[UInt8]: [UInt8]] = [:]

        mutating func drop(where isOver: (Flow) -> Bool) {
            for flow in flows.values.filter(isOver) {
                flows[flow.stateKey] = nil
                tickets[flow.ticketKey] = nil
            }
        }
    }

    private let limits: Limits
    private let clock: Clock
    private let state = Lock(State())

    package init(limits: Limits = Limits(), clock: Clock) {
        self.limits = limits
        self.clock = clock
    }

    private var now: Timestamp { Timestamp(milliseconds: clock.now()) }

    /// - Parameter hint: the user's name at the provider, where that is known.
    package func begin(
        _ purpose: Purpose,
        at provider: OAuthProvider,
        redirectURL: String,
        hint: String?
    ) throws(Failure) -> Begun {
        let (secret, ticket, verifier) = (Self.random(), Self.random(), Self.random())
        let flow = Flow(
            provider: provider,
            purpose: purpose,
            expires: Timestamp(milliseconds: now.milliseconds + limits.lifetimeMilliseconds),
            authorizeURL: Self.authorizeURL(provider, secret, verifier, redirectURL, hint),
            redirectURL: redirectURL,
            verifier: verifier,
            browser: nil,
            stateKey: Digest.sha256(secret),
            ticketKey: Digest.sha256(ticket)
        )
        let now = now
        let hasRoom = state.withLock { state in
            if state.flows.count >= limits.flows { state.drop { $0.expires <= now } }
            guard state.flows.count < limits.flows else { return false }
            state.flows[flow.stateKey] = flow
            state.tickets[flow.ticketKey] = flow.stateKey
            return true
        }
        guard hasRoom else { throw .tooMany }
        return Begun(flow: flow, ticket: String(decoding: ticket, as: UTF8.self))
    }

    /// The one that the ticket is for.
    package func flow(of ticket: [UInt8]) throws(Failure) -> Flow {
        let key = Digest.sha256(ticket)
        let flow = state.withLock { state in state.tickets[key].flatMap { state.flows[$0] } }
        guard let flow, flow.expires > now else { throw .unknown }
        return flow
    }

    /// From now on only the browser that carries this can finish it.
    package func bind(_ ticket: [UInt8], to browser: [UInt8]) throws(Failure) -> Flow {
        let flow = try flow(of: ticket)
        let mark = Digest.sha256(browser)
        state.withLock { $0.flows[flow.stateKey]?.browser = mark }
        return flow
    }

    /// The one whose state the provider gives back, which is over with that.
    ///
    /// - Parameters:
    ///   - provider: whose redirection it was: each has one of its own (RFC 9700 §4.4.2.2).
    ///   - browsers: what the browser carries.
    package func finish(_ secret: [UInt8], at provider: [UInt8], browsers: [[UInt8]]) throws(Failure) -> Flow {
        let (key, now) = (Digest.sha256(secret), now)
        let flow = state.withLock { state -> Flow? in
            guard let flow = state.flows[key] else { return nil }
            state.drop { $0.stateKey == flow.stateKey || $0.expires <= now }
            return flow
        }
        guard let flow, flow.expires > now, Array(flow.provider.name.utf8) == provider else { throw .unknown }
        guard flow.browser.map({ browsers.map { Digest.sha256($0) }.contains($0) }) ?? true else { throw .otherBrowser }
        return flow
    }

    // MARK: What is sent

    /// 43 characters of `unreserved`, of 32 random octets (RFC 7636 §4.1).
    package static func random() -> [UInt8] { Base64URL.encode(RandomOctets.make(32)) }

    private static func authorizeURL(
        _ provider: OAuthProvider,
        _ secret: [UInt8],
        _ verifier: [UInt8],
        _ redirectURL: String,
        _ hint: String?
    ) -> String {
        var members: [(name: String, value: [UInt8])] = [
            ("response_type", Array("code".utf8)), ("client_id", Array(provider.clientID.utf8)),
            ("redirect_uri", Array(redirectURL.utf8)), ("scope", Array(provider.scopes.joined(separator: " ").utf8)),
            ("state", secret), ("code_challenge", Base64URL.encode(Digest.sha256(verifier))),
            ("code_challenge_method", Array("S256".utf8)),
        ]
        members += provider.parameters.map { ($0.name, Array($0.value.utf8)) }
        if let hint { members.append(("login_hint", Array(hint.utf8))) }
        let mark = provider.authorizeURL.utf8.contains(ASCII.question) ? "&" : "?"
        return provider.authorizeURL + mark + String(decoding: PercentEncoding.encode(members: members), as: UTF8.self)
    }
}

extension AuthorizationFlows.Flow {
    /// What the code is good for, and the user's name at the provider, where that says it.
    package func tokens(
        for code: [UInt8],
        from keeper: TokenKeeper
    ) async throws(TokenAnswer.Problem) -> (answer: TokenAnswer, username: String?) {
        let answer = try await keeper.endpoint.exchange(
            code,
            verifier: verifier,
            redirectURL: redirectURL,
            at: provider
        )
        guard case .claim(let name) = provider.username else { return (answer, nil) }
        guard let username = answer.idToken.flatMap({ IDToken($0, for: provider.clientID) })?.text(name) else {
            throw .unavailable("The provider does not say whose mailbox it is.")
        }
        return (answer, username)
    }
}
