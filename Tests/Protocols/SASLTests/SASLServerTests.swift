// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import SASL

@Suite struct SASLServerTests {
    private func outcome(_ step: SASLServerExchange.Step) -> String {
        switch step {
        case .challenge(let octets): "challenge \(String(decoding: octets, as: UTF8.self))"
        case .credentials(let credentials):
            "\(String(decoding: credentials.authenticationID, as: UTF8.self)) / "
                + credentials.password.withOctets { String(decoding: $0, as: UTF8.self) }
        case .failure(let error): "\(error)"
        }
    }

    @Test(arguments: [
        ("\0ann\0pw", "ann / pw"), ("ann\0ann\0pw", "ann / pw"), ("bob\0ann\0pw", "notAuthorized"),
        ("Ann\0ann\0pw", "notAuthorized"), ("\0ann\0", "malformedResponse"), ("\0\0pw", "malformedResponse"),
        ("ann\0pw", "malformedResponse"), ("\0ann\0pw\0", "malformedResponse"), ("", "malformedResponse"),
        ("\0ж\0ü", "ж / ü"),
    ])
    func plain(_ response: String, _ expected: String) {
        var exchange = SASLServerExchange(.plain)
        #expect(outcome(exchange.start(initialResponse: Array(response.utf8))) == expected)
    }

    @Test func fieldsOf255OctetsAreTakenAndLongerOnesNot() {
        let longest = [UInt8](repeating: 0x61, count: 255)
        var exchange = SASLServerExchange(.plain)
        #expect(outcome(exchange.start(initialResponse: [0] + longest + [0] + longest)).hasSuffix("a"))
        exchange = SASLServerExchange(.plain)
        #expect(outcome(exchange.start(initialResponse: [0] + longest + [0x61, 0] + longest)) == "malformedResponse")
    }

    @Test func illFormedUTF8IsRefused() {
        var exchange = SASLServerExchange(.plain)
        #expect(outcome(exchange.start(initialResponse: [0, 0xC3, 0, 0x61])) == "malformedResponse")
    }

    @Test func plainWithoutInitialResponseIsAskedForIt() {
        var exchange = SASLServerExchange(.plain)
        #expect(outcome(exchange.start(initialResponse: nil)) == "challenge ")
        #expect(outcome(exchange.received(Array("\0ann\0pw".utf8))) == "ann / pw")
        #expect(outcome(exchange.received(Array("\0ann\0pw".utf8))) == "malformedResponse")
    }

    @Test func loginAsksForNameAndPassword() {
        var exchange = SASLServerExchange(.login)
        #expect(outcome(exchange.start(initialResponse: nil)) == "challenge Username:")
        #expect(outcome(exchange.received(Array("ann".utf8))) == "challenge Password:")
        #expect(outcome(exchange.received(Array("pw".utf8))) == "ann / pw")
        exchange = SASLServerExchange(.login)
        #expect(outcome(exchange.start(initialResponse: Array("ann".utf8))) == "challenge Password:")
        #expect(outcome(exchange.received([])) == "malformedResponse")
    }

    private func mechanism(_ name: String) -> SASLMechanism? { SASLMechanism(name: Array(name.utf8).span) }

    @Test func mechanismsByName() {
        #expect(mechanism("plain") == .plain)
        #expect(mechanism("LOGIN") == .login)
        #expect(mechanism("CRAM-MD5") == nil)
    }

    @Test func aSecretHasNoText() {
        let credentials = SASLCredentials(authenticationID: [0x61], password: Secret(Array("hunter2".utf8)))
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] { #expect(!text.contains("hunter2")) }
        #expect("\(credentials.password)" == "‹redacted›")
    }
}
