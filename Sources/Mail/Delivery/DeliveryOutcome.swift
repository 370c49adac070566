// SPDX-License-Identifier: Apache-2.0

import Backends
import MailTypes
import SASL
import SMTP
import SMTPSessions
package import Storage
import Transport
package import Wire

/// What a server's answer means for a recipient, and for the server: RFC 5321 §4.2, in one place.
struct DeliveryPolicy: Sendable {
    var schedule = DeliverySchedule.standard
    var retriesUnknown = true

    /// The longest of somebody else's words that are kept.
    private static let maximumReplyOctets = 1000

    // MARK: Recipients

    /// - Parameters:
    ///   - accepted: whether the server took other recipients of the same message.
    ///   - now, expires: when the try ended, and when the tries do.
    func outcome(
        _ result: SMTPRecipientResult,
        for recipient: RecipientRow,
        besides accepted: Bool,
        now: Timestamp,
        expires: Timestamp
    ) -> RecipientOutcome {
        switch result {
        case .delivered(let reply): return said(.delivered, .final, reply)
        case .refused(let phase, let reply):
            // 552 to RCPT is an old server's 452: too many recipients at once (RFC 5321 §4.5.3.1.10). Those that were taken
            // are served, so the rest may come at once.
            if phase == .rcpt, reply.code == 452 || reply.code == 552, accepted {
                return said(.deferred, phase, reply, due: now)
            }
            // 530 and 535 are about us, not about the message.
            let isForGood = reply.code >= 500 && ![530, 535, 538].contains(reply.code) && phase != .reset
            return isForGood
                ? said(.refused, phase, reply) : said(.deferred, phase, reply, due: next(recipient, now, expires))
        case .unsupported(let lack): return unsupported(lack)
        case .failed(let failure):
            return failed(failure, recipient, now: now, expires: expires)
        case .unknown(let failure): return unknown(failure.words, for: recipient, now: now, expires: expires)
        }
    }

    private func failed(
        _ failure: SMTPClientFailure,
        _ recipient: RecipientRow,
        now: Timestamp,
        expires: Timestamp
    ) -> RecipientOutcome {
        let due = next(recipient, now, expires)
        if case .refused(let phase, let reply) = failure { return said(.deferred, phase, reply, due: due) }
        return RecipientOutcome(.deferred, due: due, phase: failure.phase?.rawValue, reply: failure.words)
    }

    /// The message's end was sent, or may have been, and nobody knows what came of it.
    func unknown(
        _ words: String,
        for recipient: RecipientRow,
        now: Timestamp,
        expires: Timestamp
    ) -> RecipientOutcome {
        let isLast = !retriesUnknown || recipient.doubts > 0
        return RecipientOutcome(
            .unknown,
            due: isLast ? nil : next(recipient, now, expires),
            phase: SMTPClientPhase.final.rawValue,
            reply: words
        )
    }

    /// There is no session.
    func outcome(
        _ error: SMTPSessionError,
        for recipient: RecipientRow,
        now: Timestamp,
        expires: Timestamp
    ) -> RecipientOutcome {
        switch error {
        case .session(let failure): failed(failure, recipient, now: now, expires: expires)
        case .dial(let error):
            RecipientOutcome(.deferred, due: next(recipient, now, expires), phase: "connect", reply: "\(error)")
        }
    }

    /// Waits for something that is ours to mend.
    func waiting(_ words: String, _ recipient: RecipientRow, now: Timestamp, expires: Timestamp) -> RecipientOutcome {
        RecipientOutcome(.deferred, due: next(recipient, now, expires), reply: words)
    }

    /// Its time is up.
    ///
    /// One that was tried to its end without an answer may have been delivered: that stays what is known of it.
    func expired(_ recipient: RecipientRow) -> RecipientOutcome {
        RecipientOutcome(
            recipient.doubts > 0 ? .unknown : .expired,
            phase: recipient.phase,
            code: recipient.code,
            status: recipient.status,
            reply: recipient.reply
        )
    }

    private func next(_ recipient: RecipientRow, _ now: Timestamp, _ expires: Timestamp) -> Timestamp {
        let delay = schedule.delay(afterTries: recipient.attempts + 1, jitter: Double.random(in: 0...1))
        return min(Timestamp(milliseconds: now.milliseconds + delay), expires)
    }

