// SPDX-License-Identifier: Apache-2.0

import IMAP
package import MailTypes
import Runtime
import Sockets
package import Storage
import Wire

/// What a remote account's server found in the texts of messages.
package struct RemoteSearch: Sendable {
    package internal(set) var hits = SearchHits()
    /// Why something may be missing of what the server has; nil where nothing is.
    package internal(set) var gap: Gap?

    package enum Gap: Hashable, Sendable {
        /// It did not answer in time.
        case timedOut
        /// More messages have the words than are taken: the newest are there.
        case tooMany
        /// Older messages are not mirrored yet.
        case mirroring
        case failed(RemoteError)
    }
}

/// What SEARCH says where a server knows no UTF-8.
enum SearchCharset {
    static let latin1Name = Array("ISO-8859-1".utf8)

    /// The text in ISO-8859-1, where it can be written in that and the server may know it: it says so, or says nothing.
    static func latin1(_ text: [UInt8], known: [[UInt8]]) -> [UInt8]? {
        guard known.isEmpty || known.contains(where: { ASCII.equalsIgnoringCase($0.span, "ISO-8859-1") }),
            let string = text.span.utf8String()
        else { return nil }
        var latin: [UInt8] = []
        for scalar in string.unicodeScalars {
            guard let octet = UInt8(exactly: scalar.value) else { return nil }
            latin.append(octet)
        }
        return latin
    }
}

extension RemoteMailbox {
    /// Messages that one phrase may be found in, and how long what was found serves further pages.
    private static let mostHits = 10_000
    private static let rangesPerRead = 1_000
    private static let keptMilliseconds = 60_000
    private static let keptSearches = 8

    /// A search whose further pages may be asked for.
    struct KeptSearch: Sendable {
        let phrases: [SearchQuery.Phrase]
        let folder: FolderKey?
        let found: RemoteSearch
        /// Nanoseconds of the clock.
        let until: UInt64
    }

    /// Has the server look for phrases in the texts of messages, in one folder or in all, the inbox first; waits for that at
    /// most as long as ``RemoteLimits/searchMilliseconds`` says, and gives what was found by then.
    ///
    /// The server has its own idea of what it means that a text has words in it; most look for the letters, wherever they are.
    ///
    /// - Parameter isContinued: a further page is wanted: what was found for the one before serves a while.
    package func search(
        _ phrases: [SearchQuery.Phrase],
        in folder: FolderKey?,
        isContinued: Bool
    ) async -> RemoteSearch {
        let now = parts.clock.monotonic()
        if isContinued, let kept = kept(phrases, in: folder, at: now) { return kept }
        let run = RemoteSearchRun(phrases)
        let ended = OneShot<Void>()
        Task(executorPreference: loop) {
            await self.run(run, in: folder)
            ended.end(())
        }
        loop.post { [loop, parts] in
            _ = loop.schedule(afterMilliseconds: parts.limits.searchMilliseconds) { ended.end(()) }
        }
        await ended.wait(cancelled: ())
        let found = run.close()
        keep(KeptSearch(phrases: phrases, folder: folder, found: found, until: now &+ Self.lifetime))
        return found
    }

    private static var lifetime: UInt64 { UInt64(keptMilliseconds) * 1_000_000 }

    private func kept(_ phrases: [SearchQuery.Phrase], in folder: FolderKey?, at now: UInt64) -> RemoteSearch? {
        searches.withLock { searches in
            searches.removeAll { $0.until < now }
            return searches.last { $0.phrases == phrases && $0.folder == folder }?.found
        }
    }

    private func keep(_ search: KeptSearch) {
        searches.withLock { searches in
            searches.removeAll { $0.phrases == search.phrases && $0.folder == search.folder }
            searches.append(search)
            if searches.count > Self.keptSearches { searches.removeFirst() }
        }
    }

    // MARK: At the server

