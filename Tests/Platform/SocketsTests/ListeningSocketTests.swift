// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Runtime
import Testing

@testable import Sockets

@Suite struct ListeningSocketTests {
    private static func temporaryPath() -> String {
        "/tmp/postern-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    }

    @Test func anAddressInUseIsRefused() throws {
        let first = try ListeningSocket(.loopback(port: 0))
        #expect(first.localAddress.port != 0)
        #expect(throws: IOError.errno(EADDRINUSE)) { try ListeningSocket(first.localAddress) }
    }

    @Test func aUnixSocketIsForItsOwnerOnlyAndLeavesNoFile() async throws {
        let path = Self.temporaryPath()
        let socket = try ListeningSocket(.unix(path: path))
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(throws: IOError.errno(EADDRINUSE)) { try ListeningSocket(.unix(path: path)) }
        await socket.stop()
        #expect(lstat(path, &status) != 0)
    }

    @Test func aStaleUnixSocketIsReplacedAndAFileIsNot() throws {
        let path = Self.temporaryPath()
        defer { unlink(path) }
        let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(SocketAddress.unix(path: path).withSystemAddress { bind(stale, $0, $1) } == 0)
        close(stale)
        let replaced = try ListeningSocket(.unix(path: path))
        #expect(replaced.localAddress.path == path)
        let file = Self.temporaryPath()
        defer { unlink(file) }
        try Data("precious".utf8).write(to: URL(fileURLWithPath: file))
        #expect(throws: IOError.errno(EEXIST)) { try ListeningSocket(.unix(path: file)) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data("precious".utf8))
    }

    @Test func thePeerOfAUnixSocketIsKnown() async throws {
        let path = Self.temporaryPath()
        let listener = try ListeningSocket(.unix(path: path))
        let found = try await withLoop { loop in
            let found = Lock<StreamSocket.PeerCredentials?>(nil)
            listener.start(on: [loop]) { accepted, loop in
                guard let socket = try? accepted.open(on: loop) else { return }
                let credentials = try? socket.peerCredentials()
                found.withLock { $0 = credentials }
                socket.close()
            }
            let client = try await StreamSocket.connect(to: .unix(path: path), on: loop, milliseconds: 5000)
            try await client.readable()
            client.close()
            await listener.stop()
            return found.withLock { $0 }
        }
        #expect(found == .init(process: getpid(), user: getuid(), group: getgid()))
    }

    @Test func smallWritesGoOutAtOnceOnBothSides() async throws {
        let seen = try await withLoop { loop in
            let listener = try ListeningSocket(.loopback(port: 0))
            let seen = Lock<[Bool]>([])
            listener.start(on: [loop]) { accepted, loop in
                guard let socket = try? accepted.open(on: loop) else { return }
                let isPrompt = socket.sendsPromptly
                seen.withLock { $0.append(isPrompt) }
                socket.close()
            }
            let client = try await StreamSocket.connect(to: listener.localAddress, on: loop, milliseconds: 5000)
            try await client.readable()
            let isPrompt = client.sendsPromptly
            seen.withLock { $0.append(isPrompt) }
            client.close()
            await listener.stop()
            return seen.withLock { $0 }
        }
        #expect(seen == [true, true])
    }

    /// In a process of its own, because the limit is the whole process's.
    @Test func acceptingRecoversWhenDescriptorsRanOut() async {
        await #expect(processExitsWith: .success) {
            let outcome = try await descriptorFamine()
            exit(outcome ? EXIT_SUCCESS : EXIT_FAILURE)
        }
    }
}

/// Fills the process's descriptors so that the next connection cannot be accepted, frees them, and says whether that
/// connection is then served.
private func descriptorFamine() async throws -> Bool {
    let group = try EventLoopGroup(count: 1)
    let loop = group.loops[0]
    let listener = try ListeningSocket(.loopback(port: 0))
    let accepted = Lock(0)
    listener.start(on: [loop]) { socket, loop in
        accepted.withLock { $0 += 1 }
        socket.refuse(Array("served".utf8))
    }
    await loop.run {}
    // The client's descriptor exists before the famine; connecting needs no other.
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = 64
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var hoarded: [Int32] = []
    while case let descriptor = dup(0), descriptor >= 0 { hoarded.append(descriptor) }
    guard listener.localAddress.withSystemAddress({ connect(client, $0, $1) }) == 0 else { return false }
    usleep(200_000)
    guard accepted.withLock({ $0 }) == 0, listener.famine.isPresent, listener.famine.pauses > 0 else { return false }
    for descriptor in hoarded { close(descriptor) }
    var octets = [UInt8](repeating: 0, count: 16)
    let count = read(client, &octets, octets.count)
    guard !listener.famine.isPresent else { return false }
    return count == 6 && octets.prefix(6).elementsEqual("served".utf8) && accepted.withLock { $0 } == 1
}
