// SPDX-License-Identifier: Apache-2.0

import Files
import MailTypes
import Wire

/// The first token of a new store, with all rights, in a file that only we can read.
package enum AdminToken {
    package static let fileName = "admin-token"

    /// Makes the token if the store has none that may administer, and writes its text and a line end to `path`.
    ///
    /// Returns whether it did. The file comes first: a token nobody can read would lock everybody out.
    @discardableResult
    package static func ensure(at path: String, tokens: TokenAuthenticator) async throws -> Bool {
        guard try await !tokens.list().contains(where: { $0.allows(.admin) && $0.accounts == nil }) else {
            return false
        }
        let made = try await tokens.create(TokenDraft(name: "admin", scopes: .all)) { text in
            try text.withOctets { try Files.replaceContents(of: path, with: $0 + [ASCII.lf]) }
        }
        return made.grant.allows(.admin)
    }
}
