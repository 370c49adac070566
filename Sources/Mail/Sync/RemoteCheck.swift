// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import POP3
import SMTP
import SMTPSessions
package import Storage
import Transport
import Wire

/// What a first try at a server shows, step by step.
package enum RemoteCheck {
    package struct Step: Hashable, Sendable {
        package enum Name: String, Sendable {
            /// Looking the name up and connecting.
            case connect
            case tls
            /// The server's greeting and what it says it can do.
            case greeting
            case login
            /// POP3: what names messages from one session to the next.
            case uniqueIDs = "uidl"
        }

        package let name: Name
        package let isDone: Bool
        /// The server's words or ours, where something is to be said.
        package let detail: String?

        init(_ name: Name, isDone: Bool, _ detail: String? = nil) {
            self.name = name
            self.isDone = isDone
            self.detail = detail
        }
    }

    static let all: [Step.Name] = [.connect, .tls, .greeting, .login]

    /// Every step up to the one that failed.
    static func steps(upTo failed: Step.Name?, _ detail: String?) -> [Step] {
        var steps: [Step] = []
        for name in all {
            guard name != failed else {
                steps.append(Step(name, isDone: false, detail))
                break
            }
            steps.append(Step(name, isDone: true))
        }
        return steps
    }

    static func step(_ error: DialError) -> Step.Name {
        switch error {
        case .resolve, .denied, .connect, .timeout(.lookup), .timeout(.connect), .cancelled: .connect
        case .certificate, .tls, .timeout(.tls), .injectedBeforeTLS: .tls
        }
    }

    static func step(_ failure: IMAPClientFailure) -> Step.Name {
        switch failure {
        case .authentication, .noCommonMechanism: .login
        case .tlsNotOffered, .injectedBeforeTLS: .tls
        case .refused(let phase, _), .connectionLost(let phase), .timedOut(let phase), .syntax(let phase, _),
            .unsolicited(let phase):
            phase == .authentication ? .login : phase == .startTLS ? .tls : .greeting
        case .bye, .preauthenticated, .tooMuchBeforeLogin, .tooManyUnreadable, .badCompression: .greeting
        }
    }

    static func step(_ failure: POP3ClientFailure) -> Step.Name {
        switch failure {
        case .authentication, .noCommonMechanism, .unsuitableCredentials, .loginPrevented: .login
        case .tlsNotOffered, .injectedBeforeTLS: .tls
        case .refused(let phase, _), .connectionLost(let phase), .timedOut(let phase), .syntax(let phase, _),
            .unsolicited(let phase):
            phase == .authentication ? .login : phase == .startTLS ? .tls : .greeting
        }
    }

    static func step(_ failure: SMTPClientFailure) -> Step.Name {
        switch failure {
        case .authentication, .noCommonMechanism: .login
        case .tlsNotOffered, .injectedBeforeTLS: .tls
        case .refused(let phase, _), .connectionLost(let phase), .timedOut(let phase), .syntax(let phase, _),
            .unsolicited(let phase):
            phase == .authentication ? .login : phase == .startTLS ? .tls : .greeting
        }
    }
}
