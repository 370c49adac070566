// SPDX-License-Identifier: Apache-2.0

package import Storage

/// Whose mail to others goes out at all.
package struct OutgoingRoutes: Sendable {
    /// A server takes what local accounts send to others.
    private let hasRelay: Bool

    package init(hasRelay: Bool) { self.hasRelay = hasRelay }

    /// Through the account's own server, or else through the one that all local accounts share.
    package func lead(from account: AccountRow, in view: some StoreView) throws -> Bool {
        if account.kind == .local, hasRelay { return true }
        return try view.remoteServers.get(.smtp, of: account.key) != nil
    }
}
