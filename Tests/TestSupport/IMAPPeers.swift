// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Dovecot with IMAP and LMTP, if its packages are installed.
///
/// Users u1…u9 with the password `pw`, on a certificate of ``TestAuthority`` for `mail.example.test`; folders for the special
/// uses are there, the separator is `.`, connections may be compressed.
package struct DovecotIMAP: Sendable {
    /// It starts its processes under several users, so it needs root.
    package static var isInstalled: Bool {
        getuid() == 0
            && ["/usr/sbin/dovecot", "/usr/lib/dovecot/imap", "/usr/lib/dovecot/lmtp"].allSatisfy {
                FileManager.default.isExecutableFile(atPath: $0)
            }
    }

    package let imap: UInt16
    /// With TLS from the start.
    package let imaps: UInt16
    package let lmtp: UInt16
    package let folder: URL
    private let process: PeerProcess

    package init() throws {
        var ports: Set<UInt16> = []
        while ports.count < 3 { ports.insert(try PeerProcess.freePort()) }
        let found = Array(ports)
        (imap, imaps, lmtp) = (found[0], found[1], found[2])
        folder = try PeerProcess.makeFolder()
        let path = folder.path
        try Data(TestAuthority.certificatePEM).write(to: folder.appendingPathComponent("cert.pem"))
        try Data(TestAuthority.keyPEM).write(to: folder.appendingPathComponent("key.pem"))
        try Data((1...9).map { "u\($0):{PLAIN}pw\n" }.joined().utf8).write(to: folder.appendingPathComponent("users"))
        try FileManager.default.createDirectory(atPath: "\(path)/mail", withIntermediateDirectories: true)
        guard chown("\(path)/mail", 5000, 5000) == 0 else { throw POSIXError(.EPERM) }
        let mailboxes = ["Drafts", "Sent", "Trash", "Junk", "Archive"].map { name in
            "  mailbox \(name) {\n    special_use = \\\(name)\n    auto = subscribe\n  }\n"
        }
        try Data(
            """
            base_dir = \(path)/state
            state_dir = \(path)/state
            log_path = \(path)/dovecot.log
            instance_name = postern-\(imap)
            listen = 127.0.0.1
            protocols = imap lmtp
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
            mail_max_userip_connections = 200
            mailbox_list_index = yes
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
            service lmtp {
              inet_listener lmtp {
                port = \(lmtp)
              }
            }

            """.utf8
        ).write(to: folder.appendingPathComponent("dovecot.conf"))
        process = try PeerProcess(
            "/usr/sbin/dovecot",
            ["-F", "-c", "\(path)/dovecot.conf"],
            folder: folder,
            waitFor: imap
        )
    }

    package func stop() { process.stop() }
}

/// Cyrus with IMAP, if it is there: its package conflicts with Dovecot's, so its programs may be unpacked in the folder that
/// `POSTERN_CYRUS` names, beside the installed package `cyrus-common`.
///
/// Users u1…u9 with the password `pw`; the separator is `/`. TLS as ``DovecotIMAP`` has it.
package struct CyrusIMAP: Sendable {
    private static let common = "/usr/lib/cyrus/bin"
    private static let programs =
        ProcessInfo.processInfo.environment["POSTERN_CYRUS"].map { "\($0)/usr/lib/cyrus/bin" } ?? common

    package static var isInstalled: Bool {
        getuid() == 0
            && ["\(common)/master", "\(programs)/imapd", "\(programs)/idled", "/usr/sbin/saslpasswd2"].allSatisfy {
                FileManager.default.isExecutableFile(atPath: $0)
            }
    }

    package let imap: UInt16
    package let imaps: UInt16
    package let folder: URL
    private let process: PeerProcess

    package init() throws {
        var ports: Set<UInt16> = []
        while ports.count < 2 { ports.insert(try PeerProcess.freePort()) }
        let found = Array(ports)
        (imap, imaps) = (found[0], found[1])
        folder = try PeerProcess.makeFolder()
        let path = folder.path
        // IDLE never wakes where the folder for its sockets is not there.
        for name in ["conf/socket", "mail", "proc", "lock", "sock"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
        }
        try Data(TestAuthority.certificatePEM).write(to: folder.appendingPathComponent("cert.pem"))
        try Data(TestAuthority.keyPEM).write(to: folder.appendingPathComponent("key.pem"))
        try Data(Self.settings(path).utf8).write(to: folder.appendingPathComponent("imapd.conf"))
        let imapd = "\(Self.programs)/imapd -C \(path)/imapd.conf"
        try Data(
            """
            START {
              recover cmd="\(Self.common)/ctl_cyrusdb -C \(path)/imapd.conf -r"
            }
            SERVICES {
              imap cmd="\(imapd) -U 30" listen="127.0.0.1:\(imap)" prefork=1 maxchild=100 proto="tcp4"
              imaps cmd="\(imapd) -s -U 30" listen="127.0.0.1:\(imaps)" prefork=0 maxchild=100 proto="tcp4"
            }
            EVENTS {
              checkpoint cmd="\(Self.common)/ctl_cyrusdb -C \(path)/imapd.conf -c" period=30
            }
            DAEMON {
              idled cmd="\(Self.programs)/idled -C \(path)/imapd.conf"
            }

            """.utf8
        ).write(to: folder.appendingPathComponent("cyrus.conf"))
        for user in ["cyrus"] + (1...9).map({ "u\($0)" }) {
            try Self.run("printf pw | saslpasswd2 -f \(path)/sasldb2 -c -p -u mail.example.test \(user)")
        }
        try Self.run("chown -R cyrus:mail \(path)")
        process = try PeerProcess(
            "\(Self.common)/master",
            ["-C", "\(path)/imapd.conf", "-M", "\(path)/cyrus.conf", "-p", "\(path)/master.pid"],
            folder: folder,
            waitFor: imap
        )
    }

    private static func settings(_ path: String) -> String {
        """
        configdirectory: \(path)/conf
        defaultpartition: default
        partition-default: \(path)/mail
        proc_path: \(path)/proc
        mboxname_lockpath: \(path)/lock
        idlesocket: \(path)/sock/idle
        notifysocket: \(path)/sock/notify
        servername: mail.example.test
        defaultdomain: example.test
        admins: cyrus
        altnamespace: yes
        unixhierarchysep: yes
        allowplaintext: yes
        sasl_mech_list: PLAIN LOGIN
        sasl_pwcheck_method: auxprop
        sasl_auxprop_plugin: sasldb
        sasl_sasldb_path: \(path)/sasldb2
        tls_server_cert: \(path)/cert.pem
        tls_server_key: \(path)/key.pem
        autocreate_quota: 0
        autocreate_inbox_folders: Drafts|Sent|Trash|Junk|Archive
        autocreate_subscribe_folders: Drafts|Sent|Trash|Junk|Archive
        xlist-drafts: Drafts
        xlist-sent: Sent
        xlist-trash: Trash
        xlist-junk: Junk
        xlist-archive: Archive
        specialusealways: yes
        conversations: yes
        conversations_db: twoskip
        virtdomains: off
        maxlogins_per_user: 0
        maxlogins_per_host: 0

        """
    }

    private static func run(_ command: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw PeerProcess.NotUp() }
    }

    package func stop() { process.stop() }
}
