// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Third-party test data, read in place from the folder that `POSTERN_TEST_DATA` names.
package enum TestData {
    /// The folder, or nil where the variable is not set: tests that need it are then skipped and say so.
    package static let root: URL? = ProcessInfo.processInfo.environment["POSTERN_TEST_DATA"].map {
        URL(fileURLWithPath: $0, isDirectory: true)
    }

    /// The octets of a file below the root.
    package static func bytes(_ path: String) throws -> [UInt8] {
        guard let root else { throw CocoaError(.fileNoSuchFile) }
        return [UInt8](try Data(contentsOf: root.appendingPathComponent(path)))
    }

    /// All regular files below a folder of the root, sorted by path.
    package static func files(below folder: String) throws -> [URL] {
        guard let root else { return [] }
        let directory = root.appendingPathComponent(folder, isDirectory: true)
        guard
            let walk = FileManager.default.enumerator(
                at: directory,
                includingPropertiesForKeys: [.isRegularFileKey],
                options: []
            )
        else { throw CocoaError(.fileNoSuchFile) }
        return walk.compactMap { $0 as? URL }
            .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
            .sorted { $0.path < $1.path }
    }
}
