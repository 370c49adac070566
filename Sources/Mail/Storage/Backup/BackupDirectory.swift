// SPDX-License-Identifier: Apache-2.0

import Crypto
import Files
import SQLite

/// Where things are in a backup: `postern.sqlite`, the body files as in the store, the small files of the data directory below
/// `files`, and `backup.json` beside them.
package struct BackupDirectory: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    var databasePath: String { path + "/postern.sqlite" }
    var bodiesPath: String { path + "/bodies" }
    var filesPath: String { path + "/files" }

    func bodyPath(of hash: BodyHash) -> String {
        let name = hash.description
        return "\(bodiesPath)/\(name.prefix(2))/\(name.dropFirst(2))"
    }

    package func manifest() throws -> BackupManifest { try BackupManifest.read(in: path) }

    /// Checks all of it, reading every octet; what is not as it must be.
    ///
    /// Blocks, and takes as long as it takes. Throws ``BackupError`` where it is no backup that this version can read.
    package func verify() throws -> [StoreFinding] {
        let manifest = try manifest()
        guard try FileDigest.sha256(databasePath) == manifest.databaseHash else {
            return [StoreFinding(rule: "database file", detail: "it is not the one that was written")]
        }
        let connection = try SQLiteConnection(databasePath, .readOnly)
        try connection.configure(busyMilliseconds: 5000)
        return try StoreRules.findings(connection) + BodyOctets.findings(connection) { bodyPath(of: $0) }
    }
}

/// The digest of a whole file, read in pieces.
enum FileDigest {
    /// Blocks.
    static func sha256(_ path: String) throws(FileError) -> BodyHash? {
        let file = try File(path, .read)
        var digest = SHA256()
        var offset: Int64 = 0
        while true {
            let piece = try file.read(at: offset, count: 1 << 18)
            guard !piece.isEmpty else { return BodyHash(octets: digest.finalize()) }
            digest.update(piece.span)
            offset += Int64(piece.count)
        }
    }
}

/// Whether bodies have the octets that their hashes say.
enum BodyOctets {
    /// Reads every body of the connection's database, and those with files at the paths that `path` gives.
    ///
    /// Blocks.
    static func findings(_ connection: SQLiteConnection, path: (BodyHash) -> String) throws -> [StoreFinding] {
        var findings: [StoreFinding] = []
        try connection.forEach("SELECT hash, size, data FROM bodies") { row in
            guard let hash = BodyHash(octets: row.array(0)) else {
                findings.append(StoreFinding(rule: "body hash", detail: "\(row.array(0).count) octets"))
                return true
            }
            if row.isNull(2) {
                if let finding = file(at: path(hash), hash: hash, size: row.int64(1)) { findings.append(finding) }
            } else if Digest.sha256(row.bytes(2)) != hash.octets {
                findings.append(StoreFinding(rule: "body octets", detail: "\(hash)"))
            }
            return findings.count < 100
        }
        return findings
    }

    private static func file(at path: String, hash: BodyHash, size: Int64) -> StoreFinding? {
        do throws(FileError) {
            let found = try Files.status(path).size
            guard found == size else {
                return StoreFinding(rule: "body file", detail: "\(hash): \(found) octets")
            }
            return try FileDigest.sha256(path) == hash ? nil : StoreFinding(rule: "body octets", detail: "\(hash)")
        } catch {
            return StoreFinding(rule: "body file", detail: error.isNotFound ? "\(hash): missing" : "\(hash): \(error)")
        }
    }
}
