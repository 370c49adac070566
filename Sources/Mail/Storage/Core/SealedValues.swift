// SPDX-License-Identifier: Apache-2.0

import SQLite

/// Encrypted values that begin alike: how many rows there are of them.
package struct SealedValues: Hashable, Sendable {
    /// The first octets of each, which say by which key it was sealed.
    package let head: [UInt8]
    package let rows: Int
}

extension StoreView {
    /// Every encrypted value in the store, by its first five octets.
    package func sealedValues() throws -> [SealedValues] {
        try connection.all(
            """
            SELECT head, count(*) FROM (
                SELECT substr(sealed, 1, 5) AS head FROM webhook_secrets
                UNION ALL SELECT substr(headers, 1, 5) FROM webhooks WHERE headers IS NOT NULL
                UNION ALL SELECT substr(secret, 1, 5) FROM remote_servers WHERE secret IS NOT NULL
                UNION ALL SELECT substr(refresh, 1, 5) FROM oauth_grants
                UNION ALL SELECT substr(access, 1, 5) FROM oauth_grants WHERE access IS NOT NULL
            ) GROUP BY head
            """
        ) { SealedValues(head: $0.array(0), rows: $0.int(1)) }
    }
}
