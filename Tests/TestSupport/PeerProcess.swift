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

    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func accepts(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
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

/// Dovecot with submission (behind which a server that takes mail stands), LMTP and POP3, if its package is installed.
///
/// Users u1…u9 with the password `pw`, on a certificate of ``TestAuthority`` for `mail.example.test`.
package struct Dovecot: Sendable {
    package static let path = "/usr/sbin/dovecot"
    /// It starts its processes under several users, so it needs root; and the parts named.
    package static var isInstalled: Bool {
        getuid() == 0 && FileManager.default.isExecutableFile(atPath: path)
            && ["pop3", "lmtp", "submission"].allSatisfy {
                FileManager.default.isExecutableFile(atPath: "/usr/lib/dovecot/\($0)")
            }
    }

    package let submission: UInt16
    /// With TLS from the start.
    package let submissions: UInt16
    package let lmtp: UInt16
    package let pop3: UInt16
    /// With TLS from the start.
    package let pop3s: UInt16
    package let folder: URL
    private let process: PeerProcess

    /// - Parameter relay: the port on 127.0.0.1 that submitted mail goes on to.
    package init(relay: UInt16) throws {
        var ports: Set<UInt16> = []
        while ports.count < 5 { ports.insert(try PeerProcess.freePort()) }
        let found = Array(ports)
        let (submission, submissions, lmtp, pop3, pop3s) = (found[0], found[1], found[2], found[3], found[4])
        let folder = try PeerProcess.makeFolder()
        let path = folder.path
        func write(_ name: String, _ octets: [UInt8]) throws {
            try Data(octets).write(to: folder.appendingPathComponent(name))
        }
        try write("cert.pem", TestAuthority.certificatePEM)
        try write("key.pem", TestAuthority.keyPEM)
        try write("users", Array((1...9).map { "u\($0):{PLAIN}pw\n" }.joined().utf8))
        try FileManager.default.createDirectory(atPath: "\(path)/mail", withIntermediateDirectories: true)
        guard chown("\(path)/mail", 5000, 5000) == 0 else { throw POSIXError(.EPERM) }
        try write(
            "dovecot.conf",
            Array(
                """
                base_dir = \(path)/state
                state_dir = \(path)/state
                log_path = \(path)/dovecot.log
                instance_name = postern-\(pop3)
                listen = 127.0.0.1
                protocols = pop3 lmtp submission
                hostname = mail.example.test
                disable_plaintext_auth = yes
                auth_mechanisms = plain login scram-sha-1 scram-sha-256
                auth_username_format = %Ln
                ssl = yes
                ssl_cert = <\(path)/cert.pem
                ssl_key = <\(path)/key.pem
                passdb {
                  driver = passwd-file
                  args = \(path)/users
                }
                userdb {
                  driver = static
                  args = uid=5000 gid=5000 home=\(path)/mail/%Ln
                }
                first_valid_uid = 5000
                mail_location = maildir:~/Maildir
                submission_relay_host = 127.0.0.1
                submission_relay_port = \(relay)
                service pop3-login {
                  inet_listener pop3 {
                    port = \(pop3)
                  }
                  inet_listener pop3s {
                    port = \(pop3s)
                    ssl = yes
                  }
                }
                service submission-login {
                  inet_listener submission {
                    port = \(submission)
                  }
                  inet_listener submissions {
                    port = \(submissions)
                    ssl = yes
                  }
                }
                service lmtp {
                  inet_listener lmtp {
                    port = \(lmtp)
                  }
                }

                """.utf8
            )
        )
        (self.submission, self.submissions, self.lmtp, self.pop3, self.pop3s) = (
            submission, submissions, lmtp, pop3, pop3s
        )
        self.folder = folder
        process = try PeerProcess(
            Self.path,
            ["-F", "-c", "\(path)/dovecot.conf"],
            folder: folder,
            waitFor: pop3
        )
    }

    package func stop() { process.stop() }

    /// Puts messages (with LF, as Maildir has them) into a user's inbox.
    package func deliver(_ texts: [String], to user: String) throws {
        let maildir = folder.appendingPathComponent("mail/\(user)/Maildir")
        for name in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(
                at: maildir.appendingPathComponent(name),
                withIntermediateDirectories: true
            )
        }
        for (index, text) in texts.enumerated() {
            try Data(text.utf8).write(to: maildir.appendingPathComponent("new/\(1_000_000 + index).test.example"))
        }
        let all = [folder.appendingPathComponent("mail/\(user)").path] + Self.everything(below: maildir.path)
        for path in all { guard chown(path, 5000, 5000) == 0 else { throw POSIXError(.EPERM) } }
    }

    private static func everything(below path: String) -> [String] {
        let found = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return [path] + found.map { "\(path)/\($0)" }
    }
}
