// SPDX-License-Identifier: Apache-2.0

import MailTypes
package import Storage
import Wire

/// Logins are local accounts, named by their address or their alias.
package struct StoreLogins: LoginDirectory {
    private let store: Store

    package init(_ store: Store) { self.store = store }

    package func login(named name: [UInt8]) async throws -> LoginRecord? {
        guard let text = name.span.utf8String() else { return nil }
        let account = try await store.read { snapshot in
            if let address = EmailAddress(text) { return try snapshot.accounts.find(address: address) }
            return try snapshot.accounts.find(alias: text)
        }
        guard let account, account.kind == .local else { return nil }
        return LoginRecord(
            account: account.id,
            address: account.address,
            verifier: account.verifier,
            isSuspended: account.isSuspended
        )
    }
}
