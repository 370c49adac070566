// SPDX-License-Identifier: Apache-2.0

import SASL
package import Wire

/// AUTH (RFC 4954): one exchange at a time, thrown away with its outcome.
extension SMTPServerMachine {
    mutating func authenticate(
        _ mechanism: [UInt8],
        _ initialResponse: [UInt8]?,
        _ output: inout ByteBuffer
    ) -> Action? {
        if let reply = reasonAgainstAuthentication {
            refuse(reply, &output)
            return nil
        }
        guard let known = SASLMechanism(name: mechanism.span) else {
            refuse(.unknownMechanism, &output)
            return nil
        }
        var exchange = SASLServerExchange(known)
        guard let initialResponse else { return take(exchange.start(initialResponse: nil), exchange, &output) }
        // A single "=" is the initial response that is there and empty (RFC 4954 §4).
        guard let decoded = initialResponse == [ASCII.equals] ? [] : Base64.decode(initialResponse.span) else {
            refuse(.badAuthenticationResponse, &output)
            return nil
        }
        return take(exchange.start(initialResponse: decoded), exchange, &output)
    }

    private var reasonAgainstAuthentication: SMTPReply? {
        guard configuration.service == .submission else { return .notImplemented }
        guard session.clientName != nil else { return .helloFirst }
        guard session.isTLS else { return .encryptionNeeded }
        guard session.login == nil else { return .authenticatedAlready }
        guard transaction == nil else { return .authenticationInTransaction }
        return nil
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
            refuse(.authenticationAborted, &output)
            return nil
        }
        guard let decoded = Base64.decode(line.span) else {
            refuse(.badAuthenticationResponse, &output)
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
            output.append("334 ")
            output.append(Base64.encode(challenge))
            output.appendLineEnd()
            records.append(SMTPServerRecord(verb: verb, code: 334))
            state = .authentication(exchange)
            return nil
        case .credentials(let credentials):
            state = .deciding(.authenticate)
            return .authenticate(credentials)
        case .failure(.malformedResponse): refuse(.badAuthenticationResponse, &output)
        case .failure(.notAuthorized): refuse(.badCredentials, &output)
        }
        return nil
    }

    /// The answer to `authenticate`.
    package mutating func authenticated(_ verdict: SMTPAuthenticationVerdict, _ output: inout ByteBuffer) {
        guard case .deciding(.authenticate) = state else { preconditionFailure("no login was asked about") }
        state = .command
        switch verdict {
        case .accept(let login):
            session.login = login
            reply(.authenticated, &output)
        case .refuse:
            authenticationFailures += 1
            refuse(.badCredentials, &output)
            if !isClosed, authenticationFailures >= limits.authenticationFailures { tooManyErrors(&output) }
        case .unavailable: refuse(.authenticationUnavailable, &output)
        case .throttled: refuse(.authenticationThrottled, &output)
        }
    }
}
