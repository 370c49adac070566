// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The built server's POP3 listeners, and mail programs that others wrote.
@Suite struct POP3Tests {
    private let folder = try? Folder()
    private var path: String { get throws { try #require(folder).path } }
    private var certificate: String { get throws { "\(try path)/data/tls/certificate.pem" } }

    /// With ann, who has so many messages.
    private func server(messages count: Int) throws -> RunningServer {
        let data = "\(try path)/data"
        let added = try Project.verb(
            "account",
            "add",
            "ann@example.org",
            "--alias",
            "ann",
            data: data,
            input: "correct horse\n"
        )
        try #require(added.status == 0, "\(added.errors)")
        let server = try RunningServer(data: data)
        let sent = try run(
            "python3",
            [
                "-c",
                """
                import smtplib
                s = smtplib.SMTP("127.0.0.1", \(try server.port("smtp")))
                for n in range(\(count)):
                    s.sendmail("zoe@example.net", ["ann@example.org"],
                        b"From: zoe@example.net\\r\\nTo: ann@example.org\\r\\nSubject: m%d\\r\\n\\r\\n.dot\\r\\nhello\\r\\n" % n)
                s.quit()
                """,
            ]
        )
        try #require(sent.status == 0, "\(sent.errors)")
        return server
    }

    @Test func pythonReadsAndDeletes() throws {
        let server = try server(messages: 100)
        let read = try run(
            "python3",
            [
                "-c",
                """
                import poplib, ssl
                context = ssl.create_default_context(cafile="\(try certificate)")
                p = poplib.POP3("localhost", \(try server.port("pop3")))
                try:
                    p.user("ann"); raise SystemExit("a name was taken in the clear")
                except poplib.error_proto: pass
                p.stls(context)
                p.user("ann@example.org")
                try:
                    p.pass_("wrong"); raise SystemExit("a wrong password was taken")
                except poplib.error_proto as e: assert b"[AUTH]" in e.args[0], e
                p.user("ann@example.org"); p.pass_("correct horse")
                count, octets = p.stat()
                sizes = [int(line.split()[1]) for line in p.list()[1]]
                assert count == 100 and sum(sizes) == octets, (count, octets)
                for n in range(1, 101):
                    _, lines, _ = p.retr(n)
                    assert sum(len(line) + 2 for line in lines) == sizes[n - 1], n
                    assert lines[-4:] == [b"Subject: m%d" % (n - 1), b"", b".dot", b"hello"], lines
                    assert p.top(n, 1)[1] == lines[:-1]
                ids = [line.split()[1] for line in p.uidl()[1]]
                assert len(set(ids)) == 100 and all(i.startswith(b"msg_") for i in ids)
                assert p.capa()["EXPIRE"] == ["NEVER"]
                for n in range(1, 51): p.dele(n)
                assert p.stat()[0] == 50
                p.rset()
                for n in range(1, 91): p.dele(n)
                p.quit()
                p = poplib.POP3_SSL("localhost", \(try server.port("pop3s")), context=context)
                p.utf8()
                p.user("ann"); p.pass_("correct horse")
                assert [line.split()[1] for line in p.uidl()[1]] == ids[90:]
                p.dele(1)
                p.close()
                """,
            ]
        )
        #expect(read.status == 0, "\(read.errors)")
        #expect(try server.subjects("ann") == (90..<100).reversed().map { "m\($0)" })
        let metrics = try server.curl("/metrics").body
        #expect(metrics.contains("postern_pop3_server_deleted_total 90"))
        #expect(metrics.contains("postern_auth_attempts_total{protocol=\"pop3\",result=\"refused\"} 1"))
        #expect(try server.stop() == 0)
        #expect(!server.program.errors.contains("correct horse"))
    }

    @Test func curlReads() throws {
        let server = try server(messages: 2)
        for (url, options) in [
            ("pop3://localhost:\(try server.port("pop3"))/", ["--ssl-reqd"]),
            ("pop3s://localhost:\(try server.port("pop3s"))/", []),
        ] {
            let all = options + ["-sS", "--cacert", try certificate, "--user", "ann@example.org:correct horse"]
            #expect(try run("curl", all + [url]).output.split(separator: "\r\n").count == 2)
            let message = try run("curl", all + [url + "2"])
            #expect(message.output.hasSuffix("Subject: m1\r\n\r\n.dot\r\nhello\r\n"), "\(message.errors)")
            #expect(try run("curl", all + ["-X", "UIDL", url]).output.hasPrefix("1 msg_"))
        }
        #expect(try server.stop() == 0)
    }

    /// Each keeps what it fetched at first, fetches nothing twice, and then deletes.
    @Test func programsFetchOnceAndDelete() throws {
        let server = try server(messages: 20)
        let port = try server.port("pop3s")
        let path = try path
        try "correct horse".write(toFile: "\(path)/password", atomically: true, encoding: .utf8)
        func configure(_ name: String, _ text: String) throws -> String {
            try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(path)/\(name)")
            return "\(path)/\(name)"
        }
        func count(_ box: String) throws -> Int {
            try String(contentsOfFile: "\(path)/\(box)", encoding: .utf8).components(separatedBy: "\nSubject: m").count
                - 1
        }
        func mpop(_ isKept: Bool) throws -> Outcome {
            let file = try configure(
                "mpoprc",
                """
                account default
                host localhost
                port \(port)
                tls on
                tls_starttls off
                tls_trust_file \(try certificate)
                user ann@example.org
                passwordeval cat \(path)/password
                uidls_file \(path)/uidls
                keep \(isKept ? "on" : "off")
                delivery mbox \(path)/mpop

                """
            )
            return try run("mpop", ["-C", file])
        }
        func fetchmail(_ option: String) throws -> Outcome {
            let file = try configure(
                "fetchmailrc",
                """
                set idfile "\(path)/ids"
                set postmaster "nobody"
                set no bouncemail
                poll localhost protocol pop3 service \(port) uidl user "ann@example.org" password "correct horse"
                  ssl sslcertfile "\(try certificate)" sslcertck \(option)
                  mda "cat >> \(path)/fetchmail"

                """
            )
            return try run("fetchmail", ["-f", file, "--pidfile", "\(path)/fetchmail.pid"])
        }
        for _ in 0..<2 { #expect(try mpop(true).errors == "") }
        #expect(try count("mpop") == 20)
        let first = try fetchmail("keep")
        #expect(first.status == 0, "\(first.output) \(first.errors)")
        // 1: there was nothing new.
        #expect(try fetchmail("keep").status == 1)
        #expect(try count("fetchmail") == 20)
        #expect(try server.subjects("ann").count == 20)
        #expect(try fetchmail("fetchall nokeep").status == 0)
        #expect(try count("fetchmail") == 40)
        #expect(try server.subjects("ann").isEmpty)
        #expect(try mpop(false).errors == "")
        #expect(try server.stop() == 0)
    }
}
