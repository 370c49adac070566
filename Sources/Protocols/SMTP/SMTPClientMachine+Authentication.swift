// SPDX-License-Identifier: Apache-2.0

import SASL
package import Wire

/// AUTH (RFC 4954), the client's side.
extension SMTPClientMachine {
    /// With a longer initial response the command may exceed a server's line limit, so the server is left to ask for it
    /// (RFC 4954 §4).
    private static var maximumInitialOctets: Int { 480 }

    mutating func authenticate(_ exchange: SASLClientExchange, _ output: inout ByteBuffer) {
        self.exchange = exchange
        output.append("AUTH ")
        output.append(utf8: exchange.mechanism.rawValue)
        let initial = exchange.initialResponse.map { Base64.encode($0) }
        sentInitialResponse = false
        if let initial, initial.count <= Self.maximumInitialOctets {
            sentInitialResponse = true
            output.append(ASCII.space)
            // A single "=" is the response that is there and empty.
            output.append(initial.isEmpty ? [ASCII.equals] : initial)
        }
        output.appendLineEnd()
        state = .awaiting
        expected.append(.authentication)
    }

    mutating func receivedAuthentication(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard var exchange else { return close(.unsolicited(.authentication)) }
        switch reply.code {
        case 334:
            guard let challenge = Base64.decode(Array((reply.lines.last ?? "").utf8).span) else {
                return cancel(.malformedChallenge, &output)
            }
            let step = exchange.received(challenge, sentInitialResponse: sentInitialResponse)
            self.exchange = exchange
            take(step, &output)
        case 200...299:
            let failure = exchange.succeeded()
            self.exchange = nil
            if let failure { return close(.authentication(failure)) }
            state = .ready
        default: close(.refused(.authentication, reply))
        }
    }

    /// The answer to `derive`.
    package mutating func derived(_ saltedPassword: [UInt8], _ output: inout ByteBuffer) {
        guard case .deriving = state, var exchange else { preconditionFailure("no key was asked for") }
        state = .awaiting
        let step = exchange.derived(saltedPassword)
        self.exchange = exchange
        take(step, &output)
    }

    private mutating func take(_ step: SASLClientExchange.Step, _ output: inout ByteBuffer) {
        switch step {
        case .respond(let response):
            output.append(Base64.encode(response))
            output.appendLineEnd()
            expected.append(.authentication)
        case .derive(let key): state = .deriving(key)
        case .abort(let error): cancel(error, &output)
        }
    }

    /// Takes the exchange back, as RFC 4954 §4 has it, and the session with it.
    private mutating func cancel(_ error: SASLClientError, _ output: inout ByteBuffer) {
        authenticationFailure = .authentication(error)
        output.append("*\r\n")
        expected.append(.cancellation)
    }
}
