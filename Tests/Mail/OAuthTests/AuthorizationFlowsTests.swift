// SPDX-License-Identifier: Apache-2.0

import Crypto
import Runtime
import TestSupport
import Testing
import Wire

@testable import OAuth

@Suite struct AuthorizationFlowsTests {
    private final class Time: Sendable {
        let milliseconds = Lock<Int64>(1_000_000)
        var clock: Clock { Clock(now: { self.milliseconds.withLock { $0 } }, monotonic: { 0 }) }
    }

    private static let google = OAuthProvider.google(clientID: "us", clientSecret: nil)
    private static let back = "https://mail.example.com/oauth2/callback/google"
    private let time = Time()

    private func flows(_ count: Int = 100) -> AuthorizationFlows<Int> {
        var limits = AuthorizationFlows<Int>.Limits()
        limits.flows = count
        return AuthorizationFlows(limits: limits, clock: time.clock)
    }

    private func begin(
        _ flows: AuthorizationFlows<Int>
    ) throws -> (AuthorizationFlows<Int>.Begun, query: [String: String]) {
        let begun = try flows.begin(7, at: Self.google, redirectURL: Self.back, hint: "ann@example.com")
        let text = try #require(begun.flow.authorizeURL.split(separator: "?").last)
        var query: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1).map(String.init)
            query[halves[0]] = halves.count > 1 ? halves[1] : ""
        }
        return (begun, query)
    }

    @Test func theURLSaysWhatTheProviderNeeds() throws {
        let (begun, query) = try begin(flows())
        #expect(begun.flow.authorizeURL.hasPrefix("https://accounts.google.com/o/oauth2/v2/auth?"))
        #expect(query["response_type"] == "code")
        #expect(query["client_id"] == "us")
        #expect(query["redirect_uri"] == "https%3A%2F%2Fmail.example.com%2Foauth2%2Fcallback%2Fgoogle")
        #expect(query["scope"] == "https%3A%2F%2Fmail.google.com%2F%20openid%20email")
        #expect(query["code_challenge_method"] == "S256")
        #expect(query["code_challenge"]?.count == 43)
        #expect(query["state"]?.count == 43)
        #expect(query["login_hint"] == "ann%40example.com")
        #expect(query["access_type"] == "offline")
        #expect(begun.ticket.utf8.count == 43)
        #expect(begun.ticket != query["state"])
    }

    /// RFC 7636 appendix B.
    @Test func theChallengeIsTheVerifiers() {
        let verifier = Array("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".utf8)
        let challenge = Base64URL.encode(Digest.sha256(verifier))
        #expect(challenge == Array("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".utf8))
        #expect(Base64URL.decode(challenge) == Digest.sha256(verifier))
        #expect(Base64URL.decode(Array("ab+/".utf8)) == nil)
    }

    @Test func aStateIsGoodOnceAndAtItsProviderOnly() throws {
        let flows = flows()
        let state = Array(try #require(try begin(flows).query["state"]).utf8)
        let google = Array("google".utf8)
        #expect(try flows.finish(state, at: google, browsers: []).purpose == 7)
        #expect(throws: AuthorizationFlows<Int>.Failure.unknown) { try flows.finish(state, at: google, browsers: []) }
        let other = Array(try #require(try begin(flows).query["state"]).utf8)
        #expect(throws: AuthorizationFlows<Int>.Failure.unknown) {
            try flows.finish(other, at: Array("microsoft".utf8), browsers: [])
        }
        // Whoever tried it there has used it up.
        #expect(throws: AuthorizationFlows<Int>.Failure.unknown) { try flows.finish(other, at: google, browsers: []) }
        #expect(throws: AuthorizationFlows<Int>.Failure.unknown) { try flows.finish([], at: google, browsers: []) }
    }

    @Test func onlyTheBrowserThatBeganItEndsIt() throws {
        let flows = flows()
        let google = Array("google".utf8)
        let (first, second) = (Array("first".utf8), Array("second".utf8))
        for (browsers, isFine) in [([first], true), ([second, first], true), ([second], false), ([], false)] {
            let (begun, query) = try begin(flows)
            _ = try flows.bind(Array(begun.ticket.utf8), to: first)
            let state = Array(try #require(query["state"]).utf8)
            if isFine {
                #expect(try flows.finish(state, at: google, browsers: browsers).purpose == 7)
            } else {
                #expect(throws: AuthorizationFlows<Int>.Failure.otherBrowser) {
                    try flows.finish(state, at: google, browsers: browsers)
                }
            }
        }
    }

    @Test func timeRunsOutAndRoomDoes() throws {
        let flows = flows(2)
        let (begun, query) = try begin(flows)
        _ = try begin(flows)
        #expect(throws: AuthorizationFlows<Int>.Failure.tooMany) { try begin(flows) }
        time.milliseconds.withLock { $0 += 600_000 }
        #expect(throws: AuthorizationFlows<Int>.Failure.unknown) { try flows.flow(of: Array(begun.ticket.utf8)) }
        #expect(throws: AuthorizationFlows<Int>.Failure.unknown) {
            try flows.finish(Array(try #require(query["state"]).utf8), at: Array("google".utf8), browsers: [])
        }
        _ = try begin(flows)
    }

    @Test func anIDTokenIsForUs() throws {
        func token(_ claims: String) -> [UInt8] {
            Array("e30.".utf8) + Base64URL.encode(Array(claims.utf8)) + Array(".sig".utf8)
        }
        let claims = #"{"aud":["x","us"],"email":"ann@example.com","email_verified":true,"name":"a\nb"}"#
        let read = try #require(IDToken(token(claims), for: "us"))
        #expect(read.text("email") == "ann@example.com")
        #expect(read.text("name") == nil)
        #expect(read.text("none") == nil)
        #expect(IDToken(token(claims), for: "them") == nil)
        #expect(
            IDToken(token(#"{"aud":"us","email":"a@b.c","email_verified":false}"#), for: "us")?.text("email") == nil
        )
        for text in ["", "a.b", "a.b.c", "e30.e30.", "..", "e30.!!.x"] {
            #expect(IDToken(Array(text.utf8), for: "us") == nil, "\(text)")
        }
    }
}
