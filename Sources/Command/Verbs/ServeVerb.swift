// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Configuration
internal import Files
internal import Logging
internal import Runtime
internal import Wire

/// `postern serve`: runs until it is told to stop.
struct ServeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Prints one line of JSON on standard output when everything listens. SIGTERM and SIGINT end it in order, a \
            second one at once; SIGHUP brings new limits, log level and certificates into force.
            """
    )
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        // Before any other thread exists.
        ProcessSetup.begin()
        var configuration = try options.resolve()
        let logs = LogOutput(configuration.settings.log, clock: { Timestamp(milliseconds: Clock.system.now()) }) {
            StandardStreams.writeError($0)
        }
        let logger = logs.logger("postern")
        harden(logger)
        let server: Server
        do {
            server = try Server.start(configuration.settings, .everything, logs: logs)
        } catch {
            logger.critical("cannot start", metadata: ["err": "\(error)"])
            throw ExitCode.failure
        }
        if configuration.settings.testing.enabled {
            logger.warning(
                "testing is enabled: not for production",
                metadata: ["clock_rate": "\(configuration.settings.testing.clockRate)"]
            )
        }
        try? StandardStreams.writeOutput(server.ready.octets)
        ProcessSetup.notifyServiceManager("READY=1")
        logger.info("ready")
        while StopSignal.wait() == .reload { configuration = reload(server, configuration, logs, logger) }
        ProcessSetup.notifyServiceManager("STOPPING=1")
        logger.info("stopping")
        endAtOnceOnAnotherSignal()
        server.stop()
    }

    private func harden(_ logger: Logger) {
        if let failure = ProcessSetup.forbidDumps() {
            logger.warning("core files could not be forbidden", metadata: ["errno": "\(failure)"])
        }
        let limit = ProcessSetup.raiseDescriptorLimit()
        if limit < 4096 { logger.warning("few descriptors", metadata: ["limit": "\(limit)"]) }
    }

    /// The configuration that is in force afterwards: the old one where the new one is wrong.
    private func reload(
        _ server: Server,
        _ old: ResolvedConfiguration,
        _ logs: LogOutput,
        _ logger: Logger
    ) -> ResolvedConfiguration {
        ProcessSetup.notifyServiceManager("RELOADING=1\nMONOTONIC_USEC=\(Clock.system.monotonic() / 1000)")
        defer { ProcessSetup.notifyServiceManager("READY=1") }
        guard let new = try? options.resolve() else {
            logger.error("the configuration is wrong; what was in force stays")
            return old
        }
        logs.level = Logger.Level(new.settings.log.level)
        server.reload(new.settings)
        for key in new.differences(from: old) where !key.isReloadable {
            logger.warning("needs a restart to take effect", metadata: ["key": "\(key.name)"])
        }
        logger.notice("reloaded")
        return new
    }

    /// What is acknowledged is on the disk: nothing is lost by not waiting for the rest.
    private func endAtOnceOnAnotherSignal() {
        _ = NamedThread("second-signal") {
            while StopSignal.wait() == .reload {}
            ProcessSetup.endAtOnce(status: 1)
        }
    }
}
