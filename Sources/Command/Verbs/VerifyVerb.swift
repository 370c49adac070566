// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import JSON
internal import Storage

/// `postern verify`: checks the store against the rules it keeps, while a server runs or without one; or a backup.
struct VerifyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check the store, or a backup; status 1 and a line for each thing that is not as it must be."
    )
    @OptionGroup var options: ConfigurationOptions
    @Option(help: ArgumentHelp("Check this backup instead.", valueName: "directory")) var backup: String?

    func run() throws {
        let findings = try findings()
        for finding in findings { try Console.print(finding) }
        if !findings.isEmpty { throw ExitCode.failure }
        Console.say("nothing is amiss")
    }

    private func findings() throws -> [String] {
        guard let backup else {
            return try Backend.with(options, timeoutSeconds: BackupVerb.timeoutSeconds) {
                try $0.call("POST", LocalApplication.verifyPath).texts("items")
            }
        }
        return try Console.reporting("cannot be checked") {
            try BackupDirectory(path: backup).verify().map(\.description)
        }
    }
}
