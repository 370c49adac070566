// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Sockets
package import TLS
package import Wire

/// A stream of octets to and from one peer, in the clear or under TLS.
///
/// It belongs to the one task that serves it, on its loop; at most one task reads at a time and one writes.
///
/// Whatever ends it early (the deadline, cancellation, the server's stop) makes pending and later calls throw. The owner
/// closes it: ``close()`` or ``closeLingering()``.
package final class Connection {
    package let socket: StreamSocket
    var tls: TLSSession?
    /// Who serves it after a rest; nil while it does not rest.
    var sequel: Listener.Handler?

    /// Octets that were read since others had their turn on the loop, at most ``octetsPerTurn``.
    private var octetsInTurn = 0
    private static let octetsPerTurn = 1 << 15

    package init(_ socket: StreamSocket) { self.socket = socket }

    package var loop: EventLoop { socket.loop }
    package var peer: SocketAddress { socket.peer }
    /// Our end's address; the peer's when the connection is closed.
    package var local: SocketAddress { socket.local ?? socket.peer }
    package var isTLS: Bool { tls != nil }
    /// `TLSv1.3` and so on, where TLS is used.
    package var tlsVersion: String? { tls?.version }
    /// The cipher suite in OpenSSL's words, where TLS is used.
    package var tlsCipher: String? { tls?.cipher }
    /// Of the certificate that the server showed, where we are TLS's client.
    package var peerFingerprint: CertificateFingerprint? { tls?.peerFingerprint }
    /// What ties an authentication to this TLS connection, where we are its client: the one of RFC 9266 with TLS 1.3, that of
    /// RFC 5929 §4 otherwise.
    package var channelBinding: SASLChannelBinding? {
        guard let tls else { return nil }
        if let data = tls.exporterBinding { return SASLChannelBinding(.tlsExporter, data) }
        return tls.serverEndPointBinding.map { SASLChannelBinding(.tlsServerEndPoint, $0) }
    }
    /// What ALPN agreed on.
    package var applicationProtocol: String? { tls?.applicationProtocol }
    /// The server is stopping: end when what is under way is done.
    package var isDraining: Bool { socket.isDraining }
    /// The peer will send nothing more (it closed, or at least its sending side), or the connection is broken.
    ///
    /// Known as soon as the kernel tells, without reading.
    package var hasPeerClosed: Bool { socket.hasPeerClosed }

    /// From now on so many milliseconds; then pending and later calls throw `.timeout`, up to 9 ms late, until a new
    /// deadline is set: so a peer whose time is up can still be answered.
    ///
    /// Nil: no deadline. Costs a store.
    package func setDeadline(milliseconds: Int?) {
        socket.setDeadline(milliseconds.map(loop.time(afterMilliseconds:)) ?? .max)
    }

    /// Calls `handler`, on the loop, at most once: when the peer closes, the connection fails, or the server begins to
    /// stop.
    ///
    /// For handlers that wait for something else than the connection. Nil forgets it.
    package func onInterruption(_ handler: (() -> Void)?) { socket.onInterruption(handler) }

    /// Lets the connection wait without a task: the handler that a ``Listener`` called returns at once behind this, and when
    /// ``idle()`` would return or throw, `sequel` is called in a new task.
    ///
    /// The deadline goes on. A task's memory is as much as it ever needed, five times that of the rest of a connection.
    package func rest(then sequel: @escaping Listener.Handler) { self.sequel = sequel }

    // MARK: Reading

    /// Whether something has come, on the wire, that nobody has read.
    package var hasInput: Bool { socket.hasInput }

    /// Returns when ``read(into:)`` will give octets, the end of the stream, or an error, without waiting.
    package func readable() async throws(IOError) {
        guard let tls else { return try await socket.readable() }
        try socket.check()
        while case let progress = try tls.peek(), !progress.isDone { try await wait(for: progress) }
    }

    /// As ``readable()``, but returns false when nothing has come and the server is stopping: for the time between requests.
    ///
    /// Also false, once, for a ``StreamSocket/wake()``.
    package func idle() async throws(IOError) -> Bool {
        guard let tls else { return try await socket.idle() }
        try socket.check()
        while true {
            switch try tls.peek() {
            case .octets: return true
            case .wantsRead:
                socket.noteNothingToRead()
                guard try await socket.idle() else { return false }
            case .wantsWrite: try await wait(for: .wantsWrite)
            }
        }
    }

    /// Waits until something has come, and only then takes memory: appends it to `buffer`, as much as there is room for
    /// and at least room for 4 KiB.
    ///
    /// Returns the octets read; 0 is the end of the stream. A peer that sends without end does not keep the loop from others:
    /// now and then they have their turn.
    package func read(into buffer: inout ByteBuffer) async throws(IOError) -> Int {
        while true {
            try await readable()
            if let count = try receive(into: &buffer) {
                octetsInTurn &+= count
                if octetsInTurn >= Self.octetsPerTurn {
                    octetsInTurn = 0
                    await Task.yield()
                }
                return count
            }
            // Called for nothing: no memory while we wait.
            if buffer.isEmpty { buffer.removeAll(keepingCapacity: false) }
        }
    }

    /// As ``read(into:)``, but never waits: nil where nothing has come.
    package func readNow(into buffer: inout ByteBuffer) throws(IOError) -> Int? {
        try socket.check()
        return try receive(into: &buffer)
    }

    /// What can be read without waiting; nil for nothing.
    private func receive(into buffer: inout ByteBuffer) throws(IOError) -> Int? {
        let room = buffer.capacity == 0 ? BufferPool.freshCapacity : 4096
        var isEmptyHanded = false
        let count = try buffer.fill(atLeast: room) { memory throws(IOError) in
            guard let count = try takeInput(into: memory) else {
                isEmptyHanded = true
                return 0
            }
            return count
        }
        return isEmptyHanded ? nil : count
    }

    private func takeInput(into memory: UnsafeMutableRawBufferPointer) throws(IOError) -> Int? {
        guard let tls else { return try socket.receive(into: memory) }
        guard case .octets(let count) = try tls.read(into: memory) else { return nil }
        return count
    }

    /// Waits for what TLS needs next.
    private func wait(for progress: TLSSession.Progress) async throws(IOError) {
        switch progress {
        case .octets: return
        case .wantsRead:
            socket.noteNothingToRead()
            try await socket.readable()
        case .wantsWrite:
            socket.noteNoRoomToWrite()
            try await socket.writable()
        }
    }

    // MARK: Writing

    /// Sends all of `buffer`, waiting for the peer where it must, and leaves it empty.
    package func write(_ buffer: inout ByteBuffer) async throws(IOError) {
        if let tls { return try await write(&buffer, through: tls) }
        while !buffer.isEmpty {
            let count = try buffer.withUnsafeBytes { bytes throws(IOError) in try socket.send(bytes) }
            if let count {
                buffer.consume(count)
            } else {
                try await socket.writable()
            }
        }
    }

    /// Sends of `buffer` what can be sent without waiting; false where something is left of it.
    package func writeNow(_ buffer: inout ByteBuffer) throws(IOError) -> Bool {
        let count = try buffer.withUnsafeBytes { bytes throws(IOError) -> Int in
            guard let tls else { return try socket.send(bytes) ?? 0 }
            try socket.check()
            return if case .octets(let count) = try tls.write(bytes) { count } else { 0 }
        }
        buffer.consume(count)
        return buffer.isEmpty
    }

    /// Sends both, one behind the other, in one system call where the kernel takes them so, and leaves them empty.
    package func write(_ head: inout ByteBuffer, _ body: inout ByteBuffer) async throws(IOError) {
        if tls == nil {
            try await writeTogether(&head, &body)
        } else if !body.isEmpty {
            Self.topUp(&head, from: &body)
        }
        try await write(&head)
        try await write(&body)
    }

    private func writeTogether(_ head: inout ByteBuffer, _ body: inout ByteBuffer) async throws(IOError) {
        while !head.isEmpty, !body.isEmpty {
            let count = try head.withUnsafeBytes { head throws(IOError) in
                try body.withUnsafeBytes { body throws(IOError) in try socket.send(head, body) }
            }
            guard let count else {
                try await socket.writable()
                continue
            }
            let ofHead = min(count, head.count)
            head.consume(ofHead)
            body.consume(count - ofHead)
        }
    }

    /// Sends `octets` if that can be done at once, for a last word that nobody waits for.
    package func writeNow(_ octets: [UInt8]) {
        guard (try? socket.check()) != nil, !octets.isEmpty else { return }
        let tls = tls
        octets.withUnsafeBytes { bytes in
            if let tls { _ = try? tls.write(bytes) } else { _ = try? socket.send(bytes) }
        }
    }

    private func write(_ buffer: inout ByteBuffer, through tls: TLSSession) async throws(IOError) {
        try socket.check()
        while !buffer.isEmpty {
            let progress = try buffer.withUnsafeBytes { bytes throws(IOError) in try tls.write(bytes) }
            if case .octets(let count) = progress {
                buffer.consume(count)
            } else {
                try await wait(for: progress)
            }
        }
    }

    /// A TLS record holds up to 16 KiB: what fits behind the head goes with it.
    private static func topUp(_ head: inout ByteBuffer, from body: inout ByteBuffer) {
        let count = min(body.count, max(0, 16_384 - head.count))
        head.append(body.bytes.extracting(0..<count))
        body.consume(count)
    }

    // MARK: TLS

    /// The server's half of STARTTLS, or of TLS from the start.
    ///
    /// `unread` is what was read and not yet looked at: it must be empty, because somebody else may have put it there
    /// (RFC 3207 §6), or the call throws `.plaintextBeforeTLS`.
    package func startTLS(_ context: TLSServerContext, unread: borrowing ByteBuffer) async throws(IOError) {
        guard unread.isEmpty else { throw .plaintextBeforeTLS }
        precondition(tls == nil, "TLS is in use already")
        try await shakeHands(TLSSession(context, descriptor: socket.descriptor))
    }

    /// The client's half, to a server that must prove to be `serverName`, or to have the pinned certificate; `unread` as for
    /// a server.
    package func startTLS(
        _ context: TLSClientContext,
        serverName: String,
        pin: CertificateFingerprint? = nil,
        unread: borrowing ByteBuffer
    ) async throws(IOError) {
        guard unread.isEmpty else { throw .plaintextBeforeTLS }
        precondition(tls == nil, "TLS is in use already")
        try await shakeHands(TLSSession(context, serverName: serverName, pin: pin, descriptor: socket.descriptor))
    }

    private func shakeHands(_ session: TLSSession) async throws(IOError) {
        try socket.check()
        while case let progress = try session.handshake(), !progress.isDone { try await wait(for: progress) }
        tls = session
    }

    // MARK: The end

    /// The peer reads the end of the stream; reading goes on.
    package func shutdownWrite() {
        tls?.sayGoodbye()
        socket.shutdownWrite()
    }

    /// Closes at once.
    ///
    /// What was written and not yet sent, the kernel goes on sending, unless input lies unread: then the peer gets a
    /// reset and may lose it (see ``closeLingering()``). Again is nothing.
    package func close() {
        guard socket.descriptor >= 0 else { return }
        tls?.sayGoodbye()
        socket.close()
    }

    /// Closes so that the last answer arrives even where the peer was still sending: ends our side, then reads and
    /// forgets for `milliseconds`, or `octets`, or until the peer closes.
    package func closeLingering(milliseconds: Int = 1000, octets: Int = 1 << 20) async {
        guard socket.descriptor >= 0 else { return }
        shutdownWrite()
        setDeadline(milliseconds: milliseconds)
        await socket.discardInput(atMost: octets)
        socket.close()
    }
}

extension Connection {
    /// A connection in the clear to `address`, on the caller's loop; `.timeout` after so many milliseconds.
    package static func connect(
        to address: SocketAddress,
        on loop: EventLoop,
        milliseconds: Int
    ) async throws(IOError) -> Connection {
        Connection(try await StreamSocket.connect(to: address, on: loop, milliseconds: milliseconds))
    }
}

extension TLSSession.Progress {
    fileprivate var isDone: Bool {
        if case .octets = self { true } else { false }
    }
}
