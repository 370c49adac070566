// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Sync
import Wire

/// `GET /v1/accounts/{account}/messages`: listing is searching; newest first.
enum ListMessages {
    private struct Request: Sendable {
        let account: AccountReference
        let caller: Caller
        let listing: MessageListing
        let fields: MessageFields
        let page: Page
    }

    static let operation = Operation("listMessages", .get, "/v1/accounts/{account}/messages", scope: .read) { call in
        var query = call.query
        let listing = MessageListing(&query)
        let fields = MessageFields.read(&query)
        let page = Page(&query)
        let (account, caller) = (call.account, call.caller)
        do {
            try query.finish()
        } catch {
            _ = try await call.store.read { try account.key(in: $0, for: caller) }
            throw error
        }
        let request = Request(
            account: account,
            caller: caller,
            listing: listing,
            fields: fields ?? .list,
            page: page
        )
        let body = listing.needsSearch ? try await search(request, call.api) : try await list(request, call.store)
        try await call.respond(json: body)
    }

    /// Room for a page of messages of the usual size.
    private static func writer(_ page: Page) -> JSONWriter { JSONWriter(capacity: 512 + page.limit * 900) }

    /// From the columns: one walk over an index, copied as it goes.
    private static func list(_ request: Request, _ store: Store) async throws -> ByteBuffer {
        try await store.read { snapshot in
            let account = try request.account.key(in: snapshot, for: request.caller)
            let filter = try request.listing.filter(in: snapshot, of: account)
            let cursor = request.page.cursor.flatMap { MessageCursor($0.span) }
            var writer = writer(request.page)
            writer.beginObject()
            writer.key("items")
            writer.beginArray()
            let next = try snapshot.messages.list(filter, in: account, after: cursor, limit: request.page.limit) {
                MessageJSON.write($0, request.fields, to: &writer)
            }
            writer.endArray()
            writer.key("next")
            if let next { writer.string { next.append(to: &$0) } } else { writer.null() }
            writer.endObject()
            return writer.finish()
        }
    }

    /// By the search index, and then from the columns.
    private static func search(_ request: Request, _ api: API) async throws -> ByteBuffer {
        let (account, folder) = try await api.store.read { snapshot in
            let account = try request.account.key(in: snapshot, for: request.caller)
            return (account, try request.listing.filter(in: snapshot, of: account).folder)
        }
        let remote = await api.searchServer(
            request.listing.query,
            of: account,
            folder: folder,
            isContinued: request.page.cursor != nil
        )
        let found = try await api.search.page(
            request.listing.query,
            of: account,
            folder: folder,
            known: remote?.hits ?? SearchHits(),
            limit: request.page.limit,
            after: request.page.cursor
        )
        let keys = found.messages.map(\.key)
        let (next, notice) = (found.next?.digits, request.listing.notice)
        return try await api.store.read { snapshot in
            var writer = writer(request.page)
            writer.beginObject()
            writer.key("items")
            writer.beginArray()
            try snapshot.messages.list(keys, in: account) { MessageJSON.write($0, request.fields, to: &writer) }
            writer.endArray()
            writer.key("next")
            writer.string(next)
            if found.isDegraded {
                writer.key("degraded")
                writer.bool(true)
            }
            if let remote { writer.serverSearch(remote) }
            if let notice {
                writer.key("notice")
                writer.string(notice)
            }
            writer.endObject()
            return writer.finish()
        }
    }
}
