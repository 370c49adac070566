// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A connected stream socket on a loop: non-blocking calls, readiness to wait for, a deadline, and one way to fail.
///
/// Registered once, edge-triggered, for everything. At most one task waits to read and one to write. Everything that ends a
/// wait early (deadline, cancellation, the server's stop) goes through ``fail(_:)``, so no waiting task is ever forgotten.
package final class StreamSocket: LoopMember, @unchecked Sendable {
    // Sound: used on its loop's thread only; others may keep it and reach it through `loop.post`.
    package let loop: EventLoop
    package let peer: SocketAddress
    /// -1 once closed.
    package private(set) var descriptor: Int32
    /// The peer will send nothing more, or the connection is broken.
    package private(set) var hasPeerClosed = false
    /// The server is stopping: end when what is under way is done.
    package private(set) var isDraining = false
    private var isWoken = false
    private var isReadReady = false
    private var isWriteReady = true
    private var failure: IOError?
    private var reader: UnsafeContinuation<Void, Never>?
    private var writer: UnsafeContinuation<Void, Never>?
    private var deadline = UInt64.max
    private var interruption: (() -> Void)?
    private var restEnd: (() -> Void)?
    /// Whatever the owner wants kept while no task serves the socket.
    package var guest: AnyObject?

    /// Takes over a connected, non-blocking descriptor; closes it when that fails.
    package init(descriptor: Int32, peer: SocketAddress, loop: EventLoop) throws(IOError) {
        self.descriptor = descriptor
        self.peer = peer
        self.loop = loop
        super.init()
        do throws(IOError) {
            try loop.register(self, descriptor, events: Self.events)
        } catch {
            Glibc.close(descriptor)
            self.descriptor = -1
            throw error
        }
    }

    private static let events =
        UInt32(EPOLLIN.rawValue) | UInt32(EPOLLOUT.rawValue) | UInt32(EPOLLRDHUP.rawValue) | clinux_epoll_edge
    private static let broken = UInt32(EPOLLHUP.rawValue) | UInt32(EPOLLERR.rawValue)
    private static let ended = UInt32(EPOLLRDHUP.rawValue) | broken

    /// Our end's address; nil when the kernel does not say.
    package var local: SocketAddress? {
        SocketAddress.read { getsockname(descriptor, $0, $1) }.address
    }

    // MARK: Called by the loop

    override func ready(_ events: UInt32) {
        if events & (UInt32(EPOLLIN.rawValue) | Self.ended) != 0 {
            isReadReady = true
            wakeReader()
        }
        if events & (UInt32(EPOLLOUT.rawValue) | Self.broken) != 0 {
            isWriteReady = true
            writer.take()?.resume()
        }
        if events & Self.ended != 0, !hasPeerClosed {
            hasPeerClosed = true
            interrupt()
        }
    }

    override func due() {
        if deadline > loop.now {
            if deadline != .max { loop.wheel.insert(self, at: deadline) }
        } else {
            deadline = .max
            fail(.timeout)
        }
    }

    // MARK: Failing

    /// Waits under way and calls to come throw `error`; the first failure stays.
    ///
    /// The descriptor remains open until `close`.
    package func fail(_ error: IOError) {
        if failure == nil { failure = error }
        wakeReader()
        writer.take()?.resume()
        interrupt()
    }

    /// Asks for an orderly end: whoever is idle in ``idle()`` is woken, others see ``isDraining``.
    package func drain() {
        isDraining = true
        wakeReader()
        interrupt()
    }

    /// Calls `handler`, on the loop, when the peer closes, the socket fails, or the server begins to stop: for handlers
    /// that wait for something other than the socket.
    ///
    /// Called at once if that has happened; nil forgets it.
    package func onInterruption(_ handler: (() -> Void)?) {
        interruption = handler
        if hasPeerClosed || isDraining || failure != nil { interrupt() }
    }

    private func interrupt() { interruption.take()?() }

    /// Has ``idle()`` return false once, now or when it is called next, where nothing has come: somebody has news for the peer.
    package func wake() {
        isWoken = true
        wakeReader()
    }

    /// Calls `handler`, on the loop, once: as soon as ``idle()`` would return or throw, which may be at once.
    ///
    /// For who wants to wait without a task, and its memory. Between this and the call nobody waits for the socket.
    package func rest(_ handler: @escaping () -> Void) {
        precondition(reader == nil, "a task reads from the socket")
        restEnd = handler
        if failure != nil || isReadReady || isDraining || isWoken { wakeReader() }
    }

    private func wakeReader() {
        reader.take()?.resume()
        if restEnd != nil { restEnd.take()?() }
    }

    /// The moment of the loop's time (``EventLoop/now``) when everything fails with `.timeout`; `.max` is never.
    ///
    /// A new deadline revives a socket whose last one passed, so that the peer can still be told.
    package func setDeadline(_ time: UInt64) {
        // A closed socket is in no wheel, which would not keep it alive.
        guard descriptor >= 0 else { return }
        deadline = time
        if failure != nil { forgetTimeout() }
        if time != .max, TimerWheel.tick(at: time) < dueTick { loop.wheel.insert(self, at: time) }
    }

    private func forgetTimeout() {
        if case .timeout = failure { failure = nil }
    }

    // MARK: Waiting

    /// Returns when something can be read, or the end of the stream.
    package func readable() async throws(IOError) {
        while true {
            if let failure { throw failure }
            if isReadReady { return }
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                precondition(reader == nil, "two tasks read from one socket")
                reader = continuation
            }
        }
    }

    /// As ``readable()``; false when nothing is there yet and the server is stopping, or somebody called ``wake()``.
    package func idle() async throws(IOError) -> Bool {
        while true {
            if let failure { throw failure }
            if isReadReady { return true }
            if isDraining { return false }
            if isWoken {
                isWoken = false
                return false
            }
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                precondition(reader == nil, "two tasks read from one socket")
                reader = continuation
            }
        }
    }

    /// Returns when something can be written.
    package func writable() async throws(IOError) {
        while true {
            if let failure { throw failure }
            if isWriteReady { return }
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                precondition(writer == nil, "two tasks write to one socket")
                writer = continuation
            }
        }
    }

    /// Whether the kernel has said that there is input, and nobody has found the end of it.
    package var hasInput: Bool { isReadReady }

    /// Somebody else read from the descriptor until it would have blocked.
    package func noteNothingToRead() { isReadReady = false }

    /// Somebody took less from the descriptor than there was room for, and so emptied it: what comes later brings an event.
    ///
    /// Behind a hang-up none would come.
    package func noteShortRead() { if !hasPeerClosed { isReadReady = false } }

    /// Somebody else wrote to the descriptor until it would have blocked.
    package func noteNoRoomToWrite() { isWriteReady = false }

    /// Throws the failure, if there is one.
    package func check() throws(IOError) {
        if let failure { throw failure }
    }

    // MARK: Calls that never block

    /// The corresponding C function is `recv`.
    ///
    /// Octets read, 0 at the end of the stream, nil when it would block. `memory` is not empty.
    package func receive(into memory: UnsafeMutableRawBufferPointer) throws(IOError) -> Int? {
        if let failure { throw failure }
        guard isReadReady else { return nil }
        while true {
            let count = recv(descriptor, memory.baseAddress, memory.count, 0)
            if count > 0 {
                if count < memory.count { noteShortRead() }
                return count
            }
            if count == 0 {
                hasPeerClosed = true
                return 0
            }
            if errno == EAGAIN {
                isReadReady = false
                return nil
            }
            if errno != EINTR { throw .last }
        }
    }

    /// The corresponding C function is `send`.
    ///
    /// Octets taken, nil when it would block.
    package func send(_ bytes: UnsafeRawBufferPointer) throws(IOError) -> Int? {
        try attempt { Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Both pieces in one call; octets taken of the two together, nil when it would block.
    package func send(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) throws(IOError) -> Int? {
        try attempt {
            clinux_send_two(descriptor, head.baseAddress, UInt(head.count), body.baseAddress, UInt(body.count))
        }
    }

    private func attempt(_ call: () -> Int) throws(IOError) -> Int? {
        if let failure { throw failure }
        guard isWriteReady else { return nil }
        while true {
            let count = call()
            if count >= 0 { return count }
            if errno == EAGAIN {
                isWriteReady = false
                return nil
            }
            if errno != EINTR { throw .last }
        }
    }

    // MARK: The end

    /// The peer reads the end of the stream; we may go on reading.
    ///
    /// The corresponding C function is `shutdown`.
    package func shutdownWrite() {
        if descriptor >= 0 { shutdown(descriptor, Int32(SHUT_WR)) }
    }

    /// Closes the descriptor; whoever waits gets `.closed`.
    ///
    /// On the loop's thread; again is nothing.
    package func close() {
        guard descriptor >= 0 else { return }
        fail(.closed)
        loop.wheel.remove(self)
        deadline = .max
        loop.deregister(self, descriptor, isClosed: true)
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Reads and forgets what still comes until the peer closes, too much came, or the deadline passed: closing with unread
    /// input sends a reset, which may overtake the last answer (RFC 9112 §9.6).
    package func discardInput(atMost limit: Int) async {
        var left = limit
        while left > 0, (try? await readable()) != nil {
            guard let count = try? loop.withScratch({ memory throws(IOError) in try receive(into: memory) }) ?? -1,
                count != 0
            else { return }
            left -= max(count, 0)
        }
    }
}

extension StreamSocket {
    /// Who is at the other end of a unix socket.
    package struct PeerCredentials: Hashable, Sendable {
        package let process: Int32
        package let user: UInt32
        package let group: UInt32
    }

    /// The corresponding socket option is `SO_PEERCRED`.
    package func peerCredentials() throws(IOError) -> PeerCredentials {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
        try retrying { clinux_peer_credentials(descriptor, &process, &user, &group) }
        return PeerCredentials(process: process, user: user, group: group)
    }

    /// Whether small writes go out at once (`TCP_NODELAY`).
    ///
    /// They do for every connection of ours outside the unix domain, where there is no such thing.
    var sendsPromptly: Bool {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &length) == 0 && value != 0
    }

    private func sendPromptly() {
        guard peer.family != AF_UNIX else { return }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connects to `address`, on the caller's loop, within `milliseconds`; `.cancelled` when the task is cancelled first.
    package static func connect(
        to address: SocketAddress,
        on loop: EventLoop,
        milliseconds: Int
    ) async throws(IOError) -> StreamSocket {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = try retrying { Glibc.socket(address.family, type, 0) }
        let status = address.withSystemAddress { Glibc.connect(descriptor, $0, $1) }
        guard status == 0 || errno == EINPROGRESS || errno == EINTR else {
            let error = IOError.last
            Glibc.close(descriptor)
            throw error
        }
        let socket = try StreamSocket(descriptor: descriptor, peer: address, loop: loop)
        do throws(IOError) {
            if status != 0 {
                try await socket.failingWhenCancelled { () throws(IOError) in
                    try await socket.finishConnecting(milliseconds)
                }
            }
        } catch {
            socket.close()
            throw error
        }
        socket.sendPromptly()
        return socket
    }

    private func finishConnecting(_ milliseconds: Int) async throws(IOError) {
        isWriteReady = false
        setDeadline(loop.time(afterMilliseconds: milliseconds))
        try await writable()
        var number: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try retrying { getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) }
        guard number == 0 else { throw .errno(number) }
        setDeadline(.max)
    }
}

extension StreamSocket {
    /// Does `body`; when the task is cancelled meanwhile, or was before, the socket fails with `.cancelled`.
    package func failingWhenCancelled<R>(_ body: () async throws(IOError) -> R) async throws(IOError) -> R {
        let result: Result<R, IOError> = await withTaskCancellationHandler {
            do throws(IOError) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        } onCancel: {
            loop.post { self.fail(.cancelled) }
        }
        return try result.get()
    }
}
