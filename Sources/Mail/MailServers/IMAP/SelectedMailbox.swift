// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Storage

/// One selected folder as its client has been told of it: which messages there are, by their sequence numbers, and up to
/// which state of the folder.
///
/// Four octets for a message.
struct SelectedMailbox {
    /// As it was when it was looked at last.
    private(set) var folder: FolderRow
    let isReadOnly: Bool
    /// Of the messages told, ascending: the place of each is its sequence number less one.
    private(set) var uids: [UInt32]
    /// What is gone, and may not be told just now.
    private(set) var gone: Set<UInt32> = []
    /// The folder was looked at up to this MODSEQ.
    private(set) var modSeq: UInt64
    /// UIDs below this one were told, if they are there.
    private(set) var uidNext: UInt32
    /// The MODSEQs that this session's own changes gave, which need not be told to it again.
    private var own: [UInt32: UInt64] = [:]
    /// What is `\Recent` in this session.
    private(set) var recent: [ClosedRange<UInt32>] = []
    /// The keywords that FLAGS told.
    private(set) var keywords: MessageFlags
    /// The folder was deleted.
    private(set) var isDeleted = false

    init(_ folder: FolderRow, isReadOnly: Bool, uids: [UInt32], keywords: [String]) {
        self.folder = folder
        self.isReadOnly = isReadOnly
        self.uids = uids
        modSeq = folder.highestModseq
        uidNext = folder.uidNext
        self.keywords = MessageFlags()
        for keyword in keywords { self.keywords.insert(keyword: keyword) }
    }

    var count: UInt32 { UInt32(clamping: uids.count) }

    // MARK: Numbers

    /// The place of a UID among those told; nil where it is none of them.
    func place(of uid: UInt32) -> Int? {
        let place = lowerBound(uid)
        return place < uids.count && uids[place] == uid ? place : nil
    }

    /// The first place whose UID is not lower.
    func lowerBound(_ uid: UInt32) -> Int {
        var (low, high) = (0, uids.count)
        while low < high {
            let middle = (low + high) / 2
            if uids[middle] < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Places that a set names, ascending and each once; nil where a sequence number is none (RFC 9051 §2.3.1.2).
    func places(of set: IMAPNumberSet, isUID: Bool) -> [Range<Int>]? {
        var places: [Range<Int>] = []
        let largest = isUID ? uids.last ?? 0 : count
        for range in set.ranges {
            // Of no messages at all `1:*` is none.
            if uids.isEmpty, range.upperBound == IMAPNumberSet.largest { continue }
            // `*` is the largest number in use, on whichever side of the colon it stands.
            let first = range.lowerBound == IMAPNumberSet.largest ? largest : range.lowerBound
            let last = range.upperBound == IMAPNumberSet.largest ? largest : range.upperBound
            let (low, high) = (min(first, last), max(first, last))
            if isUID {
                let start = lowerBound(low)
                let end = high == .max ? uids.count : lowerBound(high + 1)
                if start < end { places.append(start..<end) }
            } else {
                guard low >= 1, high <= count else { return nil }
                places.append(Int(low) - 1..<Int(high))
            }
        }
        return Self.merged(places)
    }

    private static func merged(_ places: [Range<Int>]) -> [Range<Int>] {
        var merged: [Range<Int>] = []
        for range in places.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = merged.last, range.lowerBound <= last.upperBound else {
                merged.append(range)
                continue
            }
            merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
        }
        return merged
    }

    // MARK: Changes

    /// What is new in the folder since it was looked at last.
    struct Changes: Sendable {
        /// Nil where the folder is no more.
        var folder: FolderRow?
        var new: [UInt32] = []
        var gone: [UInt32] = []
        var changed: [MailboxRow] = []
    }

    /// Reads what is new in the folder; nil where that is nothing.
    static func changes(
        in folder: FolderRow,
        since modSeq: UInt64,
        from uidNext: UInt32,
        _ snapshot: Snapshot
    ) throws -> Changes? {
        guard let now = try snapshot.folders.get(folder.key, in: folder.account) else { return Changes() }
        guard now.highestModseq > modSeq else { return nil }
        var changes = Changes(folder: now)
        if now.uidNext > uidNext { changes.new = try snapshot.messages.uids(of: now, from: uidNext) }
        changes.gone = try snapshot.messages.expunged(from: now, since: modSeq)
        changes.changed = try snapshot.messages.mailboxRows(of: now, changedSince: modSeq, below: uidNext)
        return changes
    }

    /// What a client is to be told of changes, in this order.
    struct News {
        /// Sequence numbers, each counted when those before it are gone; and the UIDs.
        var expunged: [UInt32] = []
        var expungedUIDs: [UInt32] = []
        var hasNew = false
        /// Those whose flags others changed.
        var changed: [MailboxRow] = []
        /// There are keywords that FLAGS has not told.
        var hasNewKeywords = false
    }

    /// Takes changes in; what is gone only where it may be told.
    mutating func take(_ changes: Changes?, tellsExpunged: Bool) -> News {
        var news = News()
        if let changes {
            if let folder = changes.folder {
                self.folder = folder
                modSeq = folder.highestModseq
                uidNext = max(uidNext, folder.uidNext)
                for uid in changes.gone where place(of: uid) != nil { gone.insert(uid) }
            } else if !isDeleted {
                isDeleted = true
                gone.formUnion(uids)
            }
            for row in changes.changed where own[row.uid] != row.modseq && !gone.contains(row.uid) {
                news.changed.append(row)
            }
            own.removeAll()
        }
        if tellsExpunged, !gone.isEmpty { forgetGone(&news) }
        if let new = changes?.new, !new.isEmpty {
            uids += new
            news.hasNew = true
        }
        for row in news.changed { if learn(row.flags) { news.hasNewKeywords = true } }
        return news
    }

    private mutating func forgetGone(_ news: inout News) {
        var kept: [UInt32] = []
        kept.reserveCapacity(uids.count - gone.count)
        for uid in uids {
            if gone.contains(uid) {
                news.expunged.append(UInt32(kept.count) + 1)
                news.expungedUIDs.append(uid)
            } else {
                kept.append(uid)
            }
        }
        uids = kept
        gone.removeAll()
    }

    /// Notes keywords; whether one was new.
    mutating func learn(_ flags: MessageFlags) -> Bool {
        var isNew = false
        for keyword in flags.keywords where !keywords.contains(keyword: keyword) {
            keywords.insert(keyword: keyword)
            isNew = true
        }
        return isNew
    }

    /// This session changed a message itself, and was told so.
    mutating func noteOwn(_ uid: UInt32, modSeq: UInt64) { own[uid] = modSeq }

    /// Whether a message's state of that MODSEQ is one that this session has not told of, nor made.
    func isNews(_ uid: UInt32, modSeq: UInt64) -> Bool { modSeq > self.modSeq && own[uid] != modSeq }

    // MARK: Recent

    mutating func addRecent(_ range: ClosedRange<UInt32>) { recent.append(range) }

    func isRecent(_ uid: UInt32) -> Bool { recent.contains { $0.contains(uid) } }

    var recentCount: UInt32 {
        let counts = recent.map { range in
            (range.upperBound == .max ? uids.count : lowerBound(range.upperBound + 1)) - lowerBound(range.lowerBound)
        }
        return UInt32(clamping: counts.reduce(0, +))
    }

    func flags(of row: MailboxRow) -> IMAPFlags { IMAPFlags(row.flags, isRecent: isRecent(row.uid)) }
}
