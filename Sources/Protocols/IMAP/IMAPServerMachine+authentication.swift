// SPDX-License-Identifier: Apache-2.0

import SASL
import Wire

/// LOGIN and AUTHENTICATE (RFC 9051 §6.2): one exchange at a time, thrown away with its outcome.
extension IMAPServerMachine {
    static var mechanisms: [SASLMechanism] { [.plain] }

    /// Whether a password may come now.
    var takesPasswords: Bool { session.isTLS || configuration.takesPasswordsInClear }

    private static let tlsFirst = IMAPStatus(.no, .privacyRequired, "TLS comes first: STARTTLS")
    private static let wrong = IMAPStatus(.no, .authenticationFailed, "Name or password are wrong")

    mutating func login(
        _ user: [UInt8],
        _ password: Secret,
        _ tag: [UInt8],
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        guard takesPasswords else {
            refuse(tag, Self.tlsFirst, &encoder)
            return nil
        }
        let isField = password.withOctets { Self.isField($0) }
        guard Self.isField(user), isField else {
            refuse(tag, Self.wrong, &encoder)
            return nil
        }
        state = .deciding(.authenticate(tag: tag))
        return .authenticate(SASLCredentials(authenticationID: user, password: password))
    }

    /// Well-formed UTF-8 without NUL, 1…255 octets.
    private static func isField(_ octets: [UInt8]) -> Bool {
        (1...255).contains(octets.count) && !octets.contains(ASCII.nul) && octets.span.utf8String() != nil
    }

    mutating func authenticate(
        _ mechanism: String,
        _ initialResponse: [UInt8]?,
        _ tag: [UInt8],
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        guard takesPasswords else {
            refuse(tag, Self.tlsFirst, &encoder)
            return nil
        }
        let name = Array(mechanism.utf8)
        guard var dialogue = SASLServerDialogue(name.span, among: Self.mechanisms, mark: "+ ") else {
            refuse(tag, IMAPStatus(.no, .cannot, "There is no such mechanism"), &encoder)
            return nil
        }
        let step = dialogue.begin(initialResponse, &encoder.output)
        return take(step, dialogue, tag, &encoder)
    }

    /// A line that answers a challenge.
    mutating func respond(
        _ line: [UInt8],
        _ tag: [UInt8],
        _ dialogue: SASLServerDialogue,
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        state = .command
        var dialogue = dialogue
        let step = dialogue.received(line, &encoder.output)
        return take(step, dialogue, tag, &encoder)
    }

    private mutating func take(
        _ step: SASLServerDialogue.Step,
        _ dialogue: SASLServerDialogue,
        _ tag: [UInt8],
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        switch step {
        case .challenged: state = .authentication(tag: tag, dialogue)
        case .credentials(let credentials):
            state = .deciding(.authenticate(tag: tag))
            return .authenticate(credentials)
        case .cancelled: refuse(tag, IMAPStatus(.bad, nil, "The login is cancelled"), &encoder)
        case .failure(.malformedResponse): refuse(tag, IMAPStatus(.bad, nil, "The response is malformed"), &encoder)
        case .failure(.notAuthorized): refuse(tag, Self.wrong, &encoder)
        }
        return nil
    }

    /// The answer to `authenticate`.
    package mutating func authenticated(_ verdict: IMAPLoginVerdict, _ encoder: inout IMAPResponseEncoder) {
        guard case .deciding(.authenticate(let tag)) = state else { preconditionFailure("no login was asked about") }
        state = .command
        switch verdict {
        case .accept:
            isLoggedIn = true
            reader.limits = limits.afterLogin
            reply(tag, IMAPStatus(.ok, .capability(capabilities), "Logged in"), &encoder)
        case .refuse:
            authenticationFailures += 1
            refuse(tag, Self.wrong, &encoder)
            if !isClosed, authenticationFailures >= limits.authenticationFailures { tooManyErrors(&encoder) }
        case .unavailable:
            refuse(tag, IMAPStatus(.no, .unavailable, "Not possible now, try again later"), &encoder)
        case .throttled:
            refuse(tag, IMAPStatus(.no, .unavailable, "Too many wrong passwords, try again later"), &encoder)
        }
    }
}
