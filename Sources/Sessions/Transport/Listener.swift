// SPDX-License-Identifier: Apache-2.0

import Runtime
package import Sockets
package import TLS
import Wire

/// Accepts connections on an address and serves each with a task of its own on one of the loops.
package final class Listener: Sendable {
    package struct Configuration: Sendable {
        /// Connections at a time; more are refused.
        package var maximumConnections: Int
        /// Connections at a time from one IPv4 address or IPv6 /64; more are refused.
        package var maximumPerClient: Int
        /// Whom ``maximumPerClient`` does not bind: by default the machine itself.
        package var isExempt: @Sendable (SocketAddress) -> Bool
        /// Shared with other listeners; nil bounds nothing.
        package var budget: ConnectionBudget?
        /// What a refused client is told, where the connection begins in the clear.
        package var refusal: [UInt8]
        /// Told of each refused client, on the loop that had accepted it.
        package var onRefusal: @Sendable (Refusal, SocketAddress) -> Void
        /// How long the TLS handshake may take.
        package var handshakeMilliseconds: Int

        package init(
            maximumConnections: Int = 16_384,
            maximumPerClient: Int = 1000,
            isExempt: @escaping @Sendable (SocketAddress) -> Bool = { $0.isLoopback },
            budget: ConnectionBudget? = nil,
            refusal: [UInt8] = [],
            onRefusal: @escaping @Sendable (Refusal, SocketAddress) -> Void = { _, _ in },
            handshakeMilliseconds: Int = 10_000
        ) {
            self.maximumConnections = maximumConnections
            self.maximumPerClient = maximumPerClient
            self.isExempt = isExempt
            self.budget = budget
            self.refusal = refusal
            self.onRefusal = onRefusal
            self.handshakeMilliseconds = handshakeMilliseconds
        }
    }

    /// Which limit a client met.
    package enum Refusal: String, CaseIterable, Sendable {
        case listenerFull = "listener_full"
        case clientFull = "client_full"
        case serverFull = "server_full"
    }

    package struct Counts: Equatable, Sendable {
        /// Connections being served now.
        package var open = 0
        /// Connections served, ever.
        package var accepted: UInt64 = 0
        /// Connections refused for a limit, ever.
        package var refused: UInt64 = 0
        /// TLS handshakes that failed, ever.
        package var failedHandshakes: UInt64 = 0
        /// What became of accepting when descriptors ran out.
        package var famine = ListeningSocket.Famine()
    }

    /// Serves one connection.
    ///
    /// It is closed when the handler returns, if it is not yet, unless it is to rest (``Connection/rest(then:)``).
    package typealias Handler = @Sendable (Connection) async -> Void

    private struct Served {
        let socket: StreamSocket
        var task: Task<Void, Never>?
    }

    /// Somebody who waits for all connections to end, and the timer that ends the wait.
    private struct Waiting {
        let continuation: UnsafeContinuation<Bool, Never>
        var timer: LoopTimer?
    }

    private struct State {
        var counts = Counts()
        var nextNumber: UInt64 = 0
        var served: [UInt64: Served] = [:]
        var perClient: [SocketAddress: Int] = [:]
        var perLoop: [Int]
        var maximumConnections: Int
        var maximumPerClient: Int
        var isDraining = false
        var isCancelling = false
        var waiting: [UInt64: Waiting] = [:]
    }

    /// A loop that has so many connections more than another passes new ones on.
    private static let toleratedImbalance = 8

    private let socket: ListeningSocket
    private let loops: [EventLoop]
    private let tls: TLSServerContext?
    private let configuration: Configuration
    private let handler: Handler
    private let state: Lock<State>

    private init(
        _ socket: ListeningSocket,
        _ loops: [EventLoop],
        _ tls: TLSServerContext?,
        _ configuration: Configuration,
        _ handler: @escaping Handler
    ) {
        self.socket = socket
        self.loops = loops
        self.tls = tls
        self.configuration = configuration
        self.handler = handler
        state = Lock(
            State(
                perLoop: [Int](repeating: 0, count: loops.count),
                maximumConnections: configuration.maximumConnections,
                maximumPerClient: configuration.maximumPerClient
            )
        )
    }

    /// Listens at `address` (port 0: any free one) and accepts at once.
    ///
    /// With `tls` the handler gets connections whose handshake is done.
    package static func bind(
        _ address: SocketAddress,
        loops: [EventLoop],
        tls: TLSServerContext? = nil,
        configuration: Configuration = Configuration(),
        handler: @escaping Handler
    ) throws(IOError) -> Listener {
        let socket = try ListeningSocket(address)
        let listener = Listener(socket, loops, tls, configuration, handler)
        socket.start(on: loops) { accepted, loop in listener.admit(accepted, from: loop) }
        return listener
    }

    /// Where it listens, with the real port.
    package var localAddress: SocketAddress { socket.localAddress }

    package var counts: Counts {
        state.withLock { state in
            var counts = state.counts
            counts.open = state.perLoop.reduce(0, +)
            counts.famine = socket.famine
            return counts
        }
    }

    /// New limits, for connections to come.
    package func setLimits(maximumConnections: Int, maximumPerClient: Int) {
        state.withLock { state in
            state.maximumConnections = maximumConnections
            state.maximumPerClient = maximumPerClient
        }
    }

    // MARK: Admitting

    private func admit(_ accepted: AcceptedSocket, from loop: EventLoop) {
        let client = accepted.peer.client
        let isBound = !configuration.isExempt(accepted.peer)
        let target: Int
        switch state.withLock({ place(client, isBound, loop, in: &$0) }) {
        case .at(let place): target = place
        case .refused(let reason):
            configuration.onRefusal(reason, accepted.peer)
            return accepted.refuse(tls == nil ? configuration.refusal : [])
        }
        let chosen = loops[target]
        let work: EventLoop.Work = { self.open(accepted, client, on: target) }
        if chosen === loop { work() } else { chosen.post(work) }
    }

    private enum Placement {
        /// The place in `loops` of the one to serve it, counted there.
        case at(Int)
        case refused(Refusal)
    }

    private func place(
        _ client: SocketAddress,
        _ isBound: Bool,
        _ loop: EventLoop,
        in state: inout State
    ) -> Placement {
        if let refusal = refusal(client, isBound, state) {
            state.counts.refused += 1
            return .refused(refusal)
        }
        var target = loops.firstIndex { $0 === loop } ?? 0
        for index in loops.indices where state.perLoop[index] + Self.toleratedImbalance < state.perLoop[target] {
            target = index
        }
        state.perLoop[target] += 1
        state.perClient[client, default: 0] += 1
        state.counts.accepted += 1
        return .at(target)
    }

    /// The limit that the client meets; nil where it has a place, which is then taken from the budget.
    private func refusal(_ client: SocketAddress, _ isBound: Bool, _ state: State) -> Refusal? {
        if isBound, state.perClient[client, default: 0] >= state.maximumPerClient { return .clientFull }
        if state.perLoop.reduce(0, +) >= state.maximumConnections { return .listenerFull }
        if let budget = configuration.budget, !budget.take() { return .serverFull }
        return nil
    }

    private func open(_ accepted: AcceptedSocket, _ client: SocketAddress, on target: Int) {
        let loop = loops[target]
        let opened: StreamSocket
        do throws(IOError) {
            opened = try accepted.open(on: loop)
        } catch {
            return leave(client, target)
        }
        let number = enter(opened)
        let task = Task.immediate(executorPreference: loop) { await self.attend(opened, number, target) }
        keep(task, number)
    }

    /// Serves what has rested, in a new task.
    private func resume(_ socket: StreamSocket, _ number: UInt64, on target: Int) {
        let task = Task(executorPreference: socket.loop) { await self.attend(socket, number, target) }
        keep(task, number)
    }

    private func keep(_ task: Task<Void, Never>, _ number: UInt64) {
        let isTooLate = state.withLock { state in
            state.served[number]?.task = task
            return state.isCancelling
        }
        if isTooLate { task.cancel() }
    }

    /// One task's whole work: serves the connection until it ends or rests.
    private func attend(_ socket: StreamSocket, _ number: UInt64, _ target: Int) async {
        await withTaskCancellationHandler {
            await self.serve(socket)
        } onCancel: {
            socket.loop.post { socket.fail(.cancelled) }
        }
        guard socket.guest == nil else {
            state.withLock { $0.served[number]?.task = nil }
            return socket.rest { self.resume(socket, number, on: target) }
        }
        state.withLock { $0.served[number] = nil }
        leave(socket.peer.client, target)
    }

    private func serve(_ socket: StreamSocket) async {
        let connection: Connection
        if let rested = socket.guest as? Connection, let sequel = rested.sequel {
            socket.guest = nil
            rested.sequel = nil
            connection = rested
            await sequel(connection)
        } else {
            connection = Connection(socket)
            if await secure(connection) { await handler(connection) }
        }
        if connection.sequel == nil { connection.close() } else { socket.guest = connection }
    }

    /// Shakes hands where the listener is for TLS; false where that failed.
    private func secure(_ connection: Connection) async -> Bool {
        guard let tls else { return true }
        do throws(IOError) {
            connection.setDeadline(milliseconds: configuration.handshakeMilliseconds)
            try await connection.startTLS(tls, unread: ByteBuffer())
            connection.setDeadline(milliseconds: nil)
            return true
        } catch {
            state.withLock { $0.counts.failedHandshakes += 1 }
            return false
        }
    }

    private func enter(_ socket: StreamSocket) -> UInt64 {
        let (number, isDraining) = state.withLock { state in
            state.nextNumber += 1
            state.served[state.nextNumber] = Served(socket: socket)
            return (state.nextNumber, state.isDraining)
        }
        if isDraining { socket.drain() }
        return number
    }

    private func leave(_ client: SocketAddress, _ target: Int) {
        configuration.budget?.giveBack()
        let waiting = state.withLock { state -> [Waiting] in
            state.perLoop[target] -= 1
            let left = state.perClient[client, default: 1] - 1
            state.perClient[client] = left == 0 ? nil : left
            guard state.perLoop.allSatisfy({ $0 == 0 }) else { return [] }
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for each in waiting {
            if let timer = each.timer { loops[0].post { timer.cancel() } }
            each.continuation.resume(returning: true)
        }
    }

    // MARK: Stopping

    /// Accepts nothing more and frees the address; connections go on.
    package func stopAccepting() async { await socket.stop() }

    /// Accepts nothing more, tells every connection (``Connection/isDraining``), waits for them up to so long, then
    /// cancels the tasks of those that remain.
    ///
    /// Whether all ended by themselves.
    @discardableResult
    package func drain(milliseconds: Int) async -> Bool {
        await stopAccepting()
        let sockets = state.withLock { state in
            state.isDraining = true
            return state.served.values.map(\.socket)
        }
        for socket in sockets { socket.loop.post { socket.drain() } }
        if await allEnd(within: milliseconds) { return true }
        let tasks = state.withLock { state in
            state.isCancelling = true
            return state.served.values.compactMap(\.task)
        }
        for task in tasks { task.cancel() }
        _ = await allEnd(within: Self.cancellationMilliseconds)
        return false
    }

    /// How long a cancelled handler is waited for.
    private static let cancellationMilliseconds = 5000

    private func allEnd(within milliseconds: Int) async -> Bool {
        let loop = loops[0]
        return await withUnsafeContinuation { continuation in
            let number = state.withLock { state -> UInt64? in
                guard !state.perLoop.allSatisfy({ $0 == 0 }) else { return nil }
                state.nextNumber += 1
                state.waiting[state.nextNumber] = Waiting(continuation: continuation)
                return state.nextNumber
            }
            guard let number else { return continuation.resume(returning: true) }
            loop.post { self.limit(number, to: milliseconds, on: loop) }
        }
    }

    private func limit(_ number: UInt64, to milliseconds: Int, on loop: EventLoop) {
        let timer = loop.schedule(afterMilliseconds: milliseconds) { self.giveUp(number) }
        let isWanted = state.withLock { state in
            state.waiting[number]?.timer = timer
            return state.waiting[number] != nil
        }
        // A timer left behind would hold the listener until it is due.
        if !isWanted { timer.cancel() }
    }

    private func giveUp(_ number: UInt64) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?.continuation.resume(returning: false)
    }
}
