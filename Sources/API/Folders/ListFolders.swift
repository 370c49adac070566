// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Storage

/// `GET /v1/accounts/{account}/folders`: all folders with their counts, by path.
enum ListFolders {
    static let operation = Operation("listFolders", .get, "/v1/accounts/{account}/folders", scope: .read) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        let folders = try await call.store.read { snapshot in
            try snapshot.folders.list(of: try reference.resolve(in: snapshot, for: caller).key)
        }
        let ids = Dictionary(folders.map { ($0.name, $0.id) }) { first, _ in first }
        try await call.respond { writer in
            writer.page(folders, next: nil) { folder, writer in
                FolderJSON.write(folder, parent: folder.name.parent.flatMap { ids[$0] }, to: &writer)
            }
        }
    }
}
