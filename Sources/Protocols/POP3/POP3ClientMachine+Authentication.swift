// SPDX-License-Identifier: Apache-2.0

import SASL
package import Wire

/// AUTH (RFC 5034), or USER and PASS (RFC 1939 §7), the client's side.
///
/// APOP is not used: its digest is broken (CVE-2007-1558).
extension POP3ClientMachine {
    /// A command may have 255 octets (RFC 2449 §4): with a longer response the server is left to ask for it.
    private static var maximumInitialOctets: Int { 200 }

    /// TLS is there, or will not be.
    mutating func logIn(_ output: inout ByteBuffer) {
        guard let credentials = configuration.credentials else {
            state = .ready
            return
        }
        let isConfidential = isTLS && isVerified || configuration.allowsSecretsInClear
        let mechanism = SASLClientExchange.choose(
            among: capabilities.mechanisms,
            for: credentials,
            isConfidential: isConfidential,
            hasChannelBinding: channelBinding != nil
        )
        let exchange = mechanism.flatMap {
            SASLClientExchange(
                $0,
                credentials,
                nonce: configuration.makeNonce(),
                channelBinding: channelBinding,
                hostName: configuration.hostName,
                port: configuration.port
            )
        }
        if let exchange { return authenticate(exchange, &output) }
        // What a server without CAPA can do is not known; USER and PASS every one has had.
        guard isConfidential, capabilities.user || !capabilities.isKnown,
            case .password(let password) = credentials.proof
        else { return close(.noCommonMechanism) }
        let isSuitable = password.withOctets { !$0.contains(where: ASCII.isControl) }
        guard isSuitable, !credentials.authenticationID.contains(where: ASCII.isControl) else {
            return close(.unsuitableCredentials)
        }
        output.append("USER ")
        output.append(credentials.authenticationID)
        output.appendLineEnd()
        expected.append(.user)
    }

    mutating func receivedUser(_ reply: POP3Reply, _ output: inout ByteBuffer) {
        guard reply.isPositive, case .password(let password) = configuration.credentials?.proof else {
            return close(.refused(.authentication, reply))
        }
        output.append("PASS ")
        password.withOctets { output.append($0) }
        output.appendLineEnd()
        expected.append(.pass)
    }

    private mutating func authenticate(_ exchange: SASLClientExchange, _ output: inout ByteBuffer) {
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
        expected.append(.authentication)
    }

    /// What a continuation line carries, still in base64; nil where the line is none.
    ///
    /// Exchange says `+` without the blank behind it where the challenge is empty.
    static func challenge(_ line: [UInt8]) -> [UInt8]? {
        guard line.first == ASCII.plus, line.count == 1 || line[1] == ASCII.space else { return nil }
        return Array(line.dropFirst(2))
    }

    mutating func received(challenge: [UInt8], _ output: inout ByteBuffer) {
        guard var exchange else { return close(.unsolicited(.authentication)) }
        guard let octets = Base64.decode(challenge.span) else { return cancel(.malformedChallenge, &output) }
        let step = exchange.received(octets, sentInitialResponse: sentInitialResponse)
        self.exchange = exchange
        take(step, &output)
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

    /// Takes the exchange back, and the session with it.
    private mutating func cancel(_ error: SASLClientError, _ output: inout ByteBuffer) {
        authenticationFailure = .authentication(error)
        output.append("*\r\n")
        expected.append(.cancellation)
    }

    mutating func receivedAuthentication(_ reply: POP3Reply, _ output: inout ByteBuffer) {
        guard reply.isPositive else { return close(.refused(.authentication, reply)) }
        if var exchange {
            self.exchange = nil
            if let failure = exchange.succeeded() { return close(.authentication(failure)) }
        }
        isAuthenticated = true
        // What the server can do may be more now (RFC 2449 §5).
        if capabilities.isKnown { askCapabilities(&output) } else { state = .ready }
    }
}
