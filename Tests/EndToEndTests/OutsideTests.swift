// SPDX-License-Identifier: Apache-2.0

import Foundation
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

    private func readyFile(_ server: RunningServer) throws -> String {
        let path = "\(try root)/ready.json"
        try JSONSerialization.data(withJSONObject: server.ready).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func anIdempotencyKeyHappensOnceThroughFiftyTwinsAndAKill() throws {
        let outcome = try python("idempotency.py", [Project.postern, "\(try root)/data"])
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
}
