// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import JSON

/// `postern verify`: checks the store against the rules it keeps, while a server runs or without one.
struct VerifyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check the store; status 1 and a line for each thing that is not as it must be."
    )
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let findings = try Backend.with(options) { try $0.call("POST", LocalApplication.verifyPath).texts("items") }
        for finding in findings { try Console.print(finding) }
        if !findings.isEmpty { throw ExitCode.failure }
        Console.say("nothing is amiss")
    }
}
