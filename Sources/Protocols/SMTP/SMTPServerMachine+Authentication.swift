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
        guard var dialogue = SASLServerDialogue(mechanism.span, among: SASLMechanism.allCases, mark: "334 ") else {
            refuse(.unknownMechanism, &output)
            return nil
        }
        let step = dialogue.begin(initialResponse, &output)
        return take(step, dialogue, &output)
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
        _ dialogue: SASLServerDialogue,
        _ output: inout ByteBuffer
    ) -> Action? {
        verb = .auth
        state = .command
        var dialogue = dialogue
        let step = dialogue.received(line, &output)
        return take(step, dialogue, &output)
    }

    private mutating func take(
        _ step: SASLServerDialogue.Step,
        _ dialogue: SASLServerDialogue,
        _ output: inout ByteBuffer
    ) -> Action? {
        switch step {
        case .challenged:
            records.append(SMTPServerRecord(verb: verb, code: 334))
            state = .authentication(dialogue)
        case .credentials(let credentials):
            state = .deciding(.authenticate)
            return .authenticate(credentials)
        case .cancelled: refuse(.authenticationAborted, &output)
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
