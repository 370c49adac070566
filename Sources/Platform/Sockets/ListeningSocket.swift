// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import Runtime
internal import Synchronization

/// A bound socket from which several loops accept.
///
/// One descriptor, watched by every loop with `EPOLLEXCLUSIVE`: an idle loop takes the next connection, nothing is handed
/// over, and a second server on the same port is an error, which `SO_REUSEPORT` would hide. When descriptors run out, the
/// loop stops accepting for a while and the kernel's queue holds the clients; if that lasts, the oldest are turned away
/// with the help of a descriptor kept in reserve, so that they do not hang.
package final class ListeningSocket: Sendable {
    package let localAddress: SocketAddress
    private let descriptor: Int32
    private let state: Lock<State>
    private let starving = Atomic<Int>(0)
    private let pauseCount = Atomic<UInt64>(0)
    private let turnedAwayCount = Atomic<UInt64>(0)

    /// What became of accepting when descriptors ran out.
    package struct Famine: Hashable, Sendable {
        /// Whether there is none for the next connection just now, as far as was tried.
        package var isPresent = false
        /// Times that accepting paused, ever.
        package var pauses: UInt64 = 0
        /// Connections closed unserved because it lasted, ever.
        package var turnedAway: UInt64 = 0

        package init() {}
    }

    package var famine: Famine {
        var famine = Famine()
        famine.isPresent = starving.load(ordering: .relaxed) > 0
        famine.pauses = pauseCount.load(ordering: .relaxed)
        famine.turnedAway = turnedAwayCount.load(ordering: .relaxed)
        return famine
    }

    private struct State {
        var acceptors: [Acceptor] = []
        var isStopping = false
        var isClosed = false
    }

    /// Binds and listens.
    ///
    /// Port 0 becomes a free one. A stale unix path is replaced, one in use is `EADDRINUSE`; its file gets mode 0600.
    package init(_ address: SocketAddress, backlog: Int32 = 1024) throws(IOError) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = try retrying { Glibc.socket(address.family, type, 0) }
        do throws(IOError) {
            localAddress = try Self.bind(descriptor, address, backlog)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        state = Lock(State())
    }

    deinit { close() }

    private static func bind(
        _ descriptor: Int32,
        _ address: SocketAddress,
        _ backlog: Int32
    ) throws(IOError) -> SocketAddress {
        if let path = address.path {
            try removeStale(path, address)
            // The mode of a unix socket is settled by `fchmod` before its file exists, so nobody can be quicker.
            try retrying { fchmod(descriptor, 0o600) }
        } else {
            var yes: Int32 = 1
            let length = socklen_t(MemoryLayout<Int32>.size)
            try retrying { setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, length) }
            // Connections inherit it: small answers go out at once.
            try retrying { setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, length) }
        }
        try retrying { address.withSystemAddress { Glibc.bind(descriptor, $0, $1) } }
        if let path = address.path { try retrying { chmod(path, 0o600) } }
        try retrying { listen(descriptor, backlog) }
        return SocketAddress.read { getsockname(descriptor, $0, $1) }.address ?? address
    }

    /// Removes a socket file that nobody listens at.
    private static func removeStale(_ path: String, _ address: SocketAddress) throws(IOError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .errno(EEXIST) }
        let probe = try retrying {
            Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        }
        defer { Glibc.close(probe) }
        guard address.withSystemAddress({ Glibc.connect(probe, $0, $1) }) != 0, errno == ECONNREFUSED else {
            throw .errno(EADDRINUSE)
        }
        unlink(path)
    }

    /// Begins to accept on each of the loops; `accept` is called on the loop that took the connection.
    package func start(on loops: [EventLoop], _ accept: @escaping @Sendable (AcceptedSocket, EventLoop) -> Void) {
        for loop in loops {
            loop.post {
                let acceptor = Acceptor(self, loop, accept)
                let isWanted = self.state.withLock { state in
                    if !state.isStopping { state.acceptors.append(acceptor) }
                    return !state.isStopping
                }
                if isWanted { acceptor.resume() }
            }
        }
    }

    /// Takes what the kernel has queued, then accepts nothing more and frees the address.
    package func stop() async {
        let acceptors = state.withLock { state in
            let acceptors = state.acceptors
            state.acceptors = []
            state.isStopping = true
            return acceptors
        }
        for acceptor in acceptors { await acceptor.loop.run { acceptor.stop() } }
        close()
    }

    private func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        Glibc.close(descriptor)
        if let path = localAddress.path { unlink(path) }
    }

    /// One loop's share of the work.
    private final class Acceptor: LoopMember, @unchecked Sendable {
        // Sound: used on its loop's thread only.
        let loop: EventLoop
        private let socket: ListeningSocket
        private let listener: Int32
        private let accept: @Sendable (AcceptedSocket, EventLoop) -> Void
        private var isRegistered = false
        private var isStopped = false
        private var reserve: Int32 = -1
        /// Pauses in a row that ended with no descriptor yet.
        private var pauses = 0

        private static let acceptsPerTurn = 64
        /// As many as a full queue may hold.
        private static let acceptsAtTheEnd = 4096
        private static let pauseMilliseconds = 50
        private static let pausesBeforeTurningAway = 20

        init(
            _ socket: ListeningSocket,
            _ loop: EventLoop,
            _ accept: @escaping @Sendable (AcceptedSocket, EventLoop) -> Void
        ) {
            self.loop = loop
            self.accept = accept
            self.socket = socket
            listener = socket.descriptor
            super.init()
            openReserve()
        }

        func resume() {
            guard !isStopped, !isRegistered else { return }
            do throws(IOError) {
                try loop.register(self, listener, events: UInt32(EPOLLIN.rawValue) | clinux_epoll_exclusive)
                isRegistered = true
            } catch {
                pause()
            }
        }

        override func ready(_ events: UInt32) { acceptSome(Self.acceptsPerTurn) }

        /// Tries at once: that no connection waits is an answer too.
        override func due() {
            guard !isStopped else { return }
            acceptSome(Self.acceptsPerTurn)
            if dueTick == TimerWheel.never { resume() }
        }

        func stop() {
            guard !isStopped else { return }
            acceptSome(Self.acceptsAtTheEnd)
            isStopped = true
            suspend()
            loop.wheel.remove(self)
            if reserve >= 0 { Glibc.close(reserve) }
        }

        private func acceptSome(_ limit: Int) {
            var taken = 0
            while taken < limit, takeOne() { taken += 1 }
        }

        /// Whether to go on.
        private func takeOne() -> Bool {
            let (descriptor, peer) = SocketAddress.read { clinux_accept(listener, $0, $1) }
            if descriptor >= 0 {
                endFamine()
                accept(AcceptedSocket(descriptor: descriptor, peer: peer ?? .unix(path: "")), loop)
                return true
            }
            switch errno {
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                runDry()
                return false
            // What Linux reports of a connection that died in the queue (accept(2)).
            case EINTR, ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
                return true
            // The kernel looks for a descriptor first: there is one, and no connection.
            case EAGAIN:
                endFamine()
                return false
            default: return false
            }
        }

        private func endFamine() {
            if pauses > 0 { socket.starving.wrappingSubtract(1, ordering: .relaxed) }
            pauses = 0
        }

        private func runDry() {
            if pauses == 0 { socket.starving.wrappingAdd(1, ordering: .relaxed) }
            socket.pauseCount.wrappingAdd(1, ordering: .relaxed)
            pauses += 1
            if pauses > Self.pausesBeforeTurningAway { turnAway() }
            if !isStopped { pause() }
        }

        private func pause() {
            suspend()
            loop.wheel.insert(self, at: loop.time(afterMilliseconds: Self.pauseMilliseconds))
        }

        private func suspend() {
            guard isRegistered else { return }
            isRegistered = false
            loop.deregister(self, listener)
        }

        /// Closes connections as long as the reserve lets us take them.
        private func turnAway() {
            for _ in 0..<Self.acceptsPerTurn where reserve >= 0 {
                Glibc.close(reserve)
                let (descriptor, _) = SocketAddress.read { clinux_accept(listener, $0, $1) }
                if descriptor >= 0 {
                    Glibc.close(descriptor)
                    socket.turnedAwayCount.wrappingAdd(1, ordering: .relaxed)
                }
                openReserve()
                if descriptor < 0 { return }
            }
            if reserve < 0 { openReserve() }
        }

        private func openReserve() { reserve = open("/dev/null", O_RDONLY | O_CLOEXEC) }
    }
}

/// A connection just accepted: to be opened on a loop or refused, once.
package struct AcceptedSocket: Sendable {
    fileprivate let descriptor: Int32
    package let peer: SocketAddress

    /// Registers it with the loop, on the loop's thread; closes it when that fails.
    package func open(on loop: EventLoop) throws(IOError) -> StreamSocket {
        try StreamSocket(descriptor: descriptor, peer: peer, loop: loop)
    }

    /// Sends the words as far as they fit the socket's buffer, and closes.
    package func refuse(_ words: [UInt8]) {
        if !words.isEmpty {
            send(descriptor, words, words.count, Int32(MSG_NOSIGNAL))
            // What the client has sent is taken from the kernel: closing with it unread would undo the words.
            shutdown(descriptor, Int32(SHUT_WR))
            var unread = [UInt8](repeating: 0, count: 4096)
            _ = recv(descriptor, &unread, unread.count, 0)
        }
        Glibc.close(descriptor)
    }
}
