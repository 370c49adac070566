// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Sync

/// `POST /v1/accounts/{account}/folders`.
enum CreateFolder {
    private struct Body: Sendable {
        let name: String
        let parent: FolderReference?
    }

    static let operation = Operation("createFolder", .post, "/v1/accounts/{account}/folders", scope: .write) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        let owner = try await call.store.read { try reference.resolve(in: $0, for: caller) }
        let body = try await call.decodeBody(read)
        if let mailbox = try call.api.remoteMailbox(of: owner) {
            let name = try await call.store.read { snapshot in
                let parent = try body.parent.map { try $0.resolve(in: snapshot, of: owner, member: "parent") }
                return try FolderName(body.name, below: parent)
            }
            let row = try await mailbox.createFolder(name)
            return try await respond(call, try await call.store.read { try ShownFolder(row, in: $0) })
        }
        let shown = try await call.store.write { transaction in
            let account = try reference.resolve(in: transaction, for: caller)
            let parent = try body.parent.map { try $0.resolve(in: transaction, of: account, member: "parent") }
            let name = try FolderName(body.name, below: parent)
            let row = try transaction.folders.create(name, in: account.key)
            // Mail programs that show only what is subscribed to are to show it.
            try transaction.folders.subscribe(name, in: account.key)
            return try ShownFolder(row, in: transaction)
        }
        try await respond(call, shown)
    }

    private static func respond(_ call: Call, _ shown: ShownFolder) async throws {
        var fields = try shown.fields()
        try fields.add("Location", try call.location(below: "folders", "\(shown.row.id)"))
        try await call.respond(.created, fields: fields) { shown.write(to: &$0) }
    }

    private static func read(_ reader: inout JSONObjectReader) -> Body? {
        let name = reader.require("name")?.folderName()
        let parent = reader.take("parent").map { $0.folderReference() } ?? nil
        return name.map { Body(name: $0, parent: parent) }
    }
}
