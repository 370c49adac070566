// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import Runtime
import Storage
import Wire

// SEARCH with ESEARCH, SEARCHRES, PARTIAL and WITHIN (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 9394).
extension IMAPMailbox {
    /// Messages whose rows are read together.
    private static let searchBatch = 1000
    /// Conditions that are looked at in one go.
    private static let searchSteps = 10_000

    private struct Hits {
        var uids: [UInt32] = []
        var highestModSeq: UInt64 = 0
    }

    func search(
        _ request: IMAPSearchRequest,
        tag: [UInt8],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        guard let mailbox = selected else { return .done }
        let search: MailboxSearch
        do {
            search = try MailboxSearch(request.key, in: mailbox, saved: saved, now: store.clock.now())
        } catch {
            if request.returns.contains(.save) { saved = [] }
            throw error
        }
        let hits = try await hits(of: search, in: mailbox)
        if request.returns.contains(.save) { saved = kept(hits.uids, request.returns) }
        let numbers = request.isUID ? hits.uids : hits.uids.compactMap { mailbox.place(of: $0).map { UInt32($0) + 1 } }
        let modSeq = search.asksModSeq && !hits.uids.isEmpty ? hits.highestModSeq : nil
        if request.returns.isEmpty, !session.isRev2 {
            responses.write(.search(numbers, modSeq: modSeq))
        } else if request.returns != [.save] {
            tell(numbers, modSeq, request, tag: tag, responses)
        }
        try await tellNews(session, responses, expunged: request.isUID)
        return .done
    }

    /// What `$` is then: the ends alone where only they were asked for (RFC 5182 §2.4).
    private func kept(_ uids: [UInt32], _ returns: [IMAPSearchRequest.Return]) -> [UInt32] {
        guard !returns.contains(.all), !returns.contains(.count),
            returns.contains(.minimum) || returns.contains(.maximum)
        else { return uids }
        var kept: [UInt32] = []
        if returns.contains(.minimum), let first = uids.first { kept.append(first) }
        if returns.contains(.maximum), let last = uids.last, kept.last != last { kept.append(last) }
        return kept
    }

    private func tell(
        _ numbers: [UInt32],
        _ modSeq: UInt64?,
        _ request: IMAPSearchRequest,
        tag: [UInt8],
        _ responses: IMAPServerResponses
    ) {
        var answer = IMAPExtendedSearch()
        answer.tag = tag
        answer.isUID = request.isUID
        for option in request.returns.isEmpty ? [.all] : request.returns {
            switch option {
            case .minimum: answer.minimum = numbers.first
            case .maximum: answer.maximum = numbers.last
            case .count: answer.count = UInt32(clamping: numbers.count)
            case .all: if !numbers.isEmpty { answer.all = IMAPNumberSet(numbers) }
            case .save: break
            case .partial(let range):
                // As it was asked for: the nearer end first where it counts from the last.
                let text =
                    range.lowerBound > 0
                    ? "\(range.lowerBound):\(range.upperBound)" : "\(range.upperBound):\(range.lowerBound)"
                answer.partial = IMAPExtendedSearch.Partial(
                    range: Array(text.utf8),
                    numbers: IMAPNumberSet(Self.part(numbers, range))
                )
            }
        }
        answer.modSeq = modSeq
        responses.write(.extendedSearch(answer))
    }

    /// Looks at one message after the other, in pieces, so that the loop serves others between them.
    private func hits(of search: MailboxSearch, in mailbox: SelectedMailbox) async throws -> Hits {
        var hits = Hits()
        var steps = 0
        var place = mailbox.lowerBound(search.uids.lowerBound)
        let end =
            search.uids.upperBound == .max ? mailbox.uids.count : mailbox.lowerBound(search.uids.upperBound + 1)
        while place < end {
            let last = min(place + Self.searchBatch, end)
            let range = mailbox.uids[place]...mailbox.uids[last - 1]
            place = last
            let folder = mailbox.folder
            let rows = try await store.read { try $0.messages.mailboxRows(of: folder, uids: range) }
            for row in rows where mailbox.place(of: row.uid) != nil {
                steps += search.stepCount
                if steps >= Self.searchSteps {
                    steps = 0
                    await Task.yield()
                }
                guard try await isHit(row, search, folder) else { continue }
                hits.uids.append(row.uid)
                hits.highestModSeq = max(hits.highestModSeq, row.modseq)
            }
            await Task.yield()
        }
        return hits
    }

    private func isHit(_ row: MailboxRow, _ search: MailboxSearch, _ folder: FolderRow) async throws -> Bool {
        if let isHit = search.decide(row) { return isHit }
        guard let message = try await open(row.uid, in: folder) else { return false }
        defer { looked += 1 }
        if looked % 16 == 15 { await Task.yield() }
        return try await search.decide(row, message)
    }
}
