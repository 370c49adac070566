// SPDX-License-Identifier: Apache-2.0

import SASL
package import Wire

/// USER and PASS (RFC 1939 §7), and AUTH (RFC 5034): one exchange at a time, thrown away with its outcome.
///
/// Passwords are taken under TLS only. There is no APOP: its digest is broken (CVE-2007-1558).
extension POP3ServerMachine {
    static var mechanisms: [SASLMechanism] { [.plain] }

    mutating func user(_ name: [UInt8], _ output: inout ByteBuffer) {
        guard session.isTLS else { return refuse(.tlsFirst, &output) }
        self.name = name
        reply(.nameTaken, &output)
    }

    mutating func pass(_ password: Secret, _ output: inout ByteBuffer) -> Action? {
        guard session.isTLS, let name else {
            refuse(session.isTLS ? .nameFirst : .tlsFirst, &output)
            return nil
        }
        self.name = nil
        state = .deciding(.authenticate)
        return .authenticate(SASLCredentials(authenticationID: name, password: password))
    }

    mutating func authenticate(
        _ mechanism: [UInt8]?,
        _ initialResponse: [UInt8]?,
        _ output: inout ByteBuffer
    ) -> Action? {
        name = nil
        guard session.isTLS else {
            refuse(.tlsFirst, &output)
            return nil
        }
        guard let mechanism else {
            reply(.ok("These are the mechanisms"), &output)
            append(Self.mechanisms.map(\.rawValue), &output)
            humour(&output)
            return nil
        }
        guard let known = SASLMechanism(name: mechanism.span), Self.mechanisms.contains(known) else {
            refuse(.unknownMechanism, &output)
            return nil
        }
        var exchange = SASLServerExchange(known)
        guard let initialResponse else { return take(exchange.start(initialResponse: nil), exchange, &output) }
        // A single "=" is the initial response that is there and empty (RFC 5034 §4).
        guard let decoded = initialResponse == [ASCII.equals] ? [] : Base64.decode(initialResponse.span) else {
            refuse(.badResponse, &output)
            return nil
        }
        return take(exchange.start(initialResponse: decoded), exchange, &output)
    }

    /// A line that answers a challenge.
    mutating func respond(
        _ line: [UInt8],
        _ exchange: SASLServerExchange,
        _ output: inout ByteBuffer
    ) -> Action? {
        verb = .auth
        state = .command
        guard line != [ASCII.asterisk] else {
            refuse(.cancelled, &output)
            return nil
        }
        guard let decoded = Base64.decode(line.span) else {
            refuse(.badResponse, &output)
            return nil
        }
        var exchange = exchange
        return take(exchange.received(decoded), exchange, &output)
    }

    private mutating func take(
        _ step: SASLServerExchange.Step,
        _ exchange: SASLServerExchange,
        _ output: inout ByteBuffer
    ) -> Action? {
        switch step {
        case .challenge(let challenge):
            output.append("+ ")
            output.append(Base64.encode(challenge))
            output.appendLineEnd()
            state = .authentication(exchange)
            return nil
        case .credentials(let credentials):
            state = .deciding(.authenticate)
            return .authenticate(credentials)
        case .failure(.malformedResponse): refuse(.badResponse, &output)
        case .failure(.notAuthorized): refuse(.badCredentials, &output)
        }
        return nil
    }

    /// The answer to `authenticate`.
    package mutating func authenticated(_ verdict: POP3LoginVerdict, _ output: inout ByteBuffer) {
        guard case .deciding(.authenticate) = state else { preconditionFailure("no login was asked about") }
        state = .command
        switch verdict {
        case .accept(let maildrop):
            self.maildrop = maildrop
            isLoggedIn = true
            reply(.ok("\(maildrop.count) messages, \(maildrop.unmarkedOctets) octets"), &output)
        case .refuse:
            authenticationFailures += 1
            refuse(.badCredentials, &output)
            if !isClosed, authenticationFailures >= limits.authenticationFailures { tooManyErrors(&output) }
        case .unavailable: refuse(.unavailable, &output)
        case .throttled: refuse(.throttled, &output)
        }
    }
}
