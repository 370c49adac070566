// SPDX-License-Identifier: Apache-2.0

import Runtime
import Storage

/// From which UID on no session of a folder was told of a message (`\Recent` of RFC 3501 §2.3.2).
///
/// It is known as long as the process runs: at a start all messages count as recent again, as the RFC has it where nobody
/// knows. RFC 9051 has no such flag any more.
final class RecentMessages: Sendable {
    private let first = Lock<[FolderKey: UInt32]>([:])

    /// The first recent UID.
    func first(in folder: FolderKey) -> UInt32 { first.withLock { $0[folder] ?? 1 } }

    /// Those below `next` that are recent, which are so for nobody else from now on.
    func claim(_ folder: FolderKey, below next: UInt32) -> ClosedRange<UInt32>? {
        first.withLock { first in
            let start = first[folder] ?? 1
            guard start < next else { return nil }
            first[folder] = next
            return start...next - 1
        }
    }
}