    private func said(
        _ state: RecipientState,
        _ phase: SMTPClientPhase,
        _ reply: SMTPReply,
        due: Timestamp? = nil
    ) -> RecipientOutcome {
        RecipientOutcome(
            state,
            due: due,
            phase: phase.rawValue,
            code: Int(reply.code),
            status: reply.status?.description,
            reply: reply.words(atMost: Self.maximumReplyOctets)
        )
    }

    private func unsupported(_ lack: SMTPUnsupported) -> RecipientOutcome {
        switch lack {
        case .size(let limit):
            RecipientOutcome(
                .refused,
                phase: SMTPClientPhase.mail.rawValue,
                status: "5.3.4",
                reply: "The message is larger than the \(limit) octets that the server takes."
            )
        case .smtpUTF8:
            RecipientOutcome(
                .refused,
                phase: SMTPClientPhase.mail.rawValue,
                status: "5.6.7",
                reply: "An address or the header needs SMTPUTF8, which the server does not have."
            )
        case .eightBitMIME:
            RecipientOutcome(
                .refused,
                phase: SMTPClientPhase.mail.rawValue,
                status: "5.6.3",
                reply: "The message needs 8BITMIME, which the server does not have."
            )
        }
    }

    // MARK: Servers

    /// What a session that did not come about says of the server.
    static func trouble(_ error: SMTPSessionError) -> (HostLedger.Trouble, words: String) {
        switch error {
        // Whether a certificate is taken, and how TLS begins, is this account's matter: no other shall wait for it.
        case .dial(let error): (error.isOfServer ? .unreachable : .account, "\(error)")
        case .session(.tlsNotOffered), .session(.injectedBeforeTLS): (.account, error.words)
        case .session(.refused(.authentication, let reply)) where reply.code >= 500:
            (.account, reply.words(atMost: 500))
        case .session(.authentication), .session(.noCommonMechanism): (.account, error.words)
        case .session(.refused(_, let reply)) where reply.code == 421: (.tooMany, reply.words(atMost: 500))
        case .session: (.unreachable, error.words)
        }
    }

    /// Whether the answers say that the server has enough of us.
    static func isOverloaded(_ results: [SMTPRecipientResult]) -> String? {
        for case .refused(_, let reply) in results where reply.code == 421 { return reply.words(atMost: 500) }
        return nil
    }
}

extension SMTPReply {
    /// Its lines as one, without controls, cut where they are too long.
    func words(atMost limit: Int) -> String {
        let octets = lines.joined(separator: " ").utf8.map { ASCII.isControl($0) ? ASCII.space : $0 }
        guard octets.count > limit else { return String(decoding: octets, as: UTF8.self) }
        return String(decoding: octets.prefix(limit), as: UTF8.self) + "…"
    }
}

extension SMTPSessionError {
    var words: String {
        switch self {
        case .dial(let error): "\(error)"
        case .session(let failure): failure.words
        }
    }
}

extension SMTPClientFailure {
    var phase: SMTPClientPhase? {
        switch self {
        case .refused(let phase, _), .syntax(let phase, _), .connectionLost(let phase), .timedOut(let phase),
            .unsolicited(let phase):
            phase
        case .tlsNotOffered, .injectedBeforeTLS: .startTLS
        case .noCommonMechanism, .authentication: .authentication
        }
    }

    /// In a sentence for whoever sent the message.
    var words: String {
        switch self {
        case .refused(_, let reply): reply.words(atMost: 500)
        case .syntax: "The server's answer could not be understood."
        case .connectionLost(.final): "The connection ended before the server said whether it took the message."
        case .connectionLost: "The connection to the server ended."
        case .timedOut(.final): "The server did not say in time whether it took the message."
        case .timedOut: "The server did not answer in time."
        case .unsolicited: "The server said something that was not asked for."
        case .tlsNotOffered: "The server does not offer TLS, which is required."
        case .injectedBeforeTLS: "Something stood behind the server's answer to STARTTLS."
        case .noCommonMechanism: "There is no way of logging in that the server offers and this connection allows."
        case .authentication(let error):
            switch error {
            case .malformedChallenge: "The server's part of the authentication is malformed."
            case .serverNotAuthentic: "The server does not know the password it checks."
            case .badIterationCount: "The server asks for a number of iterations out of bounds."
            case .refused(let reason): "The server refuses the login: \(reason)"
            }
        }
    }
}
