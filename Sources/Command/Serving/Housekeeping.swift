// SPDX-License-Identifier: Apache-2.0

internal import Logging
internal import Sockets
internal import Storage

/// Removes now and then what the store no longer keeps: at start, and every ten minutes.
enum Housekeeping {
    private static let pauseMilliseconds = 600_000

    /// Runs until it is cancelled.
    static func start(_ store: Store, on loop: EventLoop, logger: Logger) -> Task<Void, Never> {
        for hash in store.quarantine.found {
            logger.warning(
                "a message ended the process while it was read: it is kept unread",
                metadata: ["hash": "\(hash)"]
            )
        }
        return Task(executorPreference: loop) {
            while !Task.isCancelled {
                await sweep(store, logger: logger)
                do { try await loop.sleep(milliseconds: pauseMilliseconds) } catch { return }
            }
        }
    }

    private static func sweep(_ store: Store, logger: Logger) async {
        do {
            let rows = try await store.sweep()
            let files = try await store.sweepBodies()
            if rows + files > 0 { logger.info("swept", metadata: ["rows": "\(rows)", "files": "\(files)"]) }
        } catch StoreError.closed {
            return
        } catch {
            logger.warning("sweeping failed", metadata: ["err": "\(error)"])
        }
    }
}
