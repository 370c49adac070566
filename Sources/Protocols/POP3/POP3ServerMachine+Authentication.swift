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
        humour(&output)
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
        guard var dialogue = SASLServerDialogue(mechanism.span, among: Self.mechanisms, mark: "+ ") else {
            refuse(.unknownMechanism, &output)
            return nil
        }
        let step = dialogue.begin(initialResponse, &output)
        return take(step, dialogue, &output)
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
        case .challenged: state = .authentication(dialogue)
        case .credentials(let credentials):
            state = .deciding(.authenticate)
            return .authenticate(credentials)
        case .cancelled: refuse(.cancelled, &output)
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
