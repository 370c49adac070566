// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Programs that nobody here wrote, driven by the scripts in `Outside`, against a running server.
@Suite(.serialized) struct OutsideTests {
    private let folder = try? Folder()
    private var root: String { get throws { try #require(folder).path } }

    private static let corpora = ProcessInfo.processInfo.environment["POSTERN_TEST_DATA"]

    /// Debian's, with Debian's modules.
    private func python(_ script: String, _ arguments: [String], seconds: Double = 600) throws -> Outcome {
        try run(
            "/usr/bin/python3",
            ["\(Project.root)/Tests/EndToEndTests/Outside/\(script)"] + arguments,
            seconds: seconds
        )
    }

    /// Where `Scripts/test` puts the Python libraries that Debian does not have.
    private static let libraries = "\(Project.root)/.build/python"
    private static let hasStandardWebhooks = FileManager.default.fileExists(atPath: libraries + "/standardwebhooks")

    private func pythonWithLibraries(_ script: String, _ arguments: [String]) throws -> Outcome {
        try run(
            "/usr/bin/python3",
            ["\(Project.root)/Tests/EndToEndTests/Outside/\(script)"] + arguments,
            environment: ["PYTHONPATH": Self.libraries],
            seconds: 600
        )
    }

    private func readyFile(_ server: RunningServer) throws -> String {
        let path = "\(try root)/ready.json"
        try JSONSerialization.data(withJSONObject: server.ready).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func anIdempotencyKeyHappensOnceThroughFiftyTwinsAndAKill() throws {
        let outcome = try python("idempotency.py", [Project.postern, "\(try root)/data"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func consumersOfEventsRebuildTheMailboxThroughAKill() throws {
        let outcome = try python(
            "events.py",
            [Project.postern, "\(try root)/data", "--operations", "400", "--kills", "1"]
        )
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func mailGoesOutOnceThroughAServerThatMisbehavesAndAKill() throws {
        let outcome = try python("sending.py", [Project.postern, "\(try root)/sending", "--messages", "200"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func mailOfLocalAccountsGoesThroughTheRelay() throws {
        let outcome = try python("relaying.py", [Project.postern, "\(try root)/relaying"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func whatIsTooMuchIsShedAndSaidSo() throws {
        let outcome = try python("overload.py", [Project.postern, "\(try root)/overload"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func slowClientsDelayNobodyElse() throws {
        let outcome = try python("slow.py", [Project.postern, "\(try root)/slow"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func metricsAndLogSayWhatHappenedAndNoSecret() throws {
        let outcome = try python(
            "observing.py",
            [Project.postern, "\(try root)/observing", "\(Project.root)/Examples"]
        )
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    @Test func aLargeAttachmentGoesOutAndComesBackInPieces() throws {
        let server = try RunningServer(data: "\(try root)/data")
        let outcome = try python(
            "large_attachment.py",
            [try readyFile(server), "\(server.program.process.processIdentifier)"]
        )
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
        #expect(try server.stop() == 0)
    }

    @Test(.enabled(if: corpora != nil, "POSTERN_TEST_DATA is not set"))
    func realMailComesBackAsItWentIn() throws {
        let corpora = try #require(Self.corpora)
        let server = try RunningServer(data: "\(try root)/data")
        let outcome = try python(
            "real_mail.py",
            [
                try readyFile(server), "\(try root)/data", Project.postern, "\(corpora)/mime", "\(corpora)/bounce",
                "--schema", "\(Project.root)/openapi.yaml",
            ]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
        #expect(try server.stop() == 0)
        #expect(try Project.verb("verify", data: "\(try root)/data").status == 0)
    }

    @Test func noStringBreaksOutAndNobodySeesWhatIsOthers() throws {
        let outcome = try python(
            "field_injection.py",
            [Project.postern, "\(try root)/data", "\(Project.root)/openapi.yaml"]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(8000)) \(outcome.errors)")
    }

    /// Where schemathesis (of PyPI) is in the path.
    @Test(.enabled("schemathesis is not in the path") { try run("which", ["schemathesis"]).status == 0 })
    func schemathesisFindsNoBreachOfTheContract() throws {
        let outcome = try python(
            "contract.py",
            [Project.postern, "\(try root)/data", "\(Project.root)/openapi.yaml", "--examples", "5"]
        )
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    /// In how many of 101 messages we find as many leaves as others did, of the same types, and how many of 254 contents.
    ///
    /// `Tests/Tools/MIMECheck/Disagreements.md` has the others, with the reason of each.
    @Test(.enabled(if: corpora != nil, "POSTERN_TEST_DATA is not set"))
    func ourReadingOfMailIsThatOfOtherReaders() throws {
        let corpora = try #require(Self.corpora)
        var found: [String: Int] = [:]
        for (suite, raw) in [("mail-parser", []), ("mime4j-mimetools", ["--raw"]), ("mime4j-testmsgs", ["--raw"])] {
            let outcome = try run(
                "/usr/bin/python3",
                [
                    "\(corpora)/runners/mime_check.py", "\(corpora)/mime/NEUTRAL-\(suite).json",
                    "\(Project.root)/Tests/Tools/MIMECheck/MAP.py", Project.beside("MIMECheck"),
                ] + raw
            )
            let last = try #require(outcome.output.split(separator: "\n").last, "\(outcome.errors)")
            let counts = try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Int])
            found.merge(counts, uniquingKeysWith: +)
        }
        #expect(found["messages"] == 101)
        #expect(found["crash"] == 0)
        #expect(try #require(found["leafcount_ok"]) >= 96)
        #expect(try #require(found["types_ok"]) >= 96)
        #expect(found["bodies"] == 254)
        #expect(try #require(found["bodies_ok"]) >= 242)
    }

    @Test func theBrowserExampleShowsOpensAndFlags() throws {
        let port = UInt16.random(in: 20_000...30_000)
        let origin = "http://127.0.0.1:\(port)"
        let server = try RunningServer(data: "\(try root)/data", ["--set", "http.corsOrigins=\(origin)"])
        let data = "\(try root)/data"
        try Project.verb("account", "add", "--alias", "demo", "--no-password", "demo@example.org", data: data)
        try Project.verb("import", "--account", "demo", "\(Project.root)/Examples/mail", data: data)
        let token = try Project.verb(
            "token",
            "create",
            "--account",
            "demo",
            "--scope",
            "read",
            "--scope",
            "write",
            "--origin",
            origin,
            data: data
        )
        let outcome = try python(
            "browser.py",
            [
                "http://\(try server.address("http"))", "demo",
                token.output.trimmingCharacters(in: .whitespacesAndNewlines), "\(port)",
                "\(Project.root)/Examples/inbox",
            ]
        )
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
        #expect(outcome.output.contains("another origin is told:"))
        #expect(try server.stop() == 0)
    }

    @Test(.enabled(if: hasStandardWebhooks, "Scripts/test has not installed standardwebhooks"))
    func everyLiveWebhookGetsEveryEventThroughAKill() throws {
        let outcome = try pythonWithLibraries(
            "webhooks.py",
            [Project.postern, "\(try root)/data", "--events", "150", "--kills", "1", "--mails", "20"]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
        #expect(try Project.verb("verify", data: "\(try root)/data").status == 0)
    }

    @Test(.enabled(if: hasStandardWebhooks, "Scripts/test has not installed standardwebhooks"))
    func theWebhookReceiversTakeWhatIsSignedAndNothingElse() throws {
        let server = try RunningServer(
            data: "\(try root)/data",
            [
                "--set", "egress.allow=127.0.0.0/8", "--set", "egress.webPorts=any", "--set",
                "webhooks.retrySeconds=1,1,1,1",
            ]
        )
        let outcome = try pythonWithLibraries(
            "webhook_receivers.py",
            [try readyFile(server), "\(Project.root)/Examples/webhooks", try root]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
        #expect(try server.stop() == 0)
    }

    /// Some that hang, lie and refuse; all of them are for a release build.
    @Test func accountsAtServersThatMisbehaveKeepToThemselves() throws {
        let names = [
            "refuses-login", "lists-nothing", "flips-uidvalidity", "says-nothing", "cuts-in-literal", "lacks-starttls",
            "refuses-starttls", "injects-behind-starttls", "answers-starttls-in-clear", "repeats-uidl",
        ]
        let outcome = try python("misbehaviours.py", [Project.postern, "\(try root)/misbehaviours"] + names)
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
    }

    @Test(.enabled(if: Dovecot.isInstalled, "dovecot is not installed"))
    func mailAtAPOP3ServerIsFetchedOnceAndDeletedWhenItIsHere() throws {
        let relay = try PeerProcess.freePorts(1)[0]
        let dovecot = try Dovecot(relay: relay)
        defer { dovecot.stop() }
        let ports = [
            "pop3": dovecot.pop3, "pop3s": dovecot.pop3s, "lmtp": dovecot.lmtp, "submissions": dovecot.submissions,
            "relay": relay,
        ]
        try JSONEncoder().encode(ports).write(to: dovecot.folder.appendingPathComponent("ports.json"))
        let outcome = try python("pop3_account.py", [Project.postern, "\(try root)/pop3", dovecot.folder.path])
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled, "dovecot is not installed"))
    func whatIsAtAServerIsReadAndFoundThere() throws {
        let dovecot = try DovecotIMAP()
        defer { dovecot.stop() }
        let server = try RunningServer(
            data: "\(try root)/data",
            [
                "--set", "egress.allow=127.0.0.0/8", "--set", "egress.mailPorts=any", "--set",
                "remote.pollSeconds=86400",
            ]
        )
        let outcome = try python("remote_reading.py", [try readyFile(server), "\(dovecot.imap)"])
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
        #expect(try server.stop() == 0)
        #expect(try Project.verb("verify", data: "\(try root)/data").status == 0)
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled, "dovecot is not installed"))
    func aMailboxAtAServerIsTheSameFromBothSides() throws {
        let dovecot = try DovecotIMAP()
        defer { dovecot.stop() }
        let server = try RunningServer(
            data: "\(try root)/data",
            ["--set", "egress.allow=127.0.0.0/8", "--set", "egress.mailPorts=any"]
        )
        let outcome = try python(
            "remote_account.py",
            [try readyFile(server), "\(dovecot.imaps)", dovecot.folder.appendingPathComponent("cert.pem").path]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
        #expect(try server.stop() == 0)
        #expect(try Project.verb("verify", data: "\(try root)/data").status == 0)
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled, "dovecot is not installed"))
    func eachChangeOnEitherSideIsOneEventThroughCutsAndKills() throws {
        let dovecot = try DovecotIMAP(hasListIndex: false)
        defer { dovecot.stop() }
        let outcome = try python(
            "remote_changes.py",
            [Project.postern, "\(try root)/changes", dovecot.folder.path, "\(dovecot.imaps)"]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
    }

    /// What of the API there is at which backend.
    @Test func everyOperationDoesTheSameAtEachServer() throws {
        var servers: [String: [String: String]] = [:]
        var running: [() -> Void] = []
        defer { for stop in running { stop() } }
        func add(_ name: String, _ kind: String, _ port: UInt16, _ more: [String: String]) {
            servers[name] = more.merging(["kind": kind, "port": "\(port)", "username": "u1", "password": "pw"]) { $1 }
        }
        func secured(by folder: URL) -> [String: String] {
            ["tls": "implicit", "certificate": folder.appendingPathComponent("cert.pem").path]
        }
        if DovecotIMAP.isInstalled {
            let dovecot = try DovecotIMAP()
            running.append { dovecot.stop() }
            add("Dovecot IMAP", "imap", dovecot.imaps, secured(by: dovecot.folder))
        }
        if CyrusIMAP.isInstalled {
            let cyrus = try CyrusIMAP()
            running.append { cyrus.stop() }
            add("Cyrus IMAP", "imap", cyrus.imaps, secured(by: cyrus.folder))
        }
        if CourierIMAP.isInstalled {
            let courier = try CourierIMAP()
            running.append { courier.stop() }
            add("Courier IMAP", "imap", courier.imap, ["tls": "none"])
        }
        if Dovecot.isInstalled {
            let dovecot = try Dovecot(relay: try PeerProcess.freePort())
            running.append { dovecot.stop() }
            var more = secured(by: dovecot.folder)
            more["lmtp"] = "\(dovecot.lmtp)"
            add("Dovecot POP3", "pop3", dovecot.pop3s, more)
        }
        let list = "\(try root)/servers.json"
        try JSONEncoder().encode(servers).write(to: URL(fileURLWithPath: list))
        let outcome = try python(
            "remote_operations.py",
            [Project.postern, "\(try root)/operations", "\(Project.root)/openapi.yaml", list]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(8000)) \(outcome.errors)")
    }

    @Test(.enabled(if: DovecotIMAP.isInstalled, "dovecot is not installed"))
    func aMailboxIsConnectedByItsOwnersConsent() throws {
        let provider = try #require(try PeerProcess.freePorts(1).first)
        let dovecot = try DovecotIMAP(introspection: provider)
        defer { dovecot.stop() }
        let certificate = dovecot.folder.appendingPathComponent("cert.pem").path
        let outcome = try python(
            "connecting.py",
            [Project.postern, "\(try root)/connecting", "\(provider)", "\(dovecot.imaps)", certificate]
        )
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
    }

    @Test func aKeyIsRotatedThroughKills() throws {
        let outcome = try python("key_rotation.py", [Project.postern, "\(try root)/rotation", "--kills", "8"])
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)")
    }
}
