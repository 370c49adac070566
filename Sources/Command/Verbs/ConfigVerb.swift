// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Configuration
internal import Files

/// `postern config check|print`.
struct ConfigVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Look at the configuration.",
        subcommands: [Check.self, Print.self]
    )

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what is wrong with it; status 78 if anything is."
        )
        @OptionGroup var options: ConfigurationOptions

        func run() throws { _ = try options.resolve() }
    }

    struct Print: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what is in force, and where each value comes from; secrets are not shown."
        )
        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "Say what each key is for, and which ones SIGHUP brings into force.") var explain = false

        func run() throws {
            try StandardStreams.writeOutput(Array(try options.resolve().printed(explained: explain).utf8))
        }
    }
}