    private func run(_ run: RemoteSearchRun, in folder: FolderKey?) async {
        do {
            let folders = try await parts.store.read { [key] snapshot in
                try snapshot.mirror.folders(of: key).filter { mirrored in
                    mirrored.remote?.uidValidity != nil && (folder == nil || mirrored.folder.key == folder)
                }
            }
            let ordered = folders.filter { $0.folder.role == .inbox } + folders.filter { $0.folder.role != .inbox }
            try await searching.perform(isRepeatable: true) { session in
                for mirrored in ordered {
                    guard let remote = mirrored.remote, !run.isOver else { return }
                    try await self.run(run, in: mirrored.folder, remote, session)
                }
            }
            run.finish()
        } catch let error as RemoteError {
            run.note(.failed(error))
        } catch {
            run.note(.failed(.unavailable("The mirror cannot be read.")))
        }
    }

    private func run(
        _ run: RemoteSearchRun,
        in folder: FolderRow,
        _ remote: RemoteFolder,
        _ session: MailboxSession
    ) async throws {
        if let low = remote.low, low > 1 { run.note(.mirroring) }
        for phrase in run.phrases where !run.isOver {
            let uids: IMAPNumberSet
            do {
                uids = try await session.search(remote, text: phrase.text)
            } catch let error as RemoteError {
                guard session.isUsable else { throw error }
                run.note(.failed(error))
                return
            }
            let keys = try await keys(in: folder.key, uids.normalized.ranges) { !run.isOver }
            if !keys.isEmpty { run.add(keys, of: phrase, limit: Self.mostHits) }
        }
    }

    /// The mirrored messages among ascending ranges of UIDs, the highest first: some ranges at a time, because a server may tell of
    /// millions, and no read shall keep others waiting that long.
    func keys(
        in folder: FolderKey,
        _ ranges: [ClosedRange<UInt32>],
        while isWanted: () -> Bool
    ) async throws -> [MessageKey] {
        var keys: [MessageKey] = []
        var rest = ranges[...]
        while !rest.isEmpty, keys.count <= Self.mostHits, isWanted() {
            let some = Array(rest.suffix(Self.rangesPerRead))
            rest.removeLast(some.count)
            let limit = Self.mostHits + 1 - keys.count
            keys += try await parts.store.read { try $0.mirror.keys(in: folder, uids: some, limit: limit) }
        }
        return keys
    }
}

/// One search at a server, of which something is found again and again until the time is up.
private final class RemoteSearchRun: Sendable {
    private struct State {
        var found = RemoteSearch()
        var isFinished = false
        /// Nobody waits any more.
        var isClosed = false
    }

    let phrases: [SearchQuery.Phrase]
    private let state = Lock(State())

    init(_ phrases: [SearchQuery.Phrase]) { self.phrases = phrases }

    var isOver: Bool { state.withLock { $0.isClosed } }

    func add(_ keys: [MessageKey], of phrase: SearchQuery.Phrase, limit: Int) {
        state.withLock { state in
            state.found.hits.messages[phrase, default: []] += keys
            guard let count = state.found.hits.messages[phrase]?.count, count > limit else { return }
            state.found.hits.messages[phrase]?.removeLast(count - limit)
            state.found.gap = state.found.gap ?? .tooMany
        }
    }

    /// Only the first reason is told, but that something went wrong rather than that more is to come.
    func note(_ gap: RemoteSearch.Gap) {
        state.withLock { state in
            if state.found.gap == nil || state.found.gap == .mirroring { state.found.gap = gap }
        }
    }

    func finish() { state.withLock { $0.isFinished = true } }

    /// What was found by now; nothing more is looked for.
    func close() -> RemoteSearch {
        state.withLock { state in
            state.isClosed = true
            let isExplained = state.found.gap != nil && state.found.gap != .mirroring
            if !state.isFinished, !isExplained { state.found.gap = .timedOut }
            return state.found
        }
    }
}
