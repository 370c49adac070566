// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Sync

/// What is done to all messages that filters match, newest first: at most ``limit`` of them in one request, in transactions
/// of some hundreds each so that nobody waits long behind them.
struct BulkChange: Sendable {
    static let limit = 10_000
    static let perTransaction = 500

    let account: AccountReference
    let caller: Caller
    let listing: MessageListing
    let isDryRun: Bool

    struct Outcome: Sendable {
        var matched = 0
        var changed = 0
        var hasMore = false
        /// Why nothing was looked for, and so nothing changed.
        var notice: String?
    }

    /// Finds what matches and has `change` do its work on a few of them at a time; `change` says how many it changed, or
    /// with `isDryRun` would; `remotely` does it for a remote account.
    func run(
        _ api: API,
        dryRun: @escaping @Sendable (Snapshot, AccountRow, [MessageKey]) throws -> Int,
        remotely: (RemoteMailbox, AccountRow, [MessageKey]) async throws -> Int,
        change: @escaping @Sendable (Transaction, AccountRow, [MessageKey]) throws -> Int
    ) async throws -> Outcome {
        // A list may guess what somebody meant to find; what changes or deletes may not.
        if let problem = listing.problem { return Outcome(notice: "\(problem) Nothing was changed.") }
        let (keys, hasMore) = try await keys(api)
        var outcome = Outcome(matched: keys.count, hasMore: hasMore)
        let (account, caller) = (account, caller)
        let owner = try await api.store.read { try account.resolve(in: $0, for: caller) }
        let mailbox = try api.remoteMailbox(of: owner)
        for start in stride(from: 0, to: keys.count, by: Self.perTransaction) {
            let some = Array(keys[start..<min(start + Self.perTransaction, keys.count)])
            if isDryRun {
                outcome.changed += try await api.store.read {
                    try dryRun($0, try account.resolve(in: $0, for: caller), some)
                }
            } else if let mailbox {
                outcome.changed += try await remotely(mailbox, owner, some)
            } else {
                outcome.changed += try await api.store.write {
                    try change($0, try account.resolve(in: $0, for: caller), some)
                }
            }
        }
        return outcome
    }

    private func keys(_ api: API) async throws -> (keys: [MessageKey], hasMore: Bool) {
        let (account, caller, listing) = (account, caller, listing)
        if listing.needsSearch { return try await searchedKeys(api) }
        let keys = try await api.store.read { snapshot in
            let account = try account.key(in: snapshot, for: caller)
            let filter = try listing.filter(in: snapshot, of: account)
            return try snapshot.messages.rows(matching: filter, in: account, limit: Self.limit + 1).map(\.key)
        }
        return (Array(keys.prefix(Self.limit)), keys.count > Self.limit)
    }

    private func searchedKeys(_ api: API) async throws -> (keys: [MessageKey], hasMore: Bool) {
        let (account, caller, listing) = (account, caller, listing)
        let (key, folder) = try await api.store.read { snapshot in
            let account = try account.key(in: snapshot, for: caller)
            return (account, try listing.filter(in: snapshot, of: account).folder)
        }
        let remote = await api.searchServer(listing.query, of: key, folder: folder, isContinued: false)
        if let gap = remote?.gap {
            throw APIProblem.unavailable("search_incomplete", "\(gap.sentence) Nothing was changed.")
        }
        var keys: [MessageKey] = []
        var cursor: SearchCursor?
        repeat {
            let page = try await api.search.search(
                key,
                listing.query,
                folder: folder,
                known: remote?.hits ?? SearchHits(),
                limit: 1000,
                after: cursor
            )
            guard !page.isDegraded else {
                throw APIProblem.unavailable(
                    "search_behind",
                    "The search index has not caught up; nothing was changed."
                )
            }
            keys += page.messages.map(\.key)
            cursor = page.next
        } while cursor != nil && keys.count < Self.limit
        return (Array(keys.prefix(Self.limit)), cursor != nil || keys.count > Self.limit)
    }
}

extension Call {
    /// `{"matched":…,"changed":…,"remaining":…,"dryRun":…}`, and `notice` where there is one.
    func respond(_ outcome: BulkChange.Outcome, isDryRun: Bool) async throws {
        try await respond { writer in
            writer.beginObject()
            writer.key("matched")
            writer.number(outcome.matched)
            writer.key("changed")
            writer.number(outcome.changed)
            writer.key("remaining")
            writer.bool(outcome.hasMore)
            writer.key("dryRun")
            writer.bool(isDryRun)
            if let notice = outcome.notice {
                writer.key("notice")
                writer.string(notice)
            }
            writer.endObject()
        }
    }
}

extension QueryReader {
    /// The filters of a bulk change, which must at least say which folder.
    mutating func bulkListing() -> MessageListing {
        let listing = MessageListing(&self)
        if !listing.hasFolder { fail("folder", "missing", "is required: the id or role of a folder, or all") }
        return listing
    }
}
