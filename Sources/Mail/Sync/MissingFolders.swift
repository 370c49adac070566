// SPDX-License-Identifier: Apache-2.0

import IMAP
import Storage

/// Mirrored folders that are not listed under their names any more, by what may be listed under another.
///
/// A server may have thousands, and rename them all at once.
struct MissingFolders: Sendable {
    /// A mailbox that was not made anew has both as they were.
    private struct UIDs: Hashable {
        let validity: UInt32
        let next: UInt32
    }

    private let folders: [MirroredFolder]
    private var isTaken: [Bool]
    // Places in ``folders``, the first one last.
    private var byID: [[UInt8]: [Int]] = [:]
    private var byUIDs: [UIDs: [Int]] = [:]
    private var withoutIDByUIDs: [UIDs: [Int]] = [:]

    init(_ folders: [MirroredFolder]) {
        self.folders = folders
        isTaken = Array(repeating: false, count: folders.count)
        for (place, folder) in folders.enumerated().reversed() {
            guard let remote = folder.remote else { continue }
            if let id = remote.id { byID[id, default: []].append(place) }
            guard let validity = remote.uidValidity, let next = remote.uidNext, next > 1 else { continue }
            let uids = UIDs(validity: validity, next: next)
            byUIDs[uids, default: []].append(place)
            if remote.id == nil { withoutIDByUIDs[uids, default: []].append(place) }
        }
    }

    /// Those that were not taken.
    var rest: [MirroredFolder] { zip(folders, isTaken).filter { !$1 }.map(\.0) }

    /// Takes the folder that is listed under another name now: known by its id, or else by its UIDs.
    mutating func take(_ listed: ListedFolder) -> MirroredFolder? {
        guard let status = listed.status else { return nil }
        if let id = status.mailboxID, let place = first(&byID[id]) { return take(place) }
        guard let validity = status.uidValidity, let next = status.uidNext else { return nil }
        let uids = UIDs(validity: validity, next: next)
        // Where both have an id, that decides.
        let place = status.mailboxID == nil ? first(&byUIDs[uids]) : first(&withoutIDByUIDs[uids])
        return place.map { take($0) }
    }

    private mutating func take(_ place: Int) -> MirroredFolder {
        isTaken[place] = true
        return folders[place]
    }

    /// The first place that was not taken.
    private func first(_ places: inout [Int]?) -> Int? {
        while let place = places?.popLast() {
            if !isTaken[place] { return place }
        }
        return nil
    }
}
