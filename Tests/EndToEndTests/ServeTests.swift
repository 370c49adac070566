// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `postern serve`, from outside.
@Suite struct ServeTests {
    private let folder = try? Folder()
    private var data: String { get throws { try #require(folder).path + "/data" } }

    @Test func itSaysWhereItListensAndEndsInOrder() throws {
        let server = try RunningServer(data: try data, ["--set", "listeners.https="])
        #expect(server.ready["ready"] as? Bool == true)
        for name in ["http", "smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps"] {
            #expect(try server.address(name).hasPrefix("127.0.0.1:"))
        }
        #expect(server.ready["https"] is NSNull)
        #expect(server.ready["adminTokenFile"] as? String == "\(try data)/admin-token")
        #expect(try server.curl("/healthz", authorized: false).status == "200")
        #expect(try server.curl("/readyz", authorized: false).status == "200")
        #expect(try server.curl("/v1/accounts", authorized: false).status == "401")
        #expect(try server.curl("/v1/accounts").status == "200")
        #expect(try server.stop() == 0)
        #expect(server.program.output.split(separator: "\n").count == 1)
    }

    @Test func itsFilesAreForItsUserAlone() throws {
        let server = try RunningServer(data: try data)
        let walk = try #require(FileManager.default.enumerator(atPath: try data))
        for case let name as String in walk {
            let mode =
                try FileManager.default.attributesOfItem(atPath: "\(try data)/\(name)")[.posixPermissions] as? Int
            #expect((mode ?? 0o777) & 0o077 == 0, "\(name)")
        }
        #expect(try server.stop() == 0)
    }

    @Test func aStoppingServerSaysSoFirst() throws {
        let server = try RunningServer(data: try data, ["--set", "shutdown.delaySeconds=3"])
        server.program.signal(SIGTERM)
        #expect(wait(until: { (try? server.curl("/readyz", authorized: false).status) == "503" }, within: 3))
        #expect(try server.curl("/healthz", authorized: false).status == "200")
        #expect(try server.program.end() == 0)
    }

    @Test func aSecondSignalIsFast() throws {
        let server = try RunningServer(data: try data, ["--set", "shutdown.delaySeconds=60"])
        server.program.signal(SIGINT)
        #expect(wait(until: { server.program.errors.contains("stopping") }, within: 5))
        let began = Date()
        server.program.signal(SIGINT)
        #expect(try server.program.end(within: 10) == 1)
        #expect(Date().timeIntervalSince(began) < 5)
    }

    @Test func twoServersDoNotShareAStore() throws {
        let server = try RunningServer(data: try data)
        let second = try run(Project.postern, ["serve", "--data", try data] + RunningServer.freePorts, seconds: 30)
        #expect(second.status == 1)
        #expect(second.errors.contains("Another process has the store open"))
        #expect(try server.curl("/readyz", authorized: false).status == "200")
        #expect(try server.stop() == 0)
    }

    @Test func aHangUpBringsNewSettingsIntoForce() throws {
        let file = try #require(folder).path + "/postern.yaml"
        try "http:\n  corsOrigins: []\n".write(toFile: file, atomically: true, encoding: .utf8)
        let server = try RunningServer(data: try data, ["--config", file])
        func allowed() throws -> Bool {
            try server.curl("/healthz", ["-i", "-H", "Origin: https://app.example.org"], authorized: false).body
                .lowercased()
                .contains("access-control-allow-origin: https://app.example.org")
        }
        #expect(try !allowed())
        try "http:\n  corsOrigins: [\"https://app.example.org\"]\nlog:\n  level: debug\npasswords:\n  rounds: 5000\n"
            .write(toFile: file, atomically: true, encoding: .utf8)
        server.program.signal(SIGHUP)
        #expect(wait(until: { server.program.errors.contains("\"msg\":\"reloaded\"") }, within: 5))
        #expect(try allowed())
        #expect(wait(until: { server.program.errors.contains("\"level\":\"debug\"") }, within: 5))
        try "http:\n  corsOrigin: []\n".write(toFile: file, atomically: true, encoding: .utf8)
        server.program.signal(SIGHUP)
        #expect(wait(until: { server.program.errors.contains("what was in force stays") }, within: 5))
        #expect(try allowed())
        #expect(try server.stop() == 0)
    }

    @Test func everyLineOfTheLogIsJSON() throws {
        let server = try RunningServer(data: try data, ["--set", "log.level=trace"])
        _ = try server.curl("/v1/accounts/x%0Ainjected%22", ["-H", "X-Request-Id: a b\u{1B}[31m"])
        #expect(try server.stop() == 0)
        let lines = server.program.errors.split(separator: "\n")
        #expect(!lines.isEmpty)
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["level"] is String && object?["ts"] is String && object?["msg"] is String, "\(line)")
        }
        #expect(try !server.program.errors.contains(server.token))
    }

    @Test func aWrongConfigurationIsNamedAndNothingStarts() throws {
        let outcome = try run(
            Project.postern,
            ["serve", "--data", try data, "--set", "http.idleSecond=5"],
            seconds: 20
        )
        #expect(outcome.status == 78)
        #expect(outcome.errors.contains("the nearest is http.idleSeconds"))
        #expect(!FileManager.default.fileExists(atPath: try data))
    }

    @Test func anAddressInUseIsNamed() throws {
        let server = try RunningServer(data: try data)
        let other = try #require(folder).path + "/other"
        let outcome = try run(
            Project.postern,
            ["serve", "--data", other, "--set", "listeners.http=\(try server.address("http"))"],
            seconds: 20
        )
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("listeners.http"))
        #expect(try server.stop() == 0)
    }

    @Test func onlyKnownHostsAreServed() throws {
        let server = try RunningServer(data: try data, ["--set", "http.allowedHosts=mail.example.org"])
        #expect(try server.curl("/healthz", ["-H", "Host: mail.example.org"], authorized: false).status == "200")
        let rebound = try server.curl("/healthz", ["-H", "Host: rebound.example.net"], authorized: false).status
        #expect(rebound.hasPrefix("4"))
        #expect(try server.stop() == 0)
    }

    @Test func tlsWorksWithTheCertificateOfOurOwn() throws {
        let server = try RunningServer(data: try data)
        let outcome = try run(
            "curl",
            [
                "-sS", "--cacert", "\(try data)/tls/certificate.pem", "-o", "/dev/null", "-w", "%{http_code}",
                "https://localhost:\(try server.port("https"))/healthz",
            ]
        )
        #expect(outcome.output == "200", "\(outcome.errors)")
        #expect(try server.stop() == 0)
    }

    @Test func aTokenOfTheConfigurationIsTaken() throws {
        let token = "pst_" + String(repeating: "a", count: 52)
        let server = try RunningServer(data: try data, environment: ["POSTERN_ADMIN_TOKEN": token])
        #expect(try server.token == token)
        #expect(try server.curl("/v1/tokens").status == "200")
        #expect(try server.stop() == 0)
        #expect(!server.program.errors.contains(token))
    }
}
