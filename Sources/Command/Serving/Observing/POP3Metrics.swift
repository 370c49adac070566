// SPDX-License-Identifier: Apache-2.0

internal import MailServers
internal import Metrics
internal import POP3
internal import Runtime

/// What the POP3 listeners count.
final class POP3Metrics: POP3Observer {
    private let connections: Counters
    private let commands: Counters
    private let sent: Counter
    private let deleted: Counter
    private let logins: Counters
    /// Commands' counters that were asked for before, so that a reply costs no text.
    private let known = Lock<[POP3ServerRecord: Counter]>([:])

    init(_ registry: MetricsRegistry) {
        connections = registry.counters(
            "postern_pop3_server_connections_total",
            "Connections served by POP3.",
            labels: "listener"
        )
        commands = registry.counters(
            "postern_pop3_server_commands_total",
            "Replies given, by the command they answer.",
            labels: "verb",
            "result"
        )
        sent = registry.counter("postern_pop3_server_sent_bytes_total", "Octets of messages sent by POP3.")
        deleted = registry.counter("postern_pop3_server_deleted_total", "Messages deleted by POP3.")
        logins = registry.counters(
            "postern_auth_attempts_total",
            "Logins and tokens by outcome; of tokens only those that failed.",
            labels: "protocol",
            "result"
        )
        for listener in ["pop3", "pop3s"] { _ = connections[listener] }
        for result in AuthenticationResult.allCases { _ = logins["pop3", result.rawValue] }
    }

    func connectionOpened(isImplicitTLS: Bool) { connections[isImplicitTLS ? "pop3s" : "pop3"].add() }

    func replied(_ record: POP3ServerRecord) {
        let counter = known.withLock { known in
            if let counter = known[record] { return counter }
            let counter = commands[record.verb.rawValue, record.isPositive ? "ok" : "err"]
            known[record] = counter
            return counter
        }
        counter.add()
    }

    func messageSent(octets: Int64) { sent.add(UInt64(clamping: octets)) }
    func messagesDeleted(_ count: Int) { deleted.add(UInt64(count)) }
    func authenticationEnded(_ result: AuthenticationResult) { logins["pop3", result.rawValue].add() }
}
