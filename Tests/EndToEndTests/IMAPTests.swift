// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The built server's IMAP listeners, and mail programs that others wrote.
@Suite struct IMAPTests {
    private let folder = try? Folder()
    private var path: String { get throws { try #require(folder).path } }
    private var certificate: String { get throws { "\(try path)/data/tls/certificate.pem" } }

    /// With ann.
    private func server() throws -> RunningServer {
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
        return try RunningServer(data: data)
    }

    private func python(_ server: RunningServer, _ script: String) throws -> Outcome {
        try run(
            "python3",
            [
                "-c",
                """
                import imaplib, smtplib, ssl, threading, time
                context = ssl.create_default_context(cafile="\(try certificate)")
                def login():
                    m = imaplib.IMAP4_SSL("localhost", \(try server.port("imaps")), ssl_context=context)
                    m.login("ann@example.org", "correct horse")
                    return m
                def ok(answer):
                    assert answer[0] == "OK", answer
                    return answer[1]
                def deliver(subject):
                    s = smtplib.SMTP("127.0.0.1", \(try server.port("smtp")))
                    s.sendmail("zoe@example.net", ["ann@example.org"],
                        b"From: Zoe <zoe@example.net>\\r\\nTo: ann@example.org\\r\\nSubject: %s\\r\\n\\r\\nhello\\r\\n" % subject.encode())
                    s.quit()
                \(script)
                """,
            ]
        )
    }

    @Test func pythonReadsAndWrites() throws {
        let server = try server()
        let outcome = try python(
            server,
            """
            m = imaplib.IMAP4("localhost", \(try server.port("imap")))
            assert "LOGINDISABLED" in m.capabilities
            m.starttls(context)
            try: m.login("ann", "wrong"); raise SystemExit("a wrong password was taken")
            except imaplib.IMAP4.error as e: assert b"AUTHENTICATIONFAILED" in e.args[0], e
            m.login("ann", "correct horse")
            for n in range(5): deliver("m%d" % n)
            assert ok(m.select("INBOX")) == [b"5"]
            assert ok(m.search(None, "SUBJECT", "m3")) == [b"4"]
            assert ok(m.search(None, "UNSEEN", "TEXT", "HELLO")) == [b"1 2 3 4 5"]
            data = ok(m.fetch("1", "(RFC822.SIZE BODY.PEEK[] ENVELOPE BODYSTRUCTURE FLAGS)"))
            assert len(data[0][1]) == int(data[0][0].split(b"RFC822.SIZE ")[1].split()[0]), data
            assert data[0][1].startswith(b"Return-Path: <zoe@example.net>") and data[0][1].endswith(b"hello\\r\\n")
            whole = data[0][0] + data[1]
            assert b'"m0" (("Zoe" NIL "zoe" "example.net"))' in whole, whole
            assert b'"TEXT" "PLAIN"' in whole.upper(), whole
            ok(m.store("1:2", "+FLAGS", "(\\\\Seen keyword)"))
            assert ok(m.search(None, "KEYWORD", "keyword", "SEEN")) == [b"1 2"]
            assert b"UIDPLUS" in b" ".join(m.capability()[1])
            name, octets = "Archive", b"Subject: up\\r\\n\\r\\n" + b"x" * 76 + b"\\r\\n"
            answer = ok(m.append(name, "(\\\\Flagged)", '"05-Jan-2024 10:00:00 +0100"', octets))
            assert b"APPENDUID" in answer[0], answer
            assert b"COPYUID" in ok(m.copy("3", "Archive"))[0] or m.untagged_responses
            ok(m.uid("MOVE", "4", "Trash"))
            ok(m.store("4", "+FLAGS", "(\\\\Deleted)"))
            assert ok(m.expunge())[-1] == b"4"
            ok(m.create("Work/Orders")); ok(m.subscribe("Work/Orders"))
            names = [line.split(b' "/" ')[1].strip(b'"') for line in ok(m.list())]
            assert {b"INBOX", b"Sent", b"Work", b"Work/Orders"} <= set(names), names
            assert any(b"Work/Orders" in line for line in ok(m.lsub()))
            ok(m.rename("Work/Orders", "Work/Done")); ok(m.delete("Work/Done"))
            assert b"MESSAGES 2" in ok(m.status("Archive", "(MESSAGES UIDNEXT SIZE)"))[0]
            ok(m.select("Archive", readonly=True))
            assert ok(m.fetch("1", "(INTERNALDATE FLAGS BODY[])"))[0][1] == octets
            ok(m.close()); m.logout()
            """
        )
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try server.subjects("ann") == ["m2", "m1", "m0"])
        let metrics = try server.curl("/metrics").body
        #expect(metrics.contains("postern_imap_server_expunged_total 1"))
        #expect(metrics.contains("postern_auth_attempts_total{protocol=\"imap\",result=\"refused\"} 1"))
        #expect(try server.stop() == 0)
        #expect(!server.program.errors.contains("correct horse"))
    }

    /// What the API and SMTP do is told to one who waits, and what IMAP does is an event.
    @Test func oneStateForAll() throws {
        let server = try server()
        let outcome = try python(
            server,
            """
            import json, urllib.request
            token = open("\(try path)/data/admin-token").read().strip()
            base = "http://\(server.ready["http"] as? String ?? "")/v1/accounts/ann"
            def api(method, path, body=None):
                request = urllib.request.Request(base + path, method=method, headers={"Authorization": "Bearer " + token,
                    "Content-Type": "application/json"}, data=json.dumps(body).encode() if body else None)
                with urllib.request.urlopen(request) as answer: return json.loads(answer.read() or b"null")
            m = login(); ok(m.select("INBOX"))
            def idle(act):
                m.send(b"x IDLE\\r\\n")
                while not m.readline().startswith(b"+"): pass
                act()
                lines = []
                while not lines or lines[-1].startswith(b"* OK"): lines.append(m.readline())
                m.send(b"DONE\\r\\n")
                while not lines[-1].startswith(b"x OK"): lines.append(m.readline())
                return b"".join(lines)
            assert b"* 1 EXISTS" in idle(lambda: deliver("one"))
            message = api("GET", "/messages/latest")["id"]
            assert b"FLAGS (\\\\Flagged" in idle(lambda: api("PATCH", "/messages/" + message, {"flags": {"add": ["flagged"]}}))
            ok(m.store("1", "+FLAGS", "(\\\\Seen)"))
            assert set(api("GET", "/messages/" + message)["flags"]) == {"seen", "flagged"}
            ok(m.uid("MOVE", "1", "Archive"))
            events = [e["type"] for e in api("GET", "/events?after=0")["items"]]
            assert events[-2:] == ["message.flags_changed", "message.moved"], events
            assert api("GET", "/messages/" + message)["id"] == message
            ok(m.select("Archive"))
            assert b"EXPUNGE" in idle(lambda: api("DELETE", "/messages/%s?permanent=true" % message))
            """
        )
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try server.stop() == 0)
    }

