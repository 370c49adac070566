// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Configuration

@Suite struct ResolvedConfigurationTests {
    private func resolve(
        file: String? = nil,
        environment: [String: String] = [:],
        flags: [(String, String)] = [],
        files: [String: String] = [:]
    ) throws -> ResolvedConfiguration {
        var sources = ResolvedConfiguration.Sources()
        sources.file = file.map { ("postern.yaml", $0) }
        sources.environment = environment
        sources.flags = flags.map { ($0.0, $0.1, "--set") }
        sources.readFile = { files[$0] }
        return try ResolvedConfiguration(sources)
    }

    private func problems(
        file: String? = nil,
        environment: [String: String] = [:],
        flags: [(String, String)] = [],
        files: [String: String] = [:]
    ) -> [String] {
        do {
            _ = try resolve(file: file, environment: environment, flags: flags, files: files)
            return []
        } catch let error as ConfigurationError {
            return error.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    /// The printed lines without their origins.
    private func values(_ printed: String) -> [Substring] {
        printed.split(separator: "\n").map { line in line.firstRange(of: "  # ").map { line[..<$0.lowerBound] } ?? line
        }
    }

    @Test func networksPortsAndNameServersAreTaken() throws {
        let settings = try resolve(
            file: "egress:\n  allow: [10.0.0.0/8, 127.0.0.1, \"fd00::/8\"]\n  webPorts: [443, 8000-8999, any]\n",
            environment: ["POSTERN_RESOLVER_SERVERS": "192.0.2.1,192.0.2.1:5353, 2001:db8::1,[2001:db8::1]:53"]
        ).settings
        #expect(settings.egress.allow == ["10.0.0.0/8", "127.0.0.1", "fd00::/8"])
        #expect(settings.egress.webPorts == ["443", "8000-8999", "any"])
        #expect(settings.resolver.servers == ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53"])
    }

    @Test func nothingGivenIsTheDefaults() throws {
        let configuration = try resolve()
        #expect(configuration.settings.listeners.http == "127.0.0.1:8025")
        #expect(ConfigurationKey.all.allSatisfy { configuration.origin(of: $0) == .standard })
    }

    @Test func flagsWinOverEnvironmentOverFileOverDefaults() throws {
        let file = "http:\n  idleSeconds: 1\n  headerSeconds: 2\n  writeStallSeconds: 3\n"
        let environment = ["POSTERN_HTTP_HEADER_SECONDS": "20", "POSTERN_HTTP_WRITE_STALL_SECONDS": "30"]
        let configuration = try resolve(
            file: file,
            environment: environment,
            flags: [("http.writeStallSeconds", "300")]
        )
        let http = configuration.settings.http
        #expect(http.headerFields == 100)
        #expect(http.idleSeconds == 1)
        #expect(http.headerSeconds == 20)
        #expect(http.writeStallSeconds == 300)
        let origins = ["headerFields", "idleSeconds", "headerSeconds", "writeStallSeconds"].map { name in
            ConfigurationKey.named("http.\(name)").map { "\(configuration.origin(of: $0))" }
        }
        #expect(origins == ["default", "postern.yaml:2", "environment POSTERN_HTTP_HEADER_SECONDS", "flag --set"])
    }

    @Test(arguments: [
        (
            "htpp:\n  idleSeconds: 1",
            "postern.yaml:2: there is no key htpp.idleSeconds; the nearest is http.idleSeconds"
        ),
        ("idleSecond: 1", "postern.yaml:1: there is no key idleSecond; the nearest is http.idleSeconds"),
        ("hostnam: a", "postern.yaml:1: there is no key hostnam; the nearest is hostname"),
        ("http: 3", "postern.yaml:1: there is no key http; the nearest is listeners.http"),
        ("http:\n  idleSeconds: 0", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        ("http:\n  idleSeconds: -5", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        ("http:\n  idleSeconds: +5", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        ("http:\n  idleSeconds: \"5\"", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        ("http:\n  idleSeconds: 1e3", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        (
            "http:\n  idleSeconds: 99999999999999999999",
            "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"
        ),
        ("http:\n  idleSeconds: [5]", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        ("http:\n  idleSeconds: {a: 5}", "postern.yaml:2: http.idleSeconds must be a whole number from 1 to 86400"),
        ("testing:\n  enabled: yes", "postern.yaml:2: testing.enabled must be true or false"),
        (
            "log:\n  level: loud",
            "postern.yaml:2: log.level must be one of trace, debug, info, notice, warning, error, critical"
        ),
        (
            "listeners:\n  http: \"8025\"",
            "postern.yaml:2: listeners.http must be an address like 127.0.0.1:8025 or [::1]:0, or nothing"
        ),
        (
            "http:\n  corsOrigins: [app.example.com]",
            "postern.yaml:2: http.corsOrigins must be a list of origins like https://app.example.com"
        ),
        (
            "egress:\n  allow: [10.0.0.1/8]",
            "postern.yaml:2: egress.allow must be a list of networks like 10.0.0.0/8 or fd00::/8"
        ),
        (
            "egress:\n  deny: [example.com]",
            "postern.yaml:2: egress.deny must be a list of networks like 10.0.0.0/8 or fd00::/8"
        ),
        (
            "egress:\n  webPorts: [0]",
            "postern.yaml:2: egress.webPorts must be a list of ports like 443, 8000-8999 or any"
        ),
        (
            "resolver:\n  servers: [\"192.0.2.1:0\"]",
            "postern.yaml:2: resolver.servers must be a list of addresses like 192.0.2.1 or [2001:db8::1]:53"
        ),
        ("data:", "postern.yaml:1: data must be a path"),
        ("- a", "postern.yaml:1: the file must be a mapping of keys to values"),
        ("testing:\n  clockRate: 5", "postern.yaml:2: testing.clockRate needs testing.enabled: true"),
        ("testing:\n  groupCapacity: 1", "postern.yaml:2: testing.groupCapacity needs testing.enabled: true"),
        ("tls:\n  key: a.pem", "postern.yaml:2: tls.certificate and tls.key must be given together"),
    ])
    func aWrongFileIsRefused(_ file: String, _ sentence: String) {
        #expect(problems(file: file) == [sentence])
    }

    @Test func aKeyGivenTwiceIsRefused() {
        #expect(problems(file: "hostname: a\nhostname: b").count == 1)
    }

    @Test func brokenYAMLIsRefused() {
        #expect(problems(file: "http: [1, 2").count == 1)
        #expect(problems(file: "a: b: c").count == 1)
    }

    @Test func everyProblemIsReportedAtOnce() {
        #expect(problems(file: "hostnme: a\nhttp:\n  idleSeconds: x\n", environment: ["POSTERN_DATE": "d"]).count == 3)
    }

    @Test func anEmptyFileIsNoError() throws {
        #expect(try resolve(file: "").printed() == resolve().printed())
        #expect(try resolve(file: "# nothing\n").printed() == resolve().printed())
    }

    @Test func anEmptyListenerIsOff() throws {
        let file = "listeners:\n  smtp: \"\"\n  https: \"[::1]:0\"\n"
        #expect(try resolve(file: file).settings.listeners.smtp == "")
        #expect(try resolve(file: file).settings.listeners.https == "[::1]:0")
    }

    @Test func listsOfTheEnvironmentHaveCommasBetween() throws {
        let variables = ["POSTERN_LOCAL_DOMAINS": "example.org, example.net"]
        #expect(try resolve(environment: variables).settings.localDomains == ["example.org", "example.net"])
    }

    @Test(arguments: ["", "\n", "\r\n"])
    func aFileVariableGivesItsContentWithoutOneLineEnd(_ end: String) throws {
        let token = "pst_" + String(repeating: "k", count: 52)
        let configuration = try resolve(
            environment: ["POSTERN_ADMIN_TOKEN_FILE": "/run/token"],
            files: ["/run/token": token + end]
        )
        #expect(configuration.settings.adminToken?.withOctets { $0 } == Array(token.utf8))
    }

    @Test func aFileVariableAndItsPlainOneTogetherAreRefused() {
        let found = problems(
            environment: ["POSTERN_HOSTNAME": "a", "POSTERN_HOSTNAME_FILE": "/f"],
            files: ["/f": "b"]
        )
        #expect(found == ["environment POSTERN_HOSTNAME_FILE: POSTERN_HOSTNAME is set too; one of the two must go"])
    }

    @Test func aFileVariableWithoutItsFileIsRefused() {
        #expect(
            problems(environment: ["POSTERN_HOSTNAME_FILE": "/f"])
                == ["environment POSTERN_HOSTNAME_FILE: the file /f cannot be read"]
        )
    }

    @Test func anUnknownVariableIsRefusedByName() {
        #expect(
            problems(environment: ["POSTERN_HOST_NAME": "a"])
                == ["environment POSTERN_HOST_NAME: there is no such variable; the nearest is POSTERN_HOSTNAME"]
        )
    }

    @Test func variablesOfOrchestratorsAreNotOurs() {
        let variables = [
            "POSTERN_SERVICE_HOST": "10.0.0.1", "POSTERN_PORT": "tcp://10.0.0.1:80",
            "POSTERN_PORT_80_TCP_ADDR": "10.0.0.1",
            "PATH": "/bin",
        ]
        #expect(problems(environment: variables).isEmpty)
    }

    @Test func aSecretOnTheCommandLineIsRefused() {
        let token = "pst_" + String(repeating: "k", count: 52)
        let found = problems(flags: [("adminToken", token)])
        #expect(found.count == 1)
        #expect(found.allSatisfy { !$0.contains(token) && $0.contains("POSTERN_ADMIN_TOKEN_FILE") })
    }

    @Test func aSecretIsNeverPrinted() throws {
        let token = "pst_" + String(repeating: "k", count: 52)
        let configuration = try resolve(environment: ["POSTERN_ADMIN_TOKEN": token])
        var dumped = ""
        dump(configuration.settings, to: &dumped)
        for text in [configuration.printed(), "\(configuration)", "\(configuration.settings)", dumped] {
            #expect(!text.contains(token))
        }
        #expect(configuration.printed().contains("adminToken: \"‹redacted›\"  # environment POSTERN_ADMIN_TOKEN\n"))
        let short = problems(environment: ["POSTERN_ADMIN_TOKEN": "kurz"])
        #expect(short.count == 1 && !short[0].contains("kurz"))
    }

    @Test func whatIsPrintedIsAFileThatGivesTheSame() throws {
        let file = "hostname: mx.example.org\nlocalDomains: [example.org, example.net]\nlog:\n  level: debug\n"
        let configuration = try resolve(file: file)
        let again = try resolve(file: configuration.printed())
        let names = ConfigurationKey.all.map(\.name)
        #expect(values(again.printed()) == values(configuration.printed()))
        #expect(values(again.printed()).count >= names.count)
        #expect(configuration.printed().contains("hostname: \"mx.example.org\"  # postern.yaml:1\n"))
    }

    @Test func everyKeyHasItsOwnVariable() {
        let variables = Set(ConfigurationKey.all.map(\.variable))
        #expect(variables.count == ConfigurationKey.all.count)
        #expect(variables.contains("POSTERN_LIMITS_MESSAGE_OCTETS"))
    }
}
