// SPDX-License-Identifier: Apache-2.0

package import Egress
package import Resolver
import Runtime
import Sockets
package import TLS
package import Wire

/// Connects to other people's servers, as the egress policy allows.
///
/// The name is looked up, each of its addresses is judged, and those allowed are tried one after another, each next one as
/// soon as the last has failed or kept us waiting, IPv6 and IPv4 in turn (RFC 8305). The first connection wins.
package final class Dialer: Sendable {
    package struct Limits: Sendable {
        /// For a single address.
        package var addressMilliseconds = 10_000
        /// The next address is tried when one has not answered for so long.
        package var staggerMilliseconds = 250
        /// Addresses tried at most.
        package var addresses = 8

        package init() {}
    }

    private let policy: EgressPolicy
    private let resolver: NameResolver
    private let tls: TLSClientContext
    private let limits: Limits
    private let refusals = Lock<[EgressRefusal: UInt64]>([:])

    package init(policy: EgressPolicy, resolver: NameResolver, tls: TLSClientContext, limits: Limits = Limits()) {
        self.policy = policy
        self.resolver = resolver
        self.tls = tls
        self.limits = limits
    }

    /// How often an address was not connected to, by reason.
    package var egressRefusals: [EgressRefusal: UInt64] { refusals.withLock { $0 } }

    /// A connection to the server, with TLS done where it is implicit, all within so many milliseconds.
    ///
    /// For a task of one of the resolver's loops, which will own the connection. No deadline is left on it.
    package func connect(
        to server: ServerEndpoint,
        for purpose: EgressPolicy.Purpose = .mail,
        milliseconds: Int
    ) async throws(DialError) -> Connection {
        guard let loop = EventLoop.current else { preconditionFailure("connections are made on a loop") }
        let deadline = loop.time(afterMilliseconds: milliseconds)
        let addresses = try allowed(
            await addresses(of: server.host, milliseconds: milliseconds),
            port: server.port,
            for: purpose
        )
        let socket = try await race(addresses, on: loop, until: deadline)
        let connection = Connection(socket)
        guard server.security == .implicit else { return connection }
        do throws(DialError) {
            try await secure(
                connection,
                to: server,
                unread: ByteBuffer(),
                milliseconds: loop.milliseconds(until: deadline)
            )
        } catch {
            connection.close()
            throw error
        }
        return connection
    }

    /// TLS on a connection to this server, verified; `unread` is what was read of it and not looked at, which must be empty.
    ///
    /// No deadline is left on the connection. After an error it is of no use.
    package func secure(
        _ connection: Connection,
        to server: ServerEndpoint,
        unread: borrowing ByteBuffer,
        milliseconds: Int
    ) async throws(DialError) {
        guard unread.isEmpty else { throw .injectedBeforeTLS }
        do throws(IOError) {
            connection.setDeadline(milliseconds: milliseconds)
            try await connection.socket.failingWhenCancelled { [tls] () throws(IOError) in
                try await connection.startTLS(tls, serverName: server.host, pin: server.pin, unread: ByteBuffer())
            }
            connection.setDeadline(milliseconds: nil)
        } catch {
            throw DialError(handshake: error)
        }
    }

    // MARK: Addresses

    private func addresses(of host: String, milliseconds: Int) async throws(DialError) -> [IPAddress] {
        if let literal = IPAddress(host.utf8) { return [literal] }
        guard NameResolver.isName(host) else { throw .resolve(.malformedName) }
        do throws(ResolverError) {
            return try await resolver.addresses(of: host, milliseconds: milliseconds)
        } catch {
            throw DialError(lookup: error)
        }
    }

    /// Those that may be connected to, families in turn, beginning with the first one's.
    private func allowed(
        _ addresses: [IPAddress],
        port: UInt16,
        for purpose: EgressPolicy.Purpose
    ) throws(DialError) -> [SocketAddress] {
        var first: EgressRefusal?
        var permitted: [IPAddress] = []
        for address in addresses {
            if let refusal = policy.refusal(to: address, port: port, for: purpose) {
                refusals.withLock { $0[refusal, default: 0] &+= 1 }
                first = first ?? refusal
            } else {
                permitted.append(address)
            }
        }
        let sockets = Self.interleaved(permitted).prefix(limits.addresses).compactMap {
            SocketAddress(address: $0.description, port: port)
        }
        guard sockets.isEmpty else { return sockets }
        throw first.map { .denied($0) } ?? .resolve(.noAddress)
    }

    private static func interleaved(_ addresses: [IPAddress]) -> [IPAddress] {
        guard let width = addresses.first?.width else { return [] }
        let leading = addresses.filter { $0.width == width }
        let others = addresses.filter { $0.width != width }
        return (0..<max(leading.count, others.count)).flatMap { index in
            [leading, others].compactMap { index < $0.count ? $0[index] : nil }
        }
    }

    // MARK: The race

    private enum Lap: Sendable {
        case connected(StreamSocket)
        case failed(IOError)
        /// It is time for the next address.
        case stagger
    }

    private func race(
        _ addresses: [SocketAddress],
        on loop: EventLoop,
        until deadline: UInt64
    ) async throws(DialError) -> StreamSocket {
        let limits = limits
        let outcome: Result<StreamSocket, IOError> = await withTaskGroup(of: Lap.self) { group in
            var waiting = addresses[...]
            var running = 0
            var winner: StreamSocket?
            var failure = IOError.timeout
            func start() {
                guard winner == nil, let address = waiting.popFirst() else { return }
                running += 1
                let limit = min(limits.addressMilliseconds, loop.milliseconds(until: deadline))
                group.addTask { await Self.attempt(address, on: loop, milliseconds: limit) }
                guard !waiting.isEmpty else { return }
                group.addTask {
                    do throws(IOError) {
                        try await loop.sleep(milliseconds: limits.staggerMilliseconds)
                    } catch {
                        // Cancelled: nobody starts any more.
                    }
                    return .stagger
                }
            }
            start()
            while let lap = await group.next() {
                switch lap {
                case .connected(let socket):
                    if winner == nil { winner = socket } else { socket.close() }
                    group.cancelAll()
                case .failed(let error):
                    running -= 1
                    if winner == nil { failure = error }
                    if !Task.isCancelled { start() }
                    if running == 0 { group.cancelAll() }
                case .stagger:
                    if !Task.isCancelled { start() }
                }
            }
            return winner.map { .success($0) } ?? .failure(Task.isCancelled ? .cancelled : failure)
        }
        switch outcome {
        case .success(let socket): return socket
        case .failure(let error): throw DialError(connecting: error)
        }
    }

    private static func attempt(_ address: SocketAddress, on loop: EventLoop, milliseconds: Int) async -> Lap {
        do throws(IOError) {
            return .connected(try await StreamSocket.connect(to: address, on: loop, milliseconds: milliseconds))
        } catch {
            return .failed(error)
        }
    }
}

extension EventLoop {
    /// What is left until a moment of the loop's time; 0 where it has passed.
    package func milliseconds(until deadline: UInt64) -> Int {
        deadline > now ? Int(clamping: (deadline - now) / 1_000_000) : 0
    }
}
