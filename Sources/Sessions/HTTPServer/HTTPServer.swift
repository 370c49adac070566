// SPDX-License-Identifier: Apache-2.0

import HTTP
package import Logging
package import Runtime
import Sockets
package import Transport
import Wire

/// Serves HTTP/1.1 on connections that a listener hands in.
package final class HTTPServer: Sendable {
    let configuration: HTTPServerConfiguration
    let application: any HTTPApplication
    let observer: (any HTTPObserver)?
    let clock: Clock
    let logger: Logger
    let hosts: [[UInt8]]
    let origins: [[UInt8]]
    /// The CORS fields that do not depend on the request.
    let exposedFields: [UInt8]
    /// Where requests become lines, and at which level, if they do.
    let accessLogger: Logger
    let accessLevel: Logger.Level
    /// Whether each request becomes a line in the log.
    let logsRequests: Bool
    /// Whether anyone wants to know how long a request took.
    let measures: Bool
    private let states = LoopLocal { _ in HTTPLoopState() }

    /// - Parameter accessLogger: gets a line for each request, at the level info; without it `logger` gets one if it takes
    ///   the level debug.
    package init(
        configuration: HTTPServerConfiguration,
        application: any HTTPApplication,
        observer: (any HTTPObserver)? = nil,
        clock: Clock,
        logger: Logger,
        accessLogger: Logger? = nil
    ) {
        self.configuration = configuration
        self.application = application
        self.observer = observer
        self.clock = clock
        self.logger = logger
        self.accessLogger = accessLogger ?? logger
        accessLevel = accessLogger == nil ? .debug : .info
        logsRequests = accessLogger != nil || logger.logLevel <= .debug
        measures = logsRequests || observer != nil
        hosts = configuration.allowedHosts.map { ASCII.lowercased($0.utf8) }
        origins = configuration.allowedOrigins.map { Array($0.utf8) }
        exposedFields = Array(configuration.exposedFields.joined(separator: ", ").utf8)
    }

    /// Serves one connection until it ends, and closes it.
    ///
    /// Call it on the connection's loop.
    package func serve(_ connection: Connection) async {
        connection.setDeadline(milliseconds: configuration.headerMilliseconds)
        await serve(connection, mayRest: false)
    }

    /// A connection without requests for so long gives up its task.
    ///
    /// Long enough that a busy connection never does, short enough that thousands which come and stay idle share the memory.
    private static let restMilliseconds = 100

    /// Serves what comes before the deadline that is set; `mayRest` says whether the deadline is that of giving up the task
    /// only.
    private func serve(_ connection: Connection, mayRest: Bool) async {
        let state = states[connection.loop]
        let canRest = configuration.idleMilliseconds > Self.restMilliseconds
        var mayRest = mayRest
        do throws(IOError) {
            while try await connection.idle() {
                let exchange = state.take(self, connection)
                let outcome = await exchange.run()
                state.give(exchange)
                guard outcome == .idle else { break }
                mayRest = canRest
                connection.setDeadline(milliseconds: canRest ? Self.restMilliseconds : configuration.idleMilliseconds)
            }
        } catch {
            if error == .timeout, mayRest {
                connection.setDeadline(milliseconds: configuration.idleMilliseconds - Self.restMilliseconds)
                return connection.rest { await self.serve($0, mayRest: false) }
            }
            if error == .timeout { observer?.rejected(reason: "idle") }
        }
        connection.close()
    }
}

/// What the connections of one loop share.
///
/// Only that loop's thread touches it.
final class HTTPLoopState {
    private var exchanges: [HTTPExchange] = []
    private var date: [UInt8] = []
    private var dateEnd: UInt64 = 0
    /// The `Host` that was found to be ours last: the next is nearly always the same.
    var lastHost: [UInt8] = []
    private var requestID = [UInt8](repeating: 0x30, count: 32)

    init() {
        var random = SystemRandomNumberGenerator()
        for index in 0..<16 {
            let digit = UInt8.random(in: 0..<16, using: &random)
            requestID[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
        }
    }

    func take(_ server: HTTPServer, _ connection: Connection) -> HTTPExchange {
        let exchange =
            exchanges.popLast() ?? HTTPExchange(server: server, loop: self, connection: connection)
        exchange.connection = connection
        return exchange
    }

    func give(_ exchange: HTTPExchange) {
        if exchanges.count < 64 { exchanges.append(exchange) }
    }

    /// The `Date` line, made anew when the loop's time (nanoseconds) has passed the second it is for.
    func dateLine(_ now: UInt64, _ clock: Clock) -> [UInt8] {
        if now >= dateEnd {
            let moment = Timestamp(milliseconds: clock.now())
            var line = ByteBuffer()
            line.append("Date: ")
            line.append(imfFixdate: moment)
            line.appendLineEnd()
            date = line.array()
            dateEnd = now &+ UInt64(1000 - (moment.milliseconds - moment.seconds * 1000)) * 1_000_000
        }
        return date
    }

    /// 32 hexadecimal digits that nobody else has: a random number, and a count.
    func nextRequestID() -> [UInt8] {
        var index = requestID.count - 1
        while index >= 16 {
            let digit = requestID[index]
            requestID[index] = digit == 0x39 ? 0x61 : digit == 0x66 ? 0x30 : digit + 1
            if digit != 0x66 { break }
            index -= 1
        }
        return requestID
    }
}
