// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Sync

/// `POST /v1/accounts/{account}/messages/{message}/copy`: another placement with the same content, under an id of its own.
enum CopyMessage {
    static let operation = Operation(
        "copyMessage",
        .post,
        "/v1/accounts/{account}/messages/{message}/copy",
        scope: .write
    ) { call in
        let store = call.store
        let copy = try await call.change(
            { $0.require("folder")?.folderReference() },
            remotely: { target, message, account, mailbox in
                let folder = try await store.read { try target.resolve(in: $0, of: account, member: "folder") }
                return try await mailbox.copy(message, to: folder).key
            }
        ) {
            target,
            message,
            account,
            transaction in
            let folder = try target.resolve(in: transaction, of: account, member: "folder")
            return try transaction.messages.copy(message, to: folder)
        }
        try await call.respond(.created, copy)
    }
}
