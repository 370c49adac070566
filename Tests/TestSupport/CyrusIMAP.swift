// SPDX-License-Identifier: Apache-2.0

package import Foundation

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
        let ports = try PeerProcess.freePorts(2)
        (imap, imaps) = (ports[0], ports[1])
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
