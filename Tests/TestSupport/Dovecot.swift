// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Dovecot with submission (behind which a server that takes mail stands), LMTP and POP3, if its package is installed.
///
/// Users u1…u9 with the password `pw`, on a certificate of ``TestAuthority`` for `mail.example.test`.
package struct Dovecot: Sendable {
    package static var isInstalled: Bool { PeerProcess.hasDovecot(["pop3", "lmtp", "submission"]) }

    package let submission: UInt16
    /// With TLS from the start.
    package let submissions: UInt16
    package let lmtp: UInt16
    package let pop3: UInt16
    /// With TLS from the start.
    package let pop3s: UInt16
    package var folder: URL { process.folder }
    private let process: PeerProcess

    /// - Parameter relay: the port on 127.0.0.1 that submitted mail goes on to.
    package init(relay: UInt16) throws {
        let ports = try PeerProcess.freePorts(5)
        (submission, submissions, lmtp, pop3, pop3s) = (ports[0], ports[1], ports[2], ports[3], ports[4])
        process = try PeerProcess.dovecot(
            "pop3 submission",
            lmtp: lmtp,
            waitFor: pop3,
            """
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
            """
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

/// Dovecot with IMAP and LMTP, if its packages are installed.
///
/// Users u1…u9 with the password `pw`, on a certificate of ``TestAuthority`` for `mail.example.test`; folders for the special
/// uses are there, the separator is `.`, connections may be compressed.
package struct DovecotIMAP: Sendable {
    package static var isInstalled: Bool { PeerProcess.hasDovecot(["imap", "lmtp"]) }

    package let imap: UInt16
    /// With TLS from the start.
    package let imaps: UInt16
    package let lmtp: UInt16
    package var folder: URL { process.folder }
    private let process: PeerProcess

    /// - Parameters:
    ///   - introspection: the port on 127.0.0.1 of an OAuth 2.0 provider that says at `/introspect` whose a token is (RFC 7662):
    ///     then users log in with tokens alone.
    ///   - hasListIndex: without it there is no NOTIFY; 2.3.19 breaks it when several sessions change folders at once, and lists
    ///     folders then that are gone (`duplicate transaction log sequence`).
    package init(introspection: UInt16? = nil, hasListIndex: Bool = true) throws {
        let ports = try PeerProcess.freePorts(3)
        (imap, imaps, lmtp) = (ports[0], ports[1], ports[2])
        let mailboxes = ["Drafts", "Sent", "Trash", "Junk", "Archive"].map { name in
            "  mailbox \(name) {\n    special_use = \\\(name)\n    auto = subscribe\n  }\n"
        }
        process = try PeerProcess.dovecot(
            "imap",
            lmtp: lmtp,
            waitFor: imap,
            introspection: introspection,
            """
            mail_max_userip_connections = 200
            mailbox_list_index = \(hasListIndex ? "yes" : "no")
            protocol imap {
              mail_plugins = $mail_plugins imap_zlib
            }
            namespace inbox {
              inbox = yes
            \(mailboxes.joined())}
            service imap-login {
              inet_listener imap {
                port = \(imap)
              }
              inet_listener imaps {
                port = \(imaps)
                ssl = yes
              }
            }
            """
        )
    }

    package func stop() { process.stop() }
}

extension PeerProcess {
    private static let dovecotPath = "/usr/sbin/dovecot"

    /// Whether Dovecot can be started with these parts: it starts its processes under several users, so it needs root.
    fileprivate static func hasDovecot(_ parts: [String]) -> Bool {
        getuid() == 0
            && ([dovecotPath] + parts.map { "/usr/lib/dovecot/\($0)" }).allSatisfy {
                FileManager.default.isExecutableFile(atPath: $0)
            }
    }

    /// Dovecot with these protocols, LMTP, and what settings they need beyond those that all have.
    fileprivate static func dovecot(
        _ protocols: String,
        lmtp: UInt16,
        waitFor port: UInt16,
        introspection: UInt16? = nil,
        _ settings: String
    ) throws -> PeerProcess {
        let folder = try makeFolder()
        let path = folder.path
        func write(_ name: String, _ octets: [UInt8]) throws {
            try Data(octets).write(to: folder.appendingPathComponent(name))
        }
        try write("cert.pem", TestAuthority.certificatePEM)
        try write("key.pem", TestAuthority.keyPEM)
        try write("users", Array((1...9).map { "u\($0):{PLAIN}pw\n" }.joined().utf8))
        if let introspection {
            let settings = """
                introspection_url = http://127.0.0.1:\(introspection)/introspect
                introspection_mode = post
                username_attribute = username
                active_attribute = active
                active_value = true

                """
            try write("oauth2.conf", Array(settings.utf8))
        }
        try FileManager.default.createDirectory(atPath: "\(path)/mail", withIntermediateDirectories: true)
        guard chown("\(path)/mail", 5000, 5000) == 0 else { throw POSIXError(.EPERM) }
        try write(
            "dovecot.conf",
            Array(
                """
                base_dir = \(path)/state
                state_dir = \(path)/state
                log_path = \(path)/dovecot.log
                instance_name = postern-\(port)
                listen = 127.0.0.1
                protocols = \(protocols) lmtp
                hostname = mail.example.test
                disable_plaintext_auth = yes
                auth_mechanisms = \(introspection == nil ? "plain login scram-sha-1 scram-sha-256" : "oauthbearer xoauth2")
                auth_username_format = %Ln
                ssl = yes
                ssl_cert = <\(path)/cert.pem
                ssl_key = <\(path)/key.pem
                auth_failure_delay = \(introspection == nil ? "2 secs" : "0")
                service anvil {
                  unix_listener anvil-auth-penalty {
                    mode = \(introspection == nil ? "0600" : "0")
                  }
                }
                passdb {
                  driver = \(introspection == nil ? "passwd-file" : "oauth2")
                  args = \(path)/\(introspection == nil ? "users" : "oauth2.conf")
                }
                userdb {
                  driver = static
                  args = uid=5000 gid=5000 home=\(path)/mail/%Ln
                }
                first_valid_uid = 5000
                mail_location = maildir:~/Maildir
                service lmtp {
                  inet_listener lmtp {
                    port = \(lmtp)
                  }
                }
                \(settings)

                """.utf8
            )
        )
        return try PeerProcess(
            dovecotPath,
            ["-F", "-c", "\(path)/dovecot.conf"],
            folder: folder,
            waitFor: port
        )
    }
}
