// SPDX-License-Identifier: Apache-2.0

package import Files

/// Why a backup was not made, or not restored.
package enum BackupError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is something at that place already, which is never overwritten.
    case occupied(String)
    /// The place is within the data directory.
    case withinStore(String)
    /// The place has not so much room.
    case noRoom(neededOctets: UInt64, freeOctets: UInt64)
    /// No backup of ours, or one that was not completed.
    case incomplete(String)
    /// Made by a later version.
    case newer(format: Int64, schema: Int64)
    /// It is not as it was made; or, just made, not as it must be.
    case unsound([StoreFinding])
    case file(String, FileError)

    package var description: String {
        switch self {
        case .occupied(let path): "\(path) is not empty; nothing is overwritten."
        case .withinStore(let path): "\(path) lies in the data directory."
        case .noRoom(let needed, let free): "There are \(free) octets free at that place, and \(needed) are needed."
        case .incomplete(let path): "\(path) holds no backup, or one that was not completed."
        case .newer(let format, let schema):
            "The backup was made by a later version (format \(format), schema \(schema)); restore it with that one."
        case .unsound(let findings):
            "The backup is not sound: " + findings.prefix(5).map(\.description).joined(separator: "; ")
        case .file(let path, let error): "\(path): \(error)"
        }
    }
}
