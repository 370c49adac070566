// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Somebody else's server, started for a test on loopback, with a folder of its own; ended and removed with it.
package final class PeerProcess: Sendable {
    package let folder: URL
    private let process: pid_t

    package struct NotUp: Error {}

    /// Runs the command, and waits until something accepts at `port`.
    package init(_ command: String, _ arguments: [String], folder: URL, waitFor port: UInt16) throws {
        self.folder = folder
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let output = folder.appendingPathComponent("output").path
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // What the threads of the test ignore or block, it must not.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // A group of its own: Cyrus's master ends its whole group when it is ended.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        let words = ([command] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        guard posix_spawn(&process, command, &actions, &attributes, words + [nil], environ) == 0 else { throw NotUp() }
        self.process = process
        for _ in 0..<1500 {
            if Self.accepts(port) { return }
            guard waitpid(process, nil, WNOHANG) == 0 else { throw NotUp() }
            usleep(20_000)
        }
        stop()
        throw NotUp()
    }

    /// Ends it, and waits for that; the folder goes too.
    package func stop() {
        kill(process, SIGTERM)
        var turns = 0
        while waitpid(process, nil, WNOHANG) == 0 {
            usleep(10_000)
            turns += 1
            if turns == 1000 { kill(process, SIGKILL) }
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// An empty folder that others may enter.
    package static func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-peer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755]
        )
        return folder
    }

    /// A port of 127.0.0.1 that nobody uses at the moment, and that the kernel gives nobody who does not ask for it by number.
    package static func freePort() throws -> UInt16 {
        for _ in 0..<100 {
            let port = UInt16.random(in: 10_000...32_767)
            if isFree(port) { return port }
        }
        throw POSIXError(.EADDRNOTAVAIL)
    }

    /// Several such ports.
    package static func freePorts(_ count: Int) throws -> [UInt16] {
        var ports: Set<UInt16> = []
        while ports.count < count { ports.insert(try freePort()) }
        return Array(ports)
    }

    private static func isFree(_ port: UInt16) -> Bool { withSocket(at: port) { bind($0, $1, $2) == 0 } }

    private static func accepts(_ port: UInt16) -> Bool { withSocket(at: port) { connect($0, $1, $2) == 0 } }

    /// What `body` says of a socket and a port of 127.0.0.1; false where there is no socket.
    private static func withSocket(
        at port: UInt16,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Postfix's server that takes all mail and keeps none (`smtp-sink`, Debian's package `postfix`).
package struct SMTPSink: Sendable {
    package static let path = "/usr/sbin/smtp-sink"
    package static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

    package let port: UInt16
    private let process: PeerProcess

    package init(options: [String] = []) throws {
        port = try PeerProcess.freePort()
        let user = getuid() == 0 ? ["-u", "nobody"] : []
        process = try PeerProcess(
            Self.path,
            user + options + ["127.0.0.1:\(port)", "256"],
            folder: try PeerProcess.makeFolder(),
            waitFor: port
        )
    }

    package func stop() { process.stop() }
}
