// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import JSON
import Storage
import Sync
import Wire

/// `PATCH /v1/accounts/{account}/folders/{folder}`: another name, another place, or both.
enum UpdateFolder {
    private struct Body: Sendable {
        var name: String?
        /// The inner nil is the top.
        var parent: FolderReference??
    }

    static let operation = Operation("updateFolder", .patch, "/v1/accounts/{account}/folders/{folder}", scope: .write) {
        call in
        try call.refuseParameters()
        let (account, folder, caller) = (call.account, call.folder, call.caller)
        let conditions = try Preconditions(call.exchange.fields)
        let (owner, row) = try await call.store.read { snapshot in
            let owner = try account.resolve(in: snapshot, for: caller)
            return (owner, try folder.resolve(in: snapshot, of: owner))
        }
        let body = try await call.decodeBody(read)
        if let mailbox = try call.api.remoteMailbox(of: owner) {
            try conditions.check(FolderJSON.tag(row))
            let wanted = try await call.store.read { snapshot in
                let name = try name(of: row, body, of: owner, snapshot)
                try snapshot.folders.checkRename(row, to: name)
                return name
            }
            let renamed = try await mailbox.renameFolder(row, to: wanted)
            let shown = try await call.store.read { try ShownFolder(renamed, in: $0) }
            return try await call.respond(fields: try shown.fields()) { shown.write(to: &$0) }
        }
        let shown = try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            let row = try folder.resolve(in: transaction, of: account)
            try conditions.check(FolderJSON.tag(row))
            return try ShownFolder(try change(row, body, of: account, transaction), in: transaction)
        }
        try await call.respond(fields: try shown.fields()) { shown.write(to: &$0) }
    }

    private static func change(
        _ folder: FolderRow,
        _ body: Body,
        of account: AccountRow,
        _ transaction: Transaction
    ) throws -> FolderRow {
        try transaction.folders.rename(folder, to: try name(of: folder, body, of: account, transaction))
    }

    /// The whole name that the folder shall have.
    private static func name(
        of folder: FolderRow,
        _ body: Body,
        of account: AccountRow,
        _ view: some StoreView
    ) throws -> FolderName {
        let own = folder.name.text.utf8.split(separator: ASCII.slash).last.flatMap { String($0) } ?? folder.name.text
        let parent: FolderRow? =
            switch body.parent {
            case .some(.some(let reference)): try reference.resolve(in: view, of: account, member: "parent")
            case .some(.none): nil
            case .none: try folder.name.parent.flatMap { try view.folders.find($0, in: account.key) }
            }
        return try FolderName(body.name ?? own, below: parent)
    }

    private static func read(_ reader: inout JSONObjectReader) -> Body? {
        var body = Body()
        let (name, parent) = (reader.take("name"), reader.take("parent"))
        if let name { body.name = name.folderName() }
        if let parent { body.parent = .some(parent.isNull ? nil : parent.folderReference()) }
        if name == nil, parent == nil { reader.errors.add([], .missing, "must have at least one member") }
        return body
    }
}
