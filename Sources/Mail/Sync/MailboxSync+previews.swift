// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import Storage

/// The first words of messages whose text is at the server.
extension MailboxSync {
    /// A message of the selected mailbox.
    struct Unpreviewed: Sendable {
        let uid: UInt32
        let layout: [UInt8]
    }

    /// Gets the first words of the newest messages that have none, at most `count`; false where there are no more.
    func preview(count: Int) async throws -> Bool {
        let newest = limits.previewedMessages
        let due = try await store.read { [account] in
            try $0.mirror.withoutPreview(of: account, among: newest, limit: count)
        }
        for (key, messages) in Dictionary(grouping: due, by: \.folder) {
            var words: [UInt32: String] = [:]
            do {
                let remote = try await store.read { [account] snapshot in
                    try snapshot.folders.get(key, in: account).flatMap { try snapshot.mirror.remote($0) }
                }
                if let remote, try await enter(remote) {
                    words = try await self.words(messages.map { Unpreviewed(uid: $0.remoteUID, layout: $0.layout) })
                }
            } catch let error as RemoteError {
                guard session.isUsable else { throw error }
                // It is not asked again for these.
            }
            let found = words
            try await store.write { [account] tx in
                for message in messages {
                    try tx.mirror.set(preview: found[message.remoteUID] ?? "", of: message.content, in: account)
                }
            }
        }
        return due.count == count
    }

    /// The first words of messages of the selected mailbox, of those that have some.
    func words(_ messages: [Unpreviewed]) async throws -> [UInt32: String] {
        if session.hasPreviews {
            let told = try await session.previews(of: IMAPNumberSet(messages.map(\.uid)))
            return told.mapValues { MirroredPreview.words(told: $0) }
        }
        var words: [UInt32: String] = [:]
        var wanted: [Beginning: [(uid: UInt32, preview: MirroredPreview)]] = [:]
        for message in messages {
            guard let preview = MirroredPreview(layout: message.layout),
                let section = RemoteSections.section(of: preview.part)
            else { continue }
            wanted[Beginning(section: section, octets: preview.octets), default: []].append((message.uid, preview))
        }
        // Most messages have their text in the same few places.
        for (beginning, some) in wanted {
            let octets = try await session.beginnings(
                of: IMAPSection(part: beginning.section),
                octets: beginning.octets,
                IMAPNumberSet(some.map(\.uid))
            )
            for (uid, preview) in some {
                guard let octets = octets[uid] else { continue }
                words[uid] = try preview.words(octets, quarantine: store.quarantine)
            }
        }
        return words
    }

    private struct Beginning: Hashable {
        let section: [UInt32]
        let octets: Int
    }
}
