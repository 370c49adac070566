// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite

// Which folders mail programs show (RFC 9051 §6.3.7): a list of names beside that of the folders, in which a name may stand
// that no folder has.
extension Folders {
    /// The names, in no particular order.
    package func subscriptions(of account: AccountKey) throws -> [FolderName] {
        try connection.all("SELECT name FROM subscriptions WHERE account = ?1 ORDER BY name", account) {
            FolderName(stored: $0.string(0))
        }
    }
}

extension Folders where View == Transaction {
    /// Names beyond what folders have, at most so many.
    private static var limit: Int { 10_000 }

    package func subscribe(_ name: FolderName, in account: AccountKey) throws {
        let count = try connection.first("SELECT count(*) FROM subscriptions WHERE account = ?1", account) { $0.int(0) }
        guard count ?? 0 < Self.limit else { throw StoreError.exhausted }
        try connection.run("INSERT OR IGNORE INTO subscriptions (account, name) VALUES (?1, ?2)", account, name.text)
    }

    package func unsubscribe(_ name: FolderName, in account: AccountKey) throws {
        try connection.run("DELETE FROM subscriptions WHERE account = ?1 AND name = ?2", account, name.text)
    }

    /// A subscription goes with the folder that gets another name.
    func renameSubscription(_ name: FolderName, to new: FolderName, in account: AccountKey) throws {
        try connection.run(
            "UPDATE OR IGNORE subscriptions SET name = ?3 WHERE account = ?1 AND name = ?2",
            account,
            name.text,
            new.text
        )
    }
}
