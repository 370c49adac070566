// SPDX-License-Identifier: Apache-2.0

import Files

/// Whether there is room for mail.
package enum StoreRoom: Hashable, Sendable {
    case enough
    /// Less is free than is to stay free: no mail is taken in, changes and deletions go on.
    case short(freeOctets: UInt64)
    /// The last write found no room at all.
    case none
}

extension Store {
    /// How it stands now.
    ///
    /// Asks the file system (`statvfs`), which answers at once.
    package var room: StoreRoom {
        if writer.isFull { return .none }
        guard let free = freeOctets, free < UInt64(clamping: configuration.minimumFreeOctets) else { return .enough }
        return .short(freeOctets: free)
    }

    /// Refuses, with ``StoreError/diskFull``, mail of `octets` that would leave less free than is to stay free.
    ///
    /// To be asked before mail is taken in, so that it is refused early and there is always room to delete.
    package func checkRoom(for octets: UInt64 = 0) throws(StoreError) {
        guard configuration.minimumFreeOctets > 0, let free = freeOctets else { return }
        let (needed, overflow) = UInt64(clamping: configuration.minimumFreeOctets).addingReportingOverflow(octets)
        if overflow || free < needed { throw .diskFull }
    }

    /// Nil when the file system does not say.
    private var freeOctets: UInt64? { try? Files.freeSpace(configuration.directory) }
}
