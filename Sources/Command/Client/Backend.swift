// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Configuration
internal import Files
internal import Runtime
internal import Sockets
internal import Storage
internal import Wire

/// What a verb works on: the running server, or, where none runs, the store, opened by ourselves.
enum Backend {
    /// Runs `body` with a connection.
    ///
    /// Where nobody answers at the unix socket, a server of our own listens there meanwhile and nowhere else. It has the
    /// store's exclusive lock, so there are never two writers; and another verb that comes by finds it and uses it.
    /// A refusal ends the verb in the server's own words.
    ///
    /// `timeoutSeconds`: how long an answer may take; more for work that reads all of a store.
    static func with<R>(
        _ options: ConfigurationOptions,
        timeoutSeconds: Int = 600,
        _ body: (LocalClient) throws -> R
    ) throws -> R {
        let settings = try options.resolve().settings
        do {
            if let client = try runningServer(settings, timeoutSeconds) { return try body(client) }
            let server = try startOwn(settings)
            defer { server.stop() }
            return try body(try LocalClient(dataDirectory: settings.data, timeoutSeconds: timeoutSeconds))
        } catch let error as LocalClient.Refusal {
            throw Console.failure("\(error)")
        } catch let error as LocalStream.Failure {
            throw Console.failure("\(settings.data)/postern.sock: \(error)")
        } catch let error as LocalResponse.Malformed {
            throw Console.failure("\(settings.data)/postern.sock: the answer was cut off (\(error))")
        }
    }

    private static func runningServer(_ settings: Settings, _ timeoutSeconds: Int) throws -> LocalClient? {
        do {
            return try LocalClient(dataDirectory: settings.data, timeoutSeconds: timeoutSeconds)
        } catch let error as LocalStream.Failure where error.isAbsence {
            return nil
        }
    }

    private static func startOwn(_ settings: Settings) throws -> Server {
        ProcessSetup.keepFilesPrivate()
        var log = settings.log
        log.level = .error
        let logs = LogOutput(log, clock: { Timestamp(milliseconds: Clock.system.now()) }) {
            StandardStreams.writeError($0)
        }
        return try Console.reporting("cannot open the store") { try Server.start(settings, .localOnly, logs: logs) }
    }
}
