// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Runtime
import Storage

/// A store in a directory of its own.
struct TemporaryStore {
    let store: Store
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("postern-sync-\(UUID().uuidString)")
        store = try Store.open(
            StoreConfiguration(directory: directory.path),
            clock: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    func close() {
        store.close()
        try? FileManager.default.removeItem(at: directory)
    }
}