    /// A change without an answer hides none that somebody else made, and what was not asked for is not marked.
    @Test func nothingIsHiddenNorMarkedUnasked() throws {
        let server = try server()
        let outcome = try python(
            server,
            """
            for n in range(3): deliver("m%d" % n)
            m, other = login(), login()
            for one in (m, other): ok(one.select("INBOX"))
            ok(other.store("1", "+FLAGS", "(\\Flagged)"))
            told = b" ".join(ok(m.store("1", "+FLAGS.SILENT", "(\\Answered)")))
            assert b"Flagged" in told and b"Answered" in told, told
            assert ok(m.store("1", "+FLAGS.SILENT", "(\\Draft)")) == [None], "its own change was told"
            typ, data = m.uid("FETCH", "1:*", "(BODY[]) (CHANGEDSINCE 100000)")
            assert typ == "OK" and data in ([None], []), data
            assert ok(m.search(None, "UNSEEN")) == [b"1 2 3"]
            assert m.list('""', "*" + "a" * 3000)[0] == "NO"
            typ, data = m.search(None, *["SUBJECT m"] * 33)
            assert typ == "NO" and b"LIMIT" in data[0], data
            assert ok(m.search(None, *["SUBJECT m"] * 32)) == [b"1 2 3"]
            """
        )
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try server.stop() == 0)
    }

    @Test func curlReads() throws {
        let server = try server()
        let delivered = try python(server, "deliver('m0'); deliver('m1')")
        #expect(delivered.status == 0, "\(delivered.errors)")
        for (url, options) in [
            ("imap://localhost:\(try server.port("imap"))/", ["--ssl-reqd"]),
            ("imaps://localhost:\(try server.port("imaps"))/", []),
        ] {
            let all = options + ["-sS", "--cacert", try certificate, "--user", "ann@example.org:correct horse"]
            #expect(try run("curl", all + [url]).output.contains("\"/\" Archive"))
            let message = try run("curl", all + [url + "INBOX;UID=2"])
            #expect(message.output.hasSuffix("Subject: m1\r\n\r\nhello\r\n"), "\(message.errors)")
            #expect(try run("curl", all + [url + "INBOX?SUBJECT%20m0"]).output.contains("* SEARCH 1"))
        }
        #expect(try server.stop() == 0)
    }

    /// Both ways: what is here goes there, and the other way round; nothing is lost or doubled.
    @Test func mbsyncKeepsBothSidesTheSame() throws {
        let server = try server()
        let path = try path
        let delivered = try python(server, "for n in range(20): deliver('m%d' % n)")
        #expect(delivered.status == 0, "\(delivered.errors)")
        try "correct horse".write(toFile: "\(path)/password", atomically: true, encoding: .utf8)
        try """
        IMAPAccount postern
        Host localhost
        Port \(try server.port("imaps"))
        SSLType IMAPS
        CertificateFile \(try certificate)
        User ann@example.org
        PassCmd "cat \(path)/password"

        IMAPStore there
        Account postern

        MaildirStore here
        Path \(path)/maildir/
        Inbox \(path)/maildir/INBOX
        SubFolders Verbatim

        Channel all
        Far :there:
        Near :here:
        Patterns *
        Create Both
        Expunge Both
        SyncState *

        """.write(toFile: "\(path)/mbsyncrc", atomically: true, encoding: .utf8)
        try FileManager.default.createDirectory(atPath: "\(path)/maildir", withIntermediateDirectories: true)
        func sync() throws {
            let synced = try run("mbsync", ["-c", "\(path)/mbsyncrc", "-a"])
            #expect(synced.status == 0, "\(synced.errors)\(synced.output)")
        }
        func here() throws -> Int {
            try ["cur", "new"].reduce(0) { count, name in
                count + (try FileManager.default.contentsOfDirectory(atPath: "\(path)/maildir/INBOX/\(name)")).count
            }
        }
        try sync()
        #expect(try here() == 20)
        try FileManager.default.createDirectory(
            atPath: "\(path)/maildir/Local/cur",
            withIntermediateDirectories: true
        )
        for name in ["new", "tmp"] {
            try FileManager.default.createDirectory(
                atPath: "\(path)/maildir/Local/\(name)",
                withIntermediateDirectories: true
            )
        }
        for number in 0..<10 {
            try "Subject: l\(number)\n\nlocal\n".write(
                toFile: "\(path)/maildir/Local/cur/\(number).x.y:2,S",
                atomically: true,
                encoding: .utf8
            )
        }
        let changed = try python(
            server,
            """
            m = login(); ok(m.select("INBOX"))
            ok(m.store("1:5", "+FLAGS", "(\\\\Deleted)")); ok(m.expunge()); ok(m.store("1:3", "+FLAGS", "(\\\\Flagged)"))
            deliver("later")
            """
        )
        #expect(changed.status == 0, "\(changed.errors)")
        for _ in 0..<3 { try sync() }
        #expect(try here() == 16)
        let seen = try python(
            server,
            """
            m = login()
            assert ok(m.select("Local")) == [b"10"] and ok(m.search(None, "SEEN")) == [b"1 2 3 4 5 6 7 8 9 10"]
            assert ok(m.select("INBOX")) == [b"16"]
            """
        )
        #expect(seen.status == 0, "\(seen.errors)")
        #expect(try server.stop() == 0)
    }

    /// The scripted tests of imaptest: third-party data, read in place.
    @Test(.enabled(if: TestData.root != nil)) func imaptestScripts() throws {
        let server = try server()
        let outcome = try run(
            "python3",
            [
                "\(Project.root)/Tests/EndToEndTests/Outside/imaptest_scripts.py",
                try #require(TestData.root).appendingPathComponent("imap/imaptest-scripts").path,
                "\(try server.port("imaps"))", try certificate, "ann@example.org", "correct horse",
            ],
            seconds: 120
        )
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(try server.stop() == 0)
    }
}
