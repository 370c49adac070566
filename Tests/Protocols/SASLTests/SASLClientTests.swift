// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import SASL

@Suite struct SASLClientTests {
    private static func credentials(_ user: String, password: String) throws -> SASLClientCredentials {
        try #require(
            SASLClientCredentials(
                authenticationID: Array(user.utf8),
                proof: .password(Secret(Array(password.utf8)))
            )
        )
    }

    private static func bearer(_ user: String) throws -> SASLClientCredentials {
        try #require(
            SASLClientCredentials(
                authenticationID: Array(user.utf8),
                proof: .bearerToken(Secret(Array("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".utf8)))
            )
        )
    }

    private func text(_ step: SASLClientExchange.Step) -> String {
        switch step {
        case .respond(let octets): octets.span.repairedUTF8String()
        case .derive(let key): "derive \(key.rounds)"
        case .abort(let error): "abort \(error)"
        }
    }

    /// The exchanges that RFC 5802 §5 and RFC 7677 §3 print.
    struct Printed: Sendable {
        let mechanism: SASLClientMechanism
        let nonce, first, serverFirst, final, serverFinal: String
    }

    static let printed = [
        Printed(
            mechanism: .scramSHA1,
            nonce: "fyko+d2lbbFgONRv9qkxdawL",
            first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="
        ),
        Printed(
            mechanism: .scramSHA256,
            nonce: "rOprNGfwEbeRWgbNEkqO",
            first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        ),
    ]

    @Test(arguments: printed) func scramSaysWhatTheSpecificationPrints(_ example: Printed) throws {
        var exchange = try begin(example)
        #expect(exchange.initialResponse == Array(example.first.utf8))
        let step = exchange.received(Array(example.serverFirst.utf8), sentInitialResponse: true)
        guard case .derive(let key) = step else {
            Issue.record("\(text(step))")
            return
        }
        #expect(text(exchange.derived(key.saltedPassword())) == example.final)
        #expect(text(exchange.received(Array(example.serverFinal.utf8), sentInitialResponse: true)) == "")
        #expect(exchange.succeeded() == nil)
    }

    private func begin(_ example: Printed) throws -> SASLClientExchange {
        try #require(
            SASLClientExchange(
                example.mechanism,
                Self.credentials("user", password: "pencil"),
                nonce: Array(example.nonce.utf8)
            )
        )
    }

    /// Up to the server's final message.
    private func proven(_ example: Printed) throws -> SASLClientExchange {
        var exchange = try begin(example)
        guard case .derive(let key) = exchange.received(Array(example.serverFirst.utf8), sentInitialResponse: true)
        else { throw SASLClientError.malformedChallenge }
        _ = exchange.derived(key.saltedPassword())
        return exchange
    }

    @Test func aSuccessWithoutTheServersSignatureIsNotBelieved() throws {
        var exchange = try proven(Self.printed[1])
        #expect(exchange.succeeded() == .serverNotAuthentic)
    }

    @Test func theSignatureMayComeWithTheSuccess() throws {
        var exchange = try proven(Self.printed[1])
        #expect(exchange.succeeded(with: Array(Self.printed[1].serverFinal.utf8)) == nil)
    }

    @Test func aForeignSignatureIsNotBelieved() throws {
        var exchange = try proven(Self.printed[1])
        let step = exchange.received(
            Array("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8),
            sentInitialResponse: true
        )
        #expect(text(step) == "abort serverNotAuthentic")
        #expect(exchange.succeeded() == .serverNotAuthentic)
    }

    @Test(arguments: [
        ("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "serverNotAuthentic"),
        ("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "serverNotAuthentic"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", "badIterationCount"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=200001", "badIterationCount"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999999", "badIterationCount"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=+4096", "badIterationCount"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "malformedChallenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=!!!!,i=4096", "malformedChallenge"),
        ("m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "malformedChallenge"),
        ("", "malformedChallenge"),
        (",,,", "malformedChallenge"),
        ("e=unknown-user", "refused(\"unknown-user\")"),
    ]) func scramRefuses(_ challenge: String, _ error: String) throws {
        var exchange = try begin(Self.printed[1])
        #expect(
            text(exchange.received(Array(challenge.utf8), sentInitialResponse: true)) == "abort \(error)"
        )
        #expect(exchange.succeeded() == .serverNotAuthentic)
    }

    @Test func namesAreEscapedInScram() throws {
        let exchange = try #require(
            SASLClientExchange(.scramSHA256, Self.credentials("a=b,c", password: "x"), nonce: Array("n".utf8))
        )
        #expect(exchange.initialResponse == Array("n,,n=a=3Db=2Cc,r=n".utf8))
    }

    @Test func aBindingThatTheServerDoesNotOfferIsMentioned() throws {
        let binding = SASLChannelBinding(.tlsExporter, [1, 2, 3])
        let credentials = try Self.credentials("u", password: "x")
        let unbound = try #require(
            SASLClientExchange(.scramSHA256, credentials, nonce: Array("n".utf8), channelBinding: binding)
        )
        #expect(unbound.initialResponse == Array("y,,n=u,r=n".utf8))
        let bound = try #require(
            SASLClientExchange(.scramSHA256Plus, credentials, nonce: Array("n".utf8), channelBinding: binding)
        )
        #expect(bound.initialResponse == Array("p=tls-exporter,,n=u,r=n".utf8))
        #expect(SASLClientExchange(.scramSHA256Plus, credentials, nonce: Array("n".utf8)) == nil)
    }

    @Test func plainAnswersAtOnceOrWhenAsked() throws {
        let credentials = try Self.credentials("tim", password: "tanstaaftanstaaf")
        var exchange = try #require(SASLClientExchange(.plain, credentials, nonce: []))
        #expect(exchange.initialResponse == Array("\0tim\0tanstaaftanstaaf".utf8))
        #expect(text(exchange.received([], sentInitialResponse: false)) == "\0tim\0tanstaaftanstaaf")
        #expect(text(exchange.received([], sentInitialResponse: false)) == "abort malformedChallenge")
    }

    @Test func aPlainThatWasSentIsNotSentAgain() throws {
        var exchange = try #require(
            SASLClientExchange(.plain, Self.credentials("tim", password: "secret"), nonce: [])
        )
        #expect(text(exchange.received([], sentInitialResponse: true)) == "abort malformedChallenge")
    }

    @Test func loginAnswersWhateverTheServerAsks() throws {
        var exchange = try #require(
            SASLClientExchange(.login, Self.credentials("tim", password: "secret"), nonce: [])
        )
        #expect(exchange.initialResponse == nil)
        #expect(text(exchange.received(Array("Benutzername:".utf8), sentInitialResponse: false)) == "tim")
        #expect(text(exchange.received([], sentInitialResponse: false)) == "secret")
        #expect(text(exchange.received([], sentInitialResponse: false)) == "abort malformedChallenge")
    }

    /// RFC 7628 §4.1 and §4.3.
    @Test func oauthBearerSaysWhereItIsAndEndsAFailure() throws {
        var exchange = try #require(
            SASLClientExchange(
                .oauthBearer,
                Self.bearer("user@example.com"),
                nonce: [],
                hostName: Array("server.example.com".utf8),
                port: 143
            )
        )
        #expect(
            exchange.initialResponse.map { String(decoding: $0, as: UTF8.self) }
                == "n,a=user@example.com,\u{1}host=server.example.com\u{1}port=143\u{1}"
                + "auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\u{1}\u{1}"
        )
        let failure = #"{"status":"invalid_token"}"#
        #expect(text(exchange.received(Array(failure.utf8), sentInitialResponse: true)) == "\u{1}")
        #expect(exchange.reasonOfRefusal == .refused(failure))
    }

    @Test func xoauth2EndsAFailureWithNothing() throws {
        var exchange = try #require(SASLClientExchange(.xoauth2, Self.bearer("someuser@example.com"), nonce: []))
        #expect(
            exchange.initialResponse.map { String(decoding: $0, as: UTF8.self) }
                == "user=someuser@example.com\u{1}auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\u{1}\u{1}"
        )
        #expect(text(exchange.received(Array("{}".utf8), sentInitialResponse: true)) == "")
    }

    @Test func theBestFittingMechanismIsChosen() throws {
        let password = try Self.credentials("u", password: "p")
        let token = try Self.bearer("u")
        let all = Set(SASLClientMechanism.allCases)
        func choose(
            _ offered: Set<SASLClientMechanism>,
            _ credentials: SASLClientCredentials,
            tls: Bool,
            bound: Bool
        )
            -> SASLClientMechanism?
        {
            SASLClientExchange.choose(
                among: offered,
                for: credentials,
                isConfidential: tls,
                hasChannelBinding: bound
            )
        }
        #expect(choose(all, password, tls: true, bound: true) == .scramSHA256Plus)
        #expect(choose(all, password, tls: true, bound: false) == .scramSHA256)
        #expect(choose([.plain, .login], password, tls: true, bound: true) == .plain)
        #expect(choose([.plain, .login], password, tls: false, bound: false) == nil)
        #expect(choose([.plain, .scramSHA1], password, tls: false, bound: false) == .scramSHA1)
        #expect(choose(all, token, tls: true, bound: true) == .oauthBearer)
        #expect(choose([.xoauth2, .plain], token, tls: true, bound: false) == .xoauth2)
        #expect(choose([.xoauth2], token, tls: false, bound: false) == nil)
    }

    @Test(arguments: ["", "a\0b"]) func anIdentityThatCannotBeSentIsNone(_ name: String) {
        #expect(
            SASLClientCredentials(authenticationID: Array(name.utf8), proof: .password(Secret([0x61]))) == nil
        )
    }

    @Test func aTokenWithControlsIsNone() {
        #expect(
            SASLClientCredentials(authenticationID: [0x61], proof: .bearerToken(Secret(Array("a\r\nb".utf8)))) == nil
        )
    }

    @Test func nothingSecretIsPrinted() throws {
        var printed = ""
        dump(try Self.credentials("ann", password: "hunter2"), to: &printed)
        #expect(!printed.contains("hunter2"))
    }
}
