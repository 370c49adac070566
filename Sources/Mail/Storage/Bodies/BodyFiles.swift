// SPDX-License-Identifier: Apache-2.0

package import Files
import Runtime
import SQLite

/// The bodies too large for a row, each a file named by its hash: `bodies/ab/cdef…`.
///
/// A file is complete and lasting before
/// its name appears, and its name before any row that refers to it; so a row never lacks its file, and a file without a
/// row is rubbish that ``beginSweep()`` finds and ``remove(_:)`` clears away.
package final class BodyFiles: Sendable {
    private struct Claims {
        /// How many spooled bodies, not yet known to be in a row, hold a file.
        var held: [BodyHash: Int] = [:]
        /// Claimed since the sweep that is under way began.
        var recent: Set<BodyHash> = []
        /// How many there are who want all files to stay.
        var keepers = 0
    }

    package let directory: String
    /// Where bodies are written before they are complete.
    package let spoolDirectory: String
    private let claims = Lock(Claims())
    private let failureHandler = Lock<(@Sendable (StoreError) -> Void)?>(nil)
    /// Called between the steps of keeping a file, with the name of the step just done; tests throw from it.
    private let fault: (@Sendable (FaultPoint) throws -> Void)?

    /// Where keeping a file may be cut off.
    package enum FaultPoint: Sendable { case beforeSync, beforeRename, beforeDirectorySync, kept }

    /// Makes the directories, and empties the one for the spool: what is there was left by a process that died.
    package init(
        directory: String,
        spoolDirectory: String,
        fault: (@Sendable (FaultPoint) throws -> Void)? = nil
    ) throws(FileError) {
        self.directory = directory
        self.spoolDirectory = spoolDirectory
        self.fault = fault
        try Files.makeDirectories(directory)
        try Files.makeDirectories(spoolDirectory)
        for name in try Files.list(spoolDirectory) { try Files.remove("\(spoolDirectory)/\(name)") }
    }

    private func folder(of hash: BodyHash) -> String { "\(directory)/\(hash.description.prefix(2))" }

    package func path(of hash: BodyHash) -> String { "\(folder(of: hash))/\(hash.description.dropFirst(2))" }

    // MARK: Keeping

    /// Makes the complete file at `temporary` the lasting body of `hash`.
    ///
    /// Blocks: for a thread of its own. The claim on the hash must be held from before this until the row that refers
    /// to it is written.
    ///
    /// An error of the disk is told to who asked for it (``onFailure(_:)``) as well: after a sync that failed nothing is
    /// known of the others. A full disk is no such error.
    func keep(_ temporary: String, file: File, as hash: BodyHash, size: Int64) throws {
        do {
            try makeLasting(temporary, file: file, as: hash, size: size)
        } catch let error as FileError {
            let failure = StoreError(error)
            if failure != .diskFull { failureHandler.withLock({ $0 })?(failure) }
            throw failure
        }
    }

    /// Has errors of the disk told to `handler`.
    func onFailure(_ handler: @escaping @Sendable (StoreError) -> Void) { failureHandler.withLock { $0 = handler } }

    private func makeLasting(_ temporary: String, file: File, as hash: BodyHash, size: Int64) throws {
        let folder = folder(of: hash)
        let path = path(of: hash)
        if let status = try? Files.status(path), status.size == size {
            // The same octets are there already. Their name may not be lasting yet: somebody may be right here beside us.
            try Files.remove(temporary)
        } else {
            try fault?(.beforeSync)
            try file.sync()
            try fault?(.beforeRename)
            if !Files.exists(folder) {
                try Files.makeDirectories(folder)
            }
            try Files.rename(temporary, to: path)
        }
        try fault?(.beforeDirectorySync)
        try Files.syncDirectory(folder)
        try Files.syncDirectory(directory)
        try fault?(.kept)
    }

    /// While a hash is claimed its file is not removed.
    func claim(_ hash: BodyHash) {
        claims.withLock {
            $0.held[hash, default: 0] += 1
            $0.recent.insert(hash)
        }
    }

    func unclaim(_ hash: BodyHash) {
        claims.withLock { claims in
            let count = claims.held[hash] ?? 0
            claims.held[hash] = count > 1 ? count - 1 : nil
        }
    }

    /// A hash of those that rows say have a file, and that has none, or one of another size; nil when all is well.
    func missing(of connection: SQLiteConnection) throws -> BodyHash? {
        var missing: BodyHash?
        try connection.forEach("SELECT hash, size FROM bodies WHERE data IS NULL") { row in
            guard let hash = BodyHash(octets: row.array(0)) else { throw StoreError.corrupt("a hash is malformed") }
            if (try? Files.status(path(of: hash)).size) != row.int64(1) { missing = hash }
            return missing == nil
        }
        return missing
    }

    /// Runs `body` while no file is removed: all that a state read within it refers to are there.
    func keepingAll<R>(_ body: () async throws -> R) async rethrows -> R {
        claims.withLock { $0.keepers += 1 }
        defer { claims.withLock { $0.keepers -= 1 } }
        return try await body()
    }

    // MARK: Sweeping

    /// The hashes of all files.
    ///
    /// What is claimed from now on is safe from ``remove(_:)`` until the next call.
    package func beginSweep() throws(FileError) -> [BodyHash] {
        claims.withLock { $0.recent = Set($0.held.keys) }
        var found: [BodyHash] = []
        for folder in try Files.list(directory) where folder.utf8.count == 2 {
            for name in try Files.list("\(directory)/\(folder)") {
                if let hash = BodyHash(hexadecimal: folder + name) { found.append(hash) }
            }
        }
        return found
    }

    /// Removes the file of a hash that no row has: neither in what was committed after the sweep began, nor in the
    /// transaction in which this is called.
    ///
    /// False when it is claimed, or was since the sweep began.
    package func remove(_ hash: BodyHash) throws(FileError) -> Bool {
        try claims.withLock { (claims) throws(FileError) in
            guard claims.keepers == 0, claims.held[hash] == nil, !claims.recent.contains(hash) else { return false }
            do throws(FileError) {
                try Files.remove(path(of: hash))
            } catch  where error.isNotFound {
                return false
            }
            return true
        }
    }
}
