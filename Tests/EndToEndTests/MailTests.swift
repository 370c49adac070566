// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Mail through all doors: SMTP in, the API, imports; and that none of it is lost.
@Suite struct MailTests {
    private let folder = try? Folder()
    private var data: String { get throws { try #require(folder).path + "/data" } }

    private func serverWithAccounts() throws -> RunningServer {
        let data = try data
        for name in ["ann", "bob"] {
            let added = try Project.verb(
                "account",
                "add",
                "\(name)@example.org",
                "--alias",
                name,
                data: data,
                input: "correct horse\n"
            )
            try #require(added.status == 0, "\(added.errors)")
        }
        return try RunningServer(data: data)
    }

    /// Python's own SMTP client: not ours, and strict.
    private func smtp(_ program: String) throws -> Outcome {
        try run("python3", ["-c", "import smtplib, ssl, sys\n" + program])
    }

    @Test func theWalkThroughTheAPIWorks() throws {
        let server = try RunningServer(data: try data)
        let outcome = try run(
            "\(Project.root)/Examples/walk.sh",
            [],
            environment: [
                "POSTERN_URL": "http://\(try server.address("http"))",
                "POSTERN_TOKEN_FILE": "\(try data)/admin-token",
            ]
        )
        #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.errors)")
        #expect(outcome.output.contains("— done"))
        #expect(try server.stop() == 0)
    }

    @Test func theFollowerShowsEachEventOnceThroughRestarts() throws {
        let server = try serverWithAccounts()
        let cursor = "\(try #require(folder).path)/cursor"
        func known() -> String? { try? String(contentsOfFile: cursor, encoding: .utf8) }
        func follow() throws -> Program {
            try Program(
                "\(Project.root)/Examples/follow.py",
                ["http://\(try server.address("http"))", "ann", cursor],
                environment: ["POSTERN_TOKEN_FILE": "\(try data)/admin-token"]
            )
        }
        func makeFolder(_ name: String) throws {
            let made = try server.curl("/v1/accounts/ann/folders", ["--json", #"{"name":"\#(name)"}"#])
            #expect(made.status == "201")
        }
        func numbers(_ program: Program) -> [Substring] {
            program.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
        }
        var follower = try follow()
        try #require(wait(until: { known() != nil }, within: 30))
        try makeFolder("a")
        #expect(wait(until: { follower.output.contains(#""path": "a""#) }, within: 30), "\(follower.errors)")
        #expect(numbers(follower) == ["8"])
        try #require(wait(until: { known() == "8" }, within: 30))
        follower.signal(SIGKILL)
        try makeFolder("b")
        follower = try follow()
        try makeFolder("c")
        #expect(wait(until: { follower.output.contains(#""path": "c""#) }, within: 30), "\(follower.errors)")
        #expect(numbers(follower) == ["9", "10"])
        try #require(wait(until: { known() == "10" }, within: 30))
        // It is connected while the server stops: the server ends the stream and does not wait for it.
        #expect(try server.stop() == 0)
        follower.signal(SIGKILL)
        #expect(known() == "10")
    }

    @Test func mailComesInBySMTP() throws {
        let server = try serverWithAccounts()
        let sent = try smtp(
            """
            s = smtplib.SMTP("127.0.0.1", \(try server.port("smtp")))
            s.ehlo("client.example.net")
            s.sendmail("zoe@example.net", ["ann@example.org", "bob@example.org"],
                       b"From: zoe@example.net\\r\\nTo: ann@example.org\\r\\nSubject: By SMTP\\r\\n\\r\\n.dot\\r\\nhello\\r\\n")
            try:
                s.sendmail("zoe@example.net", ["nobody@example.org"], b"Subject: x\\r\\n\\r\\n")
                sys.exit("an unknown mailbox was accepted")
            except smtplib.SMTPRecipientsRefused:
                pass
            try:
                s.sendmail("zoe@example.net", ["somebody@elsewhere.example"], b"Subject: x\\r\\n\\r\\n")
                sys.exit("we relay")
            except smtplib.SMTPRecipientsRefused:
                pass
            s.quit()
            """
        )
        #expect(sent.status == 0, "\(sent.errors)")
        for name in ["ann", "bob"] { #expect(try server.subjects(name) == ["By SMTP"]) }
        let raw = try server.curl("/v1/accounts/ann/messages/latest/raw").body
        #expect(raw.contains("Return-Path: <zoe@example.net>\r\n"))
        #expect(raw.hasSuffix("Subject: By SMTP\r\n\r\n.dot\r\nhello\r\n"))
        #expect(try server.subjects("ann", folder: "inbox&q=hello") == ["By SMTP"])
        #expect(try server.stop() == 0)
    }

    @Test func usersSendThroughSubmission() throws {
        let server = try serverWithAccounts()
        let sent = try smtp(
            """
            context = ssl.create_default_context(cafile="\(try data)/tls/certificate.pem")
            mail = b"From: ann@example.org\\r\\nTo: bob@example.org\\r\\nSubject: %s\\r\\n\\r\\nhello\\r\\n"
            s = smtplib.SMTP("localhost", \(try server.port("submission")))
            try:
                s.sendmail("ann@example.org", ["bob@example.org"], mail % b"early")
                sys.exit("no login was asked for")
            except smtplib.SMTPException:
                pass
            s.starttls(context=context)
            try:
                s.login("ann@example.org", "wrong")
                sys.exit("a wrong password was taken")
            except smtplib.SMTPAuthenticationError:
                pass
            s.login("ann@example.org", "correct horse")
            s.sendmail("ann@example.org", ["bob@example.org"], mail % b"STARTTLS")
            s.quit()
            s = smtplib.SMTP_SSL("localhost", \(try server.port("submissions")), context=context)
            s.login("ann", "correct horse")
            s.sendmail("ann@example.org", ["bob@example.org"], mail % b"TLS")
            s.quit()
            """
        )
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(try server.subjects("bob") == ["TLS", "STARTTLS"])
        #expect(try server.stop() == 0)
        #expect(!server.program.errors.contains("correct horse"))
    }

    @Test func whatWasAcknowledgedSurvivesAKill() throws {
        let server = try serverWithAccounts()
        let acknowledged = try #require(folder).path + "/acknowledged"
        // Four clients send until the server is gone, and write down what it answered 250 to.
        let clients = try Program(
            "python3",
            [
                "-c",
                """
                import smtplib, threading
                log, lock = open("\(acknowledged)", "a"), threading.Lock()
                def client(k):
                    s = smtplib.SMTP("127.0.0.1", \(try server.port("smtp")))
                    for n in range(100000):
                        s.sendmail("zoe@example.net", ["ann@example.org"], b"Subject: %d.%d\\r\\n\\r\\nhello\\r\\n" % (k, n))
                        with lock:
                            log.write("%d.%d\\n" % (k, n)); log.flush()
                def run(k):
                    try: client(k)
                    except (smtplib.SMTPException, OSError): pass
                threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
                [t.start() for t in threads]; [t.join() for t in threads]
                """,
            ]
        )
        func count() -> Int {
            ((try? String(contentsOfFile: acknowledged, encoding: .utf8)) ?? "").split(separator: "\n").count
        }
        #expect(wait(until: { count() > 200 }, within: 60))
        server.program.signal(SIGKILL)
        _ = try server.program.end()
        _ = try clients.end()
        let kept = Set(
            try String(contentsOfFile: acknowledged, encoding: .utf8).split(separator: "\n").map(String.init)
        )
        let again = try RunningServer(data: try data)
        let found = try again.subjects("ann")
        #expect(kept.subtracting(found).isEmpty)
        #expect(Set(found).count == found.count)
        #expect(try Project.verb("verify", data: try data).status == 0)
        #expect(try again.stop() == 0)
    }

    @Test(arguments: [true, false])
    func anImportThatWasKilledGoesOn(_ withServer: Bool) throws {
        let data = try data
        _ = try Project.verb("account", "add", "ann@example.org", "--alias", "ann", "--no-password", data: data)
        let server = withServer ? try RunningServer(data: data) : nil
        let mbox = try #require(folder).path + "/mail.mbox"
        let messages = (0..<400).map {
            "From a Thu Apr  2 09:30:00 2026\nSubject: \($0)\nFrom: a@example.net\n\nbody \($0)\n\n"
        }
        try messages.joined().write(toFile: mbox, atomically: true, encoding: .utf8)
        let arguments = ["import", mbox, "--account", "ann", "--data", data]
        let journals = "\(data)/imports"
        func done() -> Int {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: journals)) ?? []
            return names.map {
                ((try? String(contentsOfFile: "\(journals)/\($0)", encoding: .utf8)) ?? "").split(separator: "\n").count
            }
            .reduce(0, +)
        }
        var kills = 0
        for threshold in [20, 120, 250] {
            let importing = try Program(Project.postern, arguments)
            #expect(wait(until: { done() >= threshold || !importing.process.isRunning }, within: 60))
            if importing.process.isRunning { kills += 1 }
            importing.signal(SIGKILL)
            _ = try importing.end()
        }
        #expect(kills > 0)
        let last = try run(Project.postern, arguments)
        #expect(last.status == 0, "\(last.errors)")
        #expect(try run(Project.postern, arguments).errors.contains("0 imported, 400 already there, 0 not imported"))
        let running = try server ?? RunningServer(data: data)
        let found = try running.subjects("ann")
        #expect(found.count == 400)
        // A message that was being read when the process was killed is quarantined: kept, but without a subject.
        let read = found.filter { !$0.isEmpty }
        #expect(Set(read).count == read.count)
        #expect(found.count - read.count <= kills)
        #expect(try running.stop() == 0)
    }

    @Test func theExamplesAreImportedWithTheirDates() throws {
        let data = try data
        _ = try Project.verb("account", "add", "ann@example.org", "--alias", "ann", "--no-password", data: data)
        let outcome = try Project.verb("import", "\(Project.root)/Examples/mail", "--account", "ann", data: data)
        #expect(outcome.errors.contains("6 imported, 0 already there, 0 not imported"))
        let server = try RunningServer(data: data)
        let newest = try server.json("/v1/accounts/ann/messages/latest")
        #expect(newest["subject"] as? String == "[walkers] Sunday: along the north pier")
        #expect(newest["internalDate"] as? String == "2026-11-06T12:00:00.000Z")
        #expect(try server.subjects("ann").contains("七夕のお知らせ"))
        #expect(try server.stop() == 0)
    }

    @Test func aMaildirIsImportedWithFlagsAndFolders() throws {
        let data = try data
        _ = try Project.verb("account", "add", "ann@example.org", "--alias", "ann", "--no-password", data: data)
        let root = try #require(folder).path + "/Maildir"
        for part in ["cur", "new", "tmp", ".Ferries.2026/cur", ".Ferries.2026/new"] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(part)", withIntermediateDirectories: true)
        }
        try "Subject: seen\n\nx\n".write(toFile: "\(root)/cur/1.a.host:2,FS", atomically: true, encoding: .utf8)
        try "Subject: new\n\nx\n".write(toFile: "\(root)/new/2.b.host", atomically: true, encoding: .utf8)
        try "Subject: filed\n\nx\n".write(
            toFile: "\(root)/.Ferries.2026/cur/3.c.host:2,S",
            atomically: true,
            encoding: .utf8
        )
        let outcome = try Project.verb("import", root, "--account", "ann", data: data)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let server = try RunningServer(data: data)
        let items = try server.json("/v1/accounts/ann/messages?folder=inbox")["items"] as? [[String: Any]] ?? []
        let flags = Dictionary(
            uniqueKeysWithValues: items.map { ($0["subject"] as? String ?? "", $0["flags"] as? [String] ?? []) }
        )
        #expect(flags["seen"].map(Set.init) == ["seen", "flagged"])
        #expect(flags["new"] == [])
        let folders = try server.json("/v1/accounts/ann/folders")["items"] as? [[String: Any]] ?? []
        let filed = try #require(folders.first { $0["path"] as? String == "Ferries/2026" }?["id"] as? String)
        #expect(try server.subjects("ann", folder: filed) == ["filed"])
        #expect(try server.stop() == 0)
    }
}
