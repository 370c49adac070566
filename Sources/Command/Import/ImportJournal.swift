// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Files
internal import Wire

/// Which messages of a source are in the store already, so that an import that was cut off goes on where it stopped.
///
/// One line per message, written after the server has said that it has it. The moment between the two is covered by the
/// request's `Idempotency-Key`, which is the same at each run.
final class ImportJournal {
    private let file: File
    private var done: Set<[UInt8]> = []
    /// Tells this import from others of the same account.
    private let scope: [UInt8]

    /// Opens or begins the journal of this source for this account and folder, under `directory`.
    init(directory: String, account: String, folder: String, source: String) throws(FileError) {
        scope = Digest.sha256(Array("\(account)\0\(folder)\0\(source)".utf8))
        try Files.makeDirectories(directory)
        let path = "\(directory)/\(Self.hexadecimal(scope)).journal"
        let known = Files.exists(path) ? try Files.contents(path, limit: 1 << 30) : []
        file = try File(path, .append)
        let lines = known.split(separator: ASCII.lf, omittingEmptySubsequences: true).map(Array.init)
        done = Set(lines.filter { $0.count == 64 })
        // A line that was cut off by a crash must not run into the next.
        if let last = known.last, last != ASCII.lf { try file.write([ASCII.lf]) }
    }

    /// The name of one message: the same at each run, another for other octets.
    func name(of message: ImportedMessage, in source: String) -> [UInt8] {
        let place = Array("\(message.folder)\0\(source)\0\(message.key)\0".utf8)
        return Self.hexadecimalOctets(Digest.sha256(scope + place + Digest.sha256(message.octets)))
    }

    func contains(_ name: [UInt8]) -> Bool { done.contains(name) }

    /// Notes that the message is in the store.
    func add(_ name: [UInt8]) throws(FileError) {
        try file.write(name + [ASCII.lf])
        done.insert(name)
    }

    private static func hexadecimalOctets(_ octets: [UInt8]) -> [UInt8] {
        octets.flatMap { octet in [octet >> 4, octet & 15].map { $0 < 10 ? 0x30 + $0 : 0x57 + $0 } }
    }

    private static func hexadecimal(_ octets: [UInt8]) -> String {
        String(decoding: hexadecimalOctets(octets), as: UTF8.self)
    }
}
