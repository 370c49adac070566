// SPDX-License-Identifier: Apache-2.0

internal import Logging
internal import Runtime
internal import Sockets
internal import Storage
internal import Wire

/// Tells the service manager that we are alive, as often as it asks (sd_watchdog_enabled(3)): only after every loop has done
/// something, and the store's writer has, so that one that hangs is noticed.
///
/// An error of the store's is no sign of death: restarting would not mend a full disk.
enum Watchdog {
    /// Microseconds between two signs of life at most; nil where nobody asks.
    static func interval(_ environment: [String: String], process: Int32) -> UInt64? {
        guard let text = environment["WATCHDOG_USEC"], let microseconds = StrictInteger.decimal(Array(text.utf8)),
            microseconds > 0
        else {
            return nil
        }
        if let addressee = environment["WATCHDOG_PID"], addressee != "\(process)" { return nil }
        return microseconds
    }

    /// Runs until it is cancelled; nil where nobody asks.
    static func start(_ store: Store, _ loops: [EventLoop]) -> Task<Void, Never>? {
        guard let interval = interval(ProcessSetup.environment(), process: ProcessSetup.processID) else { return nil }
        let pause = Int(clamping: max(1, interval / 3000))
        return Task(executorPreference: loops[0]) {
            while !Task.isCancelled {
                for loop in loops { await loop.run {} }
                try? await store.write { _ in }
                ProcessSetup.notifyServiceManager("WATCHDOG=1")
                do { try await loops[0].sleep(milliseconds: pause) } catch { return }
            }
        }
    }
}
