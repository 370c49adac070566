// SPDX-License-Identifier: Apache-2.0

import Accounts
import JSON
import MailTypes

/// A token as the API shows it: its rights, never itself.
enum TokenJSON {
    static func write(_ grant: TokenGrant, to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(grant, to: &writer)
        writer.endObject()
    }

    static func writeMembers(_ grant: TokenGrant, to writer: inout JSONWriter) {
        writer.key("id")
        writer.string { grant.id.append(to: &$0) }
        writer.key("name")
        writer.string(grant.name)
        writer.key("scopes")
        writer.beginArray()
        for known in TokenScopes.words where grant.scopes.contains(known.scope) { writer.string(literal: known.word) }
        writer.endArray()
        writer.key("accounts")
        if let accounts = grant.accounts {
            writer.beginArray()
            for account in accounts { writer.string { account.append(to: &$0) } }
            writer.endArray()
        } else {
            writer.null()
        }
        writer.key("origins")
        writer.beginArray()
        for origin in grant.origins { writer.string(origin) }
        writer.endArray()
        writer.key("expiresAt")
        writer.timestamp(grant.expiresAt)
        writer.key("createdAt")
        writer.timestamp(grant.createdAt)
        writer.key("lastUsedAt")
        writer.timestamp(grant.lastUsedAt)
    }
}
