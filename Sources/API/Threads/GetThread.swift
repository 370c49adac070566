// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import MailTypes
import Storage
import Wire

/// `GET /v1/accounts/{account}/threads/{thread}`: the messages of a conversation, oldest first; of a very long one the newest.
enum GetThread {
    /// Messages shown at most.
    static let maximumMessages = 1000

    static let operation = Operation("getThread", .get, "/v1/accounts/{account}/threads/{thread}", scope: .read) {
        call in
        try call.refuseParameters()
        let (account, caller) = (call.account, call.caller)
        let id: ThreadID = try call.id("thread", "thread")
        let body = try await call.store.read { snapshot in
            let account = try account.resolve(in: snapshot, for: caller)
            guard let thread = try snapshot.threads.get(id, in: account.key) else {
                throw APIProblem.notFound("thread")
            }
            var filter = MessageFilter()
            filter.thread = thread.key
            let rows = try snapshot.messages.rows(matching: filter, in: account.key, limit: maximumMessages)
            return try write(id, rows.reversed().map(\.key), of: account.key, snapshot)
        }
        try await call.respond(json: body)
    }

    private static func write(
        _ id: ThreadID,
        _ keys: [MessageKey],
        of account: AccountKey,
        _ snapshot: Snapshot
    ) throws -> ByteBuffer {
        var writer = JSONWriter(capacity: 512 + keys.count * 900)
        writer.beginObject()
        writer.key("id")
        writer.string { id.append(to: &$0) }
        writer.key("messages")
        writer.beginArray()
        try snapshot.messages.list(keys, in: account) { MessageJSON.write($0, .list, to: &writer) }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }
}
