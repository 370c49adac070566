// SPDX-License-Identifier: Apache-2.0

import Files
import Runtime
import SQLite
import Wire

extension Store {
    /// Writes one state of the store to a new directory, while reading and writing go on, and checks what it wrote.
    ///
    /// The state is that of a moment after the call: everything acknowledged before is in it. Bodies with a file of their own
    /// are further names of the same files where the file system allows it, copies elsewhere. Throws ``BackupError``; a
    /// backup that came to nothing leaves nothing.
    package func backUp(to path: String) async throws -> BackupManifest {
        let directory = BackupDirectory(path: path)
        let thread = BlockingPool(name: "backup", threads: 1)
        defer { thread.stop() }
        return try await bodies.keepingAll { [configuration, bodies, clock] in
            try await thread.run {
                try BackupWriter(configuration: configuration, bodies: bodies, directory: directory).write(
                    at: Timestamp(milliseconds: clock.now())
                )
            }
        }
    }
}

/// One backup being written, on a thread of its own.
private struct BackupWriter: Sendable {
    let configuration: StoreConfiguration
    let bodies: BodyFiles
    let directory: BackupDirectory

    /// Pages copied in one go: 4 MiB.
    private static let pages: Int32 = 1024

    func write(at time: Timestamp) throws -> BackupManifest {
        do {
            try prepare()
        } catch let error as FileError {
            throw BackupError.file(directory.path, error)
        }
        do {
            // Journals of imports must not know of messages that the state has not: so these come first.
            try copySmallFiles()
            let manifest = try copyState(at: time)
            // Before it is complete, so that what is unsound never looks like a backup.
            let findings = try check(manifest)
            guard findings.isEmpty else { throw BackupError.unsound(findings) }
            try Files.replaceContents(of: "\(directory.path)/\(BackupManifest.fileName)", with: manifest.octets)
            return manifest
        } catch {
            try? Files.removeTree(directory.path)
            switch error {
            case let error as FileError: throw BackupError.file(directory.path, error)
            case let error as SQLiteError: throw StoreError(error) ?? error
            default: throw error
            }
        }
    }

    private func prepare() throws {
        guard try Files.isEmptyDirectory(directory.path) else { throw BackupError.occupied(directory.path) }
        try Files.makeDirectories(directory.path)
        let (own, target) = (try Files.canonicalPath(configuration.directory), try Files.canonicalPath(directory.path))
        guard target != own, !target.utf8.starts(with: Array((own + "/").utf8)) else {
            try Files.removeDirectory(directory.path)
            throw BackupError.withinStore(directory.path)
        }
        let size = UInt64(clamping: try Files.status(configuration.databasePath).size)
        let needed = size + UInt64(clamping: configuration.minimumFreeOctets)
        let free = try Files.freeSpace(directory.path)
        guard free >= needed else {
            try Files.removeDirectory(directory.path)
            throw BackupError.noRoom(neededOctets: needed, freeOctets: free)
        }
    }

    // MARK: The state

    private struct KeptBody {
        let hash: BodyHash
        let size: Int64
    }

    private func copyState(at time: Timestamp) throws -> BackupManifest {
        let source = try SQLiteConnection(configuration.databasePath, .readOnly)
        try source.configure(busyMilliseconds: 5000)
        try source.execute("BEGIN")
        let kept = try source.all("SELECT hash, size FROM bodies WHERE data IS NULL") { row in
            guard let hash = BodyHash(octets: row.array(0)) else { throw StoreError.corrupt("a hash is malformed") }
            return KeptBody(hash: hash, size: row.int64(1))
        }
        let accounts = try source.first("SELECT count(*) FROM accounts WHERE deleted IS NULL") { $0.int64(0) }
        let messages = try source.first("SELECT count(*) FROM messages") { $0.int64(0) }
        try copyDatabase(source)
        try source.execute("ROLLBACK")
        try copyBodies(kept)
        guard let hash = try FileDigest.sha256(directory.databasePath) else {
            throw StoreError.corrupt("no digest")
        }
        return BackupManifest(
            schema: Schema.version,
            created: time,
            accounts: accounts ?? 0,
            messages: messages ?? 0,
            bodyFiles: Int64(kept.count),
            databaseOctets: try Files.status(directory.databasePath).size,
            bodyOctets: kept.reduce(0) { $0 + $1.size },
            databaseHash: hash
        )
    }

    private func copyDatabase(_ source: SQLiteConnection) throws {
        do {
            let target = try SQLiteConnection(directory.databasePath, .create)
            try source.copy(to: target, pages: Self.pages) {}
            // One file that can be read where nothing can be written.
            try target.execute("PRAGMA journal_mode = DELETE")
        }
        try File(directory.databasePath, .readWrite).sync()
        try Files.syncDirectory(directory.path)
    }

    private func copyBodies(_ kept: [KeptBody]) throws {
        try Files.makeDirectories(directory.bodiesPath)
        var folders: Set<String> = []
        for body in kept {
            let path = directory.bodyPath(of: body.hash)
            let folder = Files.parent(of: path)
            if folders.insert(folder).inserted { try Files.makeDirectories(folder) }
            try Files.linkOrCopy(bodies.path(of: body.hash), to: path)
        }
        for folder in folders { try Files.syncDirectory(folder) }
    }

    private func check(_ manifest: BackupManifest) throws -> [StoreFinding] {
        let connection = try SQLiteConnection(directory.databasePath, .readOnly)
        try connection.configure(busyMilliseconds: 5000)
        return try StoreRules.findings(connection)
            + BodyOctets.findings(connection) { [directory] in directory.bodyPath(of: $0) }
    }

    // MARK: The small files

    private func copySmallFiles() throws {
        for name in try SmallFiles.names(in: configuration.directory) {
            let target = "\(directory.filesPath)/\(name)"
            try Files.makeDirectories(Files.parent(of: target))
            try Files.copy("\(configuration.directory)/\(name)", to: target)
            try Files.syncDirectory(Files.parent(of: target))
        }
    }
}

/// What else a data directory keeps, besides the database, the bodies and what is derived or of the moment: tokens, keys and
/// certificates, journals of imports.
enum SmallFiles {
    private static let others: Set<String> = [
        "bodies", "spool", "search", "store.lock", "parsing.slots", "postern.sock", Restoration.markName,
    ]

    /// Paths of them within `directory`, its own files and those of its directories.
    static func names(in directory: String) throws(FileError) -> [String] {
        var names: [String] = []
        for name in try Files.list(directory).sorted() {
            guard !others.contains(name), !name.utf8.starts(with: "postern.sqlite".utf8), name.utf8.first != 0x2E else {
                continue
            }
            let path = "\(directory)/\(name)"
            if Files.isRegularFile(path) {
                names.append(name)
            } else if try !Files.isSymbolicLink(path), try Files.status(path).isDirectory {
                let within = try Files.list(path).sorted().map { "\(name)/\($0)" }
                names += within.filter { Files.isRegularFile("\(directory)/\($0)") }
            }
        }
        return names
    }
}
