// SPDX-License-Identifier: Apache-2.0

import SASL
package import Wire

/// AUTH (RFC 4954), the client's side.
extension SMTPClientMachine {
    /// With a longer initial response the command may exceed a server's line limit, so the server is left to ask for it
    /// (RFC 4954 §4).
    private static var maximumInitialOctets: Int { 480 }

    /// TLS is there, or will not be.
    mutating func secured(_ output: inout ByteBuffer) {
        guard let credentials = configuration.credentials else {
            state = .ready
            return
        }
        exchange = SASLClientDialogue(
            among: capabilities.mechanisms,
            for: credentials,
            isConfidential: isTLS && isVerified || configuration.allowsSecretsInClear,
            channelBinding: channelBinding,
            makeNonce: configuration.makeNonce,
            hostName: configuration.hostName,
            port: configuration.port
        )
        guard exchange != nil else { return close(.noCommonMechanism) }
        exchange?.begin(maximumInitialOctets: Self.maximumInitialOctets, &output)
        state = .awaiting
        expected.append(.authentication)
    }

    mutating func receivedAuthentication(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard var exchange else { return close(.unsolicited(.authentication)) }
        switch reply.code {
        case 334:
            let step = exchange.received(Array((reply.lines.last ?? "").utf8), &output)
            self.exchange = exchange
            take(step)
        case 200...299:
            self.exchange = nil
            if let failure = exchange.succeeded() { return close(.authentication(failure)) }
            state = .ready
        default: close(.refused(.authentication, reply))
        }
    }

    /// The answer to `derive`.
    package mutating func derived(_ saltedPassword: [UInt8], _ output: inout ByteBuffer) {
        guard case .deriving = state, let step = exchange?.derived(saltedPassword, &output) else {
            preconditionFailure("no key was asked for")
        }
        state = .awaiting
        take(step)
    }

    private mutating func take(_ step: SASLClientDialogue.Step) {
        switch step {
        case .responded: expected.append(.authentication)
        case .derive(let key): state = .deriving(key)
        // The session goes with it.
        case .cancelled: expected.append(.cancellation)
        }
    }

    mutating func receivedCancellation(_ reply: SMTPReply) {
        guard let error = exchange?.cancellation else { return close(.refused(.authentication, reply)) }
        close(.authentication(error))
    }
}
