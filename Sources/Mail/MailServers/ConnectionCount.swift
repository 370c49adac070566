// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import TLS
import Transport

/// How many connections a listener serves now.
final class ConnectionCount: Sendable {
    private let count = Lock(0)
    var value: Int { count.withLock { $0 } }
    func add(_ change: Int) { count.withLock { $0 += change } }
}

extension Listener {
    /// Listens as a mail server does: `serve` gets each connection, and how many there are.
    ///
    /// - Parameters:
    ///   - tls: of a listener with TLS from the first octet; nil else.
    ///   - limits: but for `connections`, `perClient` and the `refusal` that is said to more.
    static func bind(
        _ address: SocketAddress,
        loops: [EventLoop],
        tls: TLSServerContext?,
        limits: Configuration,
        connections: Int,
        perClient: Int,
        refusal: String,
        serve: @escaping @Sendable (Connection, ConnectionCount) async -> Void
    ) throws -> Listener {
        var limits = limits
        limits.maximumConnections = connections
        limits.maximumPerClient = perClient
        limits.refusal = Array("\(refusal)\r\n".utf8)
        let open = ConnectionCount()
        return try bind(address, loops: loops, tls: tls, configuration: limits) { connection in
            open.add(1)
            await serve(connection, open)
            open.add(-1)
        }
    }
}
