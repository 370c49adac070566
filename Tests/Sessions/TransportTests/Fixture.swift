// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import TLS
import Testing
import Wire

@testable import Transport

/// Loops, a listener, and a way to run client code on a loop.
final class Fixture: Sendable {
    let group: EventLoopGroup
    let listener: Listener

    init(
        loops: Int = 2,
        address: SocketAddress = .loopback(port: 0),
        tls: TLSServerContext? = nil,
        configuration: Listener.Configuration = .init(),
        handler: @escaping Listener.Handler
    ) throws {
        group = try EventLoopGroup(count: loops)
        listener = try Listener.bind(
            address,
            loops: group.loops,
            tls: tls,
            configuration: configuration,
            handler: handler
        )
    }

    /// Runs `body` on a loop as a client, and ends everything afterwards.
    func run<R: Sendable>(_ body: @escaping @Sendable (EventLoop, Fixture) async throws -> R) async throws -> R {
        let loop = group.next()
        let result = await Task(executorPreference: loop) { try await body(loop, self) }.result
        await listener.drain(milliseconds: 5000)
        group.stop()
        return try result.get()
    }

    func connect(_ loop: EventLoop) async throws(IOError) -> Connection {
        let connection = try await Connection.connect(to: listener.localAddress, on: loop, milliseconds: 10_000)
        connection.setDeadline(milliseconds: 30_000)
        return connection
    }
}

/// Sends back what comes until the peer ends.
@Sendable func echo(_ connection: Connection) async {
    connection.setDeadline(milliseconds: 30_000)
    while (try? await connection.idle()) == true {
        var buffer = connection.loop.takeBuffer()
        guard let count = try? await connection.read(into: &buffer), count > 0 else { return }
        guard (try? await connection.write(&buffer)) != nil else { return }
        connection.loop.giveBuffer(buffer)
    }
}

extension Connection {
    func send(_ octets: [UInt8]) async throws(IOError) {
        var buffer = ByteBuffer(octets)
        try await write(&buffer)
    }

    func send(_ text: String) async throws(IOError) { try await send(Array(text.utf8)) }

    /// Exactly so many octets; fewer only if the stream ends before.
    func receive(_ count: Int) async throws(IOError) -> [UInt8] {
        var buffer = ByteBuffer()
        while buffer.count < count, try await read(into: &buffer) > 0 {}
        return buffer.array()
    }

    /// Sends to an echo in pieces that fit the sockets' buffers, and returns what comes back.
    func exchange(_ octets: [UInt8]) async throws(IOError) -> [UInt8] {
        var received: [UInt8] = []
        var rest = octets[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(50_000))
            rest = rest.dropFirst(50_000)
            try await send(piece)
            received += try await receive(piece.count)
        }
        return received
    }

    /// Everything up to the end of the stream.
    func receiveAll() async throws(IOError) -> [UInt8] { try await receive(.max) }
}

/// A certificate for `localhost` and the client that trusts it.
struct Identity {
    let server: TLSServerContext
    let client: TLSClientContext

    init(applicationProtocols: [String] = [], offering: [String] = []) throws {
        let (certificate, key) = try TLSServerContext.makeSelfSigned()
        server = try TLSServerContext(
            certificateChainPEM: certificate,
            privateKeyPEM: key,
            applicationProtocols: applicationProtocols
        )
        client = try TLSClientContext(trustedCertificatesPEM: certificate, applicationProtocols: offering)
    }
}

/// The error that `body` throws, or nil.
func error(_ body: () async throws(IOError) -> Void) async -> IOError? {
    do throws(IOError) {
        try await body()
        return nil
    } catch {
        return error
    }
}

/// Octets that are not all alike, with a period that fits no buffer.
func pattern(_ count: Int) -> [UInt8] {
    var octets = (0..<min(count, 10_007)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    while octets.count < count { octets.append(contentsOf: octets.prefix(count - octets.count)) }
    return octets
}
