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
        exchange = SASLClientDialogue(
            among: capabilities.mechanisms,
            for: credentials,
            isConfidential: isConfidential,
            channelBinding: channelBinding,
            makeNonce: configuration.makeNonce,
            hostName: configuration.hostName,
            port: configuration.port
        )
        guard exchange == nil else {
            exchange?.begin(maximumInitialOctets: Self.maximumInitialOctets, &output)
            expected.append(.authentication)
            return
        }
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
            return refuseLogin(reply)
        }
        output.append("PASS ")
        password.withOctets { output.append($0) }
        output.appendLineEnd()
        expected.append(.pass)
    }

    /// What a continuation line carries, still in base64; nil where the line is none.
    ///
    /// Exchange says `+` without the blank behind it where the challenge is empty.
    static func challenge(_ line: [UInt8]) -> [UInt8]? {
        guard line.first == ASCII.plus, line.count == 1 || line[1] == ASCII.space else { return nil }
        return Array(line.dropFirst(2))
    }

    mutating func received(challenge: [UInt8], _ output: inout ByteBuffer) {
        guard let step = exchange?.received(challenge, &output) else { return close(.unsolicited(.authentication)) }
        take(step)
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

    mutating func receivedCancellation(_ reply: POP3Reply) {
        guard let error = exchange?.cancellation else { return close(.refused(.authentication, reply)) }
        close(.authentication(error))
    }

    /// Whether the credentials are to blame, the response code tells.
    ///
    /// A server with AUTH-RESP-CODE gives `[AUTH]` whenever they are (RFC 3206 §4); of any other a refusal without a code is
    /// taken to be about them.
    private mutating func refuseLogin(_ reply: POP3Reply) {
        let isAboutCredentials: Bool =
            switch reply.code {
            case "AUTH": true
            case "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM": false
            case nil, .some: !capabilities.authenticationResponseCode
            }
        close(isAboutCredentials ? .refused(.authentication, reply) : .loginPrevented(reply))
    }

    mutating func receivedAuthentication(_ reply: POP3Reply, _ output: inout ByteBuffer) {
        guard reply.isPositive else { return refuseLogin(reply) }
        let failure = exchange?.succeeded()
        exchange = nil
        if let failure { return close(.authentication(failure)) }
        isAuthenticated = true
        // What the server can do may be more now (RFC 2449 §5).
        if capabilities.isKnown { askCapabilities(&output) } else { state = .ready }
    }
}
