// SPDX-License-Identifier: Apache-2.0

import Files
package import Storage
import Wire

/// Takes another key for what is encrypted in the store, while it is in use.
///
/// The new key is in a file of its own before it seals anything, and takes the old one's file only when nothing is left that the
/// old one sealed. Whenever this is cut short the next start finds both, and goes on (``SecretKeyFile``).
package struct KeyRotation: Sendable {
    /// A value that neither key opens; both keys stay.
    package struct Unreadable: Error, CustomStringConvertible {
        let field: StaticString

        package var description: String {
            "a value of \(field) cannot be decrypted, so that the earlier key is kept: replace that value"
        }
    }

    private let store: Store
    private let box: SecretBox
    private let directory: String
    private let batch: Int

    package init(store: Store, box: SecretBox, directory: String, batch: Int = 100) {
        self.store = store
        self.box = box
        self.directory = directory
        self.batch = batch
    }

    /// Does it all; how many values were sealed anew.
    ///
    /// - Parameter pause: waits as long as a value may be on its way from the box into the store's queue: some seconds are many.
    package func rotate(_ pause: () async -> Void) async throws -> Int {
        try begin()
        var count = try await resealAll()
        var late = 0
        repeat {
            await pause()
            late = try await resealAll()
            count += late
        } while late > 0
        try finish()
        return count
    }

    /// A rotation that came to nothing is gone on with: its key, which is in its file alone, may have sealed values already.
    func begin() throws {
        let path = "\(directory)/\(SecretKeyFile.nextName)"
        box.change(to: try Files.exists(path) ? SecretKeyFile.read(path) : SecretKeyFile.make(path))
    }

    @discardableResult
    func resealAll() async throws -> Int {
        var count = 0
        while true {
            let some = try await resealSome()
            count += some
            guard some > 0 else { return count }
        }
    }

    /// Seals some values anew, in one transaction; how many.
    func resealSome() async throws -> Int {
        let (box, batch) = (box, batch)
        return try await store.write { transaction in
            let rows = try transaction.sealedRows(notBeginningWith: box.head, limit: batch)
            for row in rows {
                let place = SecretBox.Place(row.field, row: row.row)
                let plaintext: Secret
                do {
                    plaintext = try box.open(row.sealed, at: place)
                } catch {
                    throw Unreadable(field: row.field)
                }
                try transaction.replace(row, with: plaintext.withOctets { box.seal($0, at: place) })
            }
            return rows.count
        }
    }

    /// The new key's file takes the old one's place.
    func finish() throws {
        let path = "\(directory)/\(SecretKeyFile.name)"
        try Files.rename("\(directory)/\(SecretKeyFile.nextName)", to: path)
        try Files.syncDirectory(directory)
    }
}
