// SPDX-License-Identifier: Apache-2.0

internal import MailServers
internal import Metrics
internal import Runtime
internal import SMTP

/// What the SMTP listeners count.
final class SMTPMetrics: MailServerObserver {
    private let connections: Counters
    private let commands: Counters
    private let messages: Counters
    private let received: Counter
    private let logins: Counters
    /// Commands' counters that were asked for before, so that a reply costs no text.
    private let known = Lock<[SMTPServerRecord: Counter]>([:])

    init(_ registry: MetricsRegistry) {
        connections = registry.counters(
            "postern_smtp_server_connections_total",
            "Connections served by SMTP.",
            labels: "service"
        )
        commands = registry.counters(
            "postern_smtp_server_commands_total",
            "Replies given, by the verb they answer and their code.",
            labels: "verb",
            "code"
        )
        messages = registry.counters(
            "postern_smtp_server_messages_total",
            "Messages that came by SMTP.",
            labels: "result"
        )
        received = registry.counter("postern_smtp_server_received_bytes_total", "Octets of messages accepted by SMTP.")
        logins = registry.counters(
            "postern_auth_attempts_total",
            "Logins and tokens by outcome; of tokens only those that failed.",
            labels: "protocol",
            "result"
        )
        for result in MessageResult.allCases { _ = messages[result.rawValue] }
        for result in AuthenticationResult.allCases { _ = logins["smtp", result.rawValue] }
    }

    func connectionOpened(_ service: SMTPServerConfiguration.Service) { connections["\(service)"].add() }

    func replied(_ record: SMTPServerRecord, _ service: SMTPServerConfiguration.Service) {
        let counter = known.withLock { known in
            if let counter = known[record] { return counter }
            let counter = commands[record.verb.rawValue, "\(record.code)"]
            known[record] = counter
            return counter
        }
        counter.add()
    }

    func messageEnded(_ result: MessageResult, octets: Int64) {
        messages[result.rawValue].add()
        if result == .accepted { received.add(UInt64(clamping: octets)) }
    }

    func authenticationEnded(_ result: AuthenticationResult) { logins["smtp", result.rawValue].add() }
}
