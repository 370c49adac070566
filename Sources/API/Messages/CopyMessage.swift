// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage

/// `POST /v1/accounts/{account}/messages/{message}/copy`: another placement with the same content, under an id of its own.
enum CopyMessage {
    static let operation = Operation(
        "copyMessage",
        .post,
        "/v1/accounts/{account}/messages/{message}/copy",
        scope: .write
    ) { call in
        let copy = try await call.change({ $0.require("folder")?.folderReference() }) {
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
