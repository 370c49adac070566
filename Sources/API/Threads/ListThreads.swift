// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import MailTypes
import Storage
import Wire

/// `GET /v1/accounts/{account}/threads`: conversations, the one with the newest message first.
enum ListThreads {
    private struct Shown: Sendable {
        let thread: ThreadRow
        /// The `subject` of its newest message, as JSON.
        let subject: [UInt8]
    }

    static let operation = Operation("listThreads", .get, "/v1/accounts/{account}/threads", scope: .read) { call in
        let (account, caller) = (call.account, call.caller)
        _ = try await call.store.read { try account.resolve(in: $0, for: caller).key }
        var query = call.query
        let folder = query.text("folder", minimum: 1, maximum: 64).map { FolderReference($0) }
        let page = Page(&query)
        try query.finish()
        let found = try await call.store.read { snapshot in
            let account = try account.resolve(in: snapshot, for: caller)
            let rows = try snapshot.threads.list(
                in: account.key,
                folder: try folder.map { try $0.resolve(in: snapshot, of: account).key },
                after: page.cursor.flatMap { MessageCursor($0.span) },
                limit: page.limit + 1
            )
            return try rows.map { Shown(thread: $0, subject: try subject(of: $0, in: account.key, snapshot)) }
        }
        let shown = Array(found.prefix(page.limit))
        let next = found.count > page.limit ? shown.last?.thread.cursor.digits : nil
        try await call.respond { $0.page(shown, next: next, write) }
    }

    private static func subject(of thread: ThreadRow, in account: AccountKey, _ snapshot: Snapshot) throws -> [UInt8] {
        var subject = Array("null".utf8)
        var filter = MessageFilter()
        filter.thread = thread.key
        _ = try snapshot.messages.list(filter, in: account, limit: 1) { message in
            let shown = message.shown
            var members = JSONMembers()
            while let member = members.next(of: shown) {
                guard shown.extracting(member.name).equals("subject") else { continue }
                subject = shown.extracting(member.name.upperBound + 2..<member.whole.upperBound).array()
            }
        }
        return subject
    }

    private static func write(_ shown: Shown, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("id")
        writer.string { shown.thread.id.append(to: &$0) }
        writer.key("subject")
        writer.raw(value: shown.subject.span)
        writer.key("messages")
        writer.number(shown.thread.total)
        writer.key("unread")
        writer.number(shown.thread.unread)
        writer.key("latest")
        writer.timestamp(shown.thread.latest)
        writer.endObject()
    }
}
