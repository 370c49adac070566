// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What a program said, and how it ended.
struct Outcome {
    let status: Int32
    let output: String
    let errors: String
}

/// Runs a program to its end.
@discardableResult
func run(
    _ program: String,
    _ arguments: [String],
    input: String = "",
    environment: [String: String] = [:],
    seconds: Double = 120
) throws -> Outcome {
    let process = try Program(program, arguments, input: input, environment: environment)
    let status = try process.end(within: seconds)
    return Outcome(status: status, output: process.output, errors: process.errors)
}

/// A program that runs; its output goes to files, so that no pipe can fill up.
final class Program {
    let process = Process()
    private let folder: URL

    init(_ program: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["out", "err"] {
            FileManager.default.createFile(atPath: folder.appendingPathComponent(name).path, contents: nil)
        }
        let inputFile = folder.appendingPathComponent("in")
        try Data(input.utf8).write(to: inputFile)
        process.executableURL = URL(fileURLWithPath: program.hasPrefix("/") ? program : "/usr/bin/env")
        process.arguments = program.hasPrefix("/") ? arguments : [program] + arguments
        // What is set around the tests must not reach the server.
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("POSTERN_") }
        process.environment = inherited.merging(environment) { $1 }
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        process.standardOutput = try FileHandle(forWritingTo: folder.appendingPathComponent("out"))
        process.standardError = try FileHandle(forWritingTo: folder.appendingPathComponent("err"))
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    var output: String { text("out") }
    var errors: String { text("err") }

    private func text(_ name: String) -> String {
        (try? Data(contentsOf: folder.appendingPathComponent(name))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for its end and gives its status; one that takes longer is killed, and that is an error.
    func end(within seconds: Double = 60) throws -> Int32 {
        guard wait(until: { !process.isRunning }, within: seconds) else {
            signal(SIGKILL)
            throw TookTooLong(what: "\(process.arguments ?? []): \(errors.suffix(2000))")
        }
        return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }
}

struct TookTooLong: Error {
    let what: String
}

/// Looks again and again, for so long.
func wait(until isTrue: () -> Bool, within seconds: Double) -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if isTrue() { return true }
        usleep(20_000)
    }
    return isTrue()
}

/// A folder that goes with the object.
final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("pst-\(UInt32.random(in: 0 ... .max))")
        .path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The built command, and the project's folder.
enum Project {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    static let postern = beside("postern")

    /// A program of ours: beside the tests' own binary.
    static func beside(_ name: String) -> String {
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(name).path
    }

    @discardableResult
    static func verb(_ arguments: String..., data: String, input: String = "", seconds: Double = 120) throws -> Outcome
    {
        try run(
            postern,
            arguments + ["--data", data, "--set", "passwords.rounds=4096"],
            input: input,
            seconds: seconds
        )
    }
}

/// A server on free ports.
final class RunningServer {
    let program: Program
    let data: String
    let ready: [String: Any]

    static let freePorts = ["http", "https", "smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps"]
        .flatMap {
            ["--set", "listeners.\($0)=127.0.0.1:0"]
        }

    init(data: String, _ arguments: [String] = [], environment: [String: String] = [:]) throws {
        self.data = data
        let program = try Program(
            Project.postern,
            ["serve", "--data", data, "--set", "passwords.rounds=4096"] + Self.freePorts + arguments,
            environment: environment
        )
        self.program = program
        guard wait(until: { program.output.hasSuffix("\n") || !program.process.isRunning }, within: 30),
            let line = try JSONSerialization.jsonObject(with: Data(program.output.utf8)) as? [String: Any]
        else { throw TookTooLong(what: "start: \(program.errors)") }
        ready = line
    }

    func address(_ name: String) throws -> String { try #require(ready[name] as? String) }
    func port(_ name: String) throws -> String {
        try String(#require(address(name).split(separator: ":").last))
    }

    var token: String {
        get throws {
            try String(contentsOfFile: "\(data)/admin-token", encoding: .utf8).trimmingCharacters(in: .newlines)
        }
    }

    /// Asks with curl; the status and the body.
    func curl(
        _ path: String,
        _ arguments: [String] = [],
        authorized: Bool = true
    ) throws -> (status: String, body: String) {
        var all = ["-sS", "-m", "30", "-w", "\n%{http_code}"] + arguments
        if authorized { all += ["-H", "Authorization: Bearer \(try token)"] }
        let outcome = try run("curl", all + ["http://\(try address("http"))\(path)"])
        let parts = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(parts.last ?? ""), parts.dropLast().joined(separator: "\n"))
    }

    func json(_ path: String, _ arguments: [String] = []) throws -> [String: Any] {
        let (status, body) = try curl(path, arguments)
        try #require(status.hasPrefix("2"), "\(path): \(status) \(body)")
        return try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
    }

    /// Subjects of all messages in a folder, newest first.
    func subjects(_ account: String, folder: String = "inbox") throws -> [String] {
        var subjects: [String] = []
        var cursor: String?
        repeat {
            let page = try json(
                "/v1/accounts/\(account)/messages?folder=\(folder)&limit=200" + (cursor.map { "&cursor=\($0)" } ?? "")
            )
            subjects += (page["items"] as? [[String: Any]] ?? []).map { $0["subject"] as? String ?? "" }
            cursor = page["next"] as? String
        } while cursor != nil
        return subjects
    }

    /// Ends it in order; its status.
    func stop() throws -> Int32 {
        program.signal(SIGTERM)
        return try program.end()
    }
}
