// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Configuration
internal import Sockets

/// `postern healthcheck`: for containers and supervisors.
struct HealthcheckVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask the running server how it is; status 0 if well, 1 if not."
    )
    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "Ask whether it takes requests (/readyz), not only whether it lives.") var ready = false

    func run() throws {
        let directory = try options.resolve().settings.data
        let target = ready ? "/readyz" : "/healthz"
        do {
            let response = try LocalClient(dataDirectory: directory, timeoutSeconds: 5).send("GET", target)
            try Console.print(Console.visible(response.body))
            if response.status != 200 { throw ExitCode.failure }
        } catch let error as LocalStream.Failure {
            throw Console.failure("\(directory)/postern.sock: \(error)")
        }
    }
}
