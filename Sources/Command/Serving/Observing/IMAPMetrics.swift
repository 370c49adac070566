// SPDX-License-Identifier: Apache-2.0

internal import IMAP
internal import MailServers
internal import Metrics
internal import Runtime

/// What the IMAP listeners count.
final class IMAPMetrics: IMAPObserver {
    private let connections: Counters
    private let commands: Counters
    private let sent: Counter
    private let appended: Counter
    private let expunged: Counter
    private let logins: Counters
    /// Commands' counters that were asked for before, so that a response costs no text.
    private let known = Lock<[IMAPServerRecord: Counter]>([:])

    init(_ registry: MetricsRegistry) {
        connections = registry.counters(
            "postern_imap_server_connections_total",
            "Connections served by IMAP.",
            labels: "listener"
        )
        commands = registry.counters(
            "postern_imap_server_commands_total",
            "Tagged responses given, by the command they answer.",
            labels: "verb",
            "result"
        )
        sent = registry.counter("postern_imap_server_sent_bytes_total", "Octets of messages sent by IMAP.")
        appended = registry.counter("postern_imap_server_appended_total", "Messages put into mailboxes by IMAP.")
        expunged = registry.counter("postern_imap_server_expunged_total", "Messages expunged by IMAP.")
        logins = registry.counters(
            "postern_auth_attempts_total",
            "Logins and tokens by outcome; of tokens only those that failed.",
            labels: "protocol",
            "result"
        )
        for listener in ["imap", "imaps"] { _ = connections[listener] }
        for result in AuthenticationResult.allCases { _ = logins["imap", result.rawValue] }
    }

    func connectionOpened(isImplicitTLS: Bool) { connections[isImplicitTLS ? "imaps" : "imap"].add() }

    func replied(_ record: IMAPServerRecord) {
        let counter = known.withLock { known in
            if let counter = known[record] { return counter }
            let counter = commands[record.verb.rawValue, String(record.condition.rawValue.lowercased())]
            known[record] = counter
            return counter
        }
        counter.add()
    }

    func messageSent(octets: Int64) { sent.add(UInt64(clamping: octets)) }
    func messageAppended(octets: Int64) { appended.add() }
    func messagesExpunged(_ count: Int) { expunged.add(UInt64(count)) }
    func authenticationEnded(_ result: AuthenticationResult) { logins["imap", result.rawValue].add() }
}
