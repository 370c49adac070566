// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The verbs, with a server and without one.
@Suite struct VerbTests {
    private let folder = try? Folder()
    private var data: String { get throws { try #require(folder).path + "/data" } }

    @Test(arguments: [true, false])
    func accountsAndTokensAreManaged(_ withServer: Bool) throws {
        let data = try data
        let server = withServer ? try RunningServer(data: data) : nil
        let added = try Project.verb(
            "account",
            "add",
            "ann@example.org",
            "--alias",
            "ann",
            data: data,
            input: "correct horse\n"
        )
        #expect(added.status == 0 && added.output.hasPrefix("acc_"), "\(added.errors)")
        #expect(try Project.verb("account", "add", "ann@example.org", "--no-password", data: data).status == 1)
        #expect(try Project.verb("account", "add", "bob@example.org", data: data).status == 1)
        let id = added.output.trimmingCharacters(in: .newlines)
        #expect(try Project.verb("account", "list", data: data).output == "\(id)\tlocal\tann\tann@example.org\t-\n")
        #expect(try Project.verb("account", "passwd", "ann", data: data, input: "battery staple\n").status == 0)
        let created = try Project.verb("token", "create", "--scope", "read", "--account", "ann", data: data)
        #expect(created.output.hasPrefix("pst_") && created.output.utf8.count == 57)
        let listed = try Project.verb("token", "list", data: data).output
        let line = try #require(listed.split(separator: "\n").first { $0.contains("command line") })
        #expect(line.contains("\tread\t\(id)\t-\t"))
        #expect(!listed.contains(created.output.dropLast()))
        let token = String(try #require(line.split(separator: "\t").first))
        #expect(try Project.verb("token", "revoke", token, data: data).status == 0)
        #expect(try Project.verb("token", "revoke", token, data: data).status == 1)
        #expect(try Project.verb("verify", data: data).status == 0)
        #expect(try Project.verb("healthcheck", data: data).status == (withServer ? 0 : 1))
        #expect(try Project.verb("account", "remove", "ann", data: data, input: "no\n").status == 1)
        #expect(try Project.verb("account", "remove", "ann", "--yes", data: data).status == 0)
        #expect(try Project.verb("account", "list", data: data).output == "")
        if let server { #expect(try server.stop() == 0) }
    }

    @Test func aPasswordComesFromAFileToo() throws {
        let data = try data
        let file = try #require(folder).path + "/password"
        try "correct horse\r\n".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try Project.verb("account", "add", "ann@example.org", "--password-file", file, data: data).status == 0)
    }

    @Test func theConfigurationIsPrintedWithoutSecrets() throws {
        let token = "pst_" + String(repeating: "b", count: 52)
        let outcome = try run(
            Project.postern,
            ["config", "print", "--set", "log.level=debug"],
            environment: ["POSTERN_ADMIN_TOKEN": token]
        )
        #expect(outcome.status == 0)
        #expect(!outcome.output.contains(token))
        #expect(outcome.output.contains("adminToken: \"‹redacted›\"  # environment POSTERN_ADMIN_TOKEN"))
        #expect(outcome.output.contains("  level: debug  # flag --set log.level"))
    }
}
