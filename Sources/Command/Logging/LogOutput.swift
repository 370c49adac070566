// SPDX-License-Identifier: Apache-2.0

package import Configuration
package import Logging
internal import Runtime
internal import Synchronization
package import Wire

/// Where all log lines go: the level and the form that are in force, and the one place that writes.
package final class LogOutput: Sendable {
    private let rank: Atomic<Int>
    private let format: Settings.Log.Format
    private let clock: @Sendable () -> Timestamp
    /// One line at a time: each is one write.
    private let sink: Lock<@Sendable (Span<UInt8>) -> Void>

    package init(
        _ settings: Settings.Log,
        clock: @escaping @Sendable () -> Timestamp,
        sink: @escaping @Sendable (Span<UInt8>) -> Void
    ) {
        rank = Atomic(Self.rank(of: Logger.Level(settings.level)))
        format = settings.format
        self.clock = clock
        self.sink = Lock(sink)
    }

    /// The least level that is written.
    ///
    /// Changed while running, it holds for every logger at once.
    package var level: Logger.Level {
        get { Logger.Level.allCases[rank.load(ordering: .relaxed)] }
        set { rank.store(Self.rank(of: newValue), ordering: .relaxed) }
    }

    package func logger(_ component: String) -> Logger {
        Logger(label: component) { LogLineHandler(component: $0, output: self) }
    }

    private static func rank(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }

    func write(_ line: borrowing LogLine) {
        var buffer = ByteBuffer(capacity: 512)
        switch format {
        case .json: line.appendJSON(to: &buffer, at: clock())
        case .logfmt: line.appendLogfmt(to: &buffer, at: clock())
        }
        sink.withLock { $0(buffer.bytes) }
    }
}

extension Logger.Level {
    package init(_ level: Settings.Log.Level) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }
}

/// swift-log's view of ``LogOutput``: its own metadata, and the common level unless it was given one.
struct LogLineHandler: LogHandler {
    let component: String
    let output: LogOutput
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private var ownLevel: Logger.Level?

    init(component: String, output: LogOutput) {
        self.component = component
        self.output = output
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? output.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var facts = metadata
        if let provided = metadataProvider?.get() { facts.merge(provided) { $1 } }
        if let given = event.metadata { facts.merge(given) { $1 } }
        if let error = event.error { facts["err"] = "\(error)" }
        output.write(
            LogLine(level: event.level, message: event.message.description, component: component, metadata: facts)
        )
    }
}
