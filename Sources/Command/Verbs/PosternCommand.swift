// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser
internal import Configuration
internal import Files
internal import Runtime

/// `postern`: the server, and the verbs that speak to it.
package struct PosternCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "postern",
        abstract: "A self-hosted HTTP and JSON gateway over mail.",
        version: version,
        subcommands: [
            ServeVerb.self, AccountVerb.self, TokenVerb.self, ImportVerb.self, BackupVerb.self, RestoreVerb.self,
            VerifyVerb.self, QueueVerb.self, QuarantineVerb.self, RotateKeyVerb.self, HealthcheckVerb.self,
            ConfigVerb.self, SimulateVerb.self,
        ]
    )

    /// As the changes of `CHANGELOG.md` are headed.
    static let version = "unreleased"

    package init() {}

    /// Reads the command line, runs the verb, and ends the process with its status.
    package static func runWithArguments() { main() }
}

/// Where the configuration comes from: the same for every verb.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .long, help: "The data directory.")
    var data: String?

    @Option(name: .long, help: "The configuration file, YAML; POSTERN_CONFIG names it too.")
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Any key of the configuration.", valueName: "key=value"))
    var assignments: [String] = []

    /// The configuration in force.
    ///
    /// What is wrong with it ends the command with status 78 (EX_CONFIG).
    func resolve() throws -> ResolvedConfiguration {
        do {
            return try ResolvedConfiguration(try sources())
        } catch let error as ConfigurationError {
            for problem in error.problems { Console.say("postern: \(problem)") }
            throw ExitCode(78)
        }
    }

    private func sources() throws -> ResolvedConfiguration.Sources {
        var sources = ResolvedConfiguration.Sources()
        sources.environment = ProcessSetup.environment()
        sources.readFile = { path in
            (try? Files.contents(path, limit: 1 << 20)).flatMap { String(validating: $0, as: UTF8.self) }
        }
        if let path = config ?? sources.environment["POSTERN_CONFIG"] {
            let octets = try Console.reporting("\(path)") { () throws(FileError) in
                try Files.contents(path, limit: 1 << 20)
            }
            guard let text = String(validating: octets, as: UTF8.self) else {
                throw Console.failure("\(path): it is not UTF-8")
            }
            sources.file = (path, text)
        }
        if let data { sources.flags.append(("data", data, "--data")) }
        for assignment in assignments {
            guard let equals = assignment.firstIndex(of: "=") else {
                throw ValidationError("--set needs KEY=VALUE")
            }
            let name = String(assignment[..<equals])
            sources.flags.append((name, String(assignment[assignment.index(after: equals)...]), "--set \(name)"))
        }
        return sources
    }
}

/// What a verb says to the person who called it.
enum Console {
    /// A line on standard error.
    static func say(_ line: String) { StandardStreams.writeError(Array((line + "\n").utf8).span) }

    /// A line on standard output: the verb's answer.
    static func print(_ line: String) throws { try StandardStreams.writeOutput(Array((line + "\n").utf8)) }

    /// Says why the verb ends, and gives the error that ends it.
    static func failure(_ sentence: String) -> ExitCode {
        say("postern: \(sentence)")
        return .failure
    }

    /// Runs `body`; what it throws becomes a sentence that begins with `subject`, and ends the verb.
    static func reporting<R, E: Error>(_ subject: String, _ body: () throws(E) -> R) throws -> R {
        do { return try body() } catch { throw failure("\(subject): \(error)") }
    }

    /// A text in which nothing moves the terminal's cursor: names and subjects come from elsewhere.
    static func visible(_ octets: [UInt8]) -> String {
        var text = ""
        for scalar in String(decoding: octets, as: UTF8.self).unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            text.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return text
    }
}
