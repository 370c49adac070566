// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Wire

/// Messages found, newest first.
package struct SearchPage: Hashable, Sendable {
    package struct Message: Hashable, Sendable {
        package let key: MessageKey
        package let id: PlacementID
    }

    package var messages: [Message] = []
    /// Where the next page begins; nil when there is no more.
    ///
    /// A page can have fewer messages than asked for and a next one: then the time for one page was up.
    package var next: SearchCursor?
    /// The index had not caught up with what was acknowledged when the search began: something may be missing.
    package var isDegraded = false

    package init() {}
}

/// The place behind a message found.
///
/// It keeps its place while mail arrives and goes, and when the index is built anew.
package struct SearchCursor: Hashable, Sendable {
    /// The order it is a place in.
    enum Order: UInt8, Hashable, Sendable {
        /// By document and message, of the index.
        case documents = 1
        /// By internal date and message, of the store.
        case dates = 2
    }

    let order: Order
    /// The document, or the internal date.
    let major: Int64
    let message: Int64

    /// 17 octets: opaque to whoever carries them.
    package var octets: [UInt8] {
        [order.rawValue] + major.bigEndianOctets + message.bigEndianOctets
    }

    /// From ``octets``; nil for what never was a cursor.
    package init?(octets: Span<UInt8>) {
        guard octets.count == 17, let order = Order(rawValue: octets[0]),
            let major = Int64(bigEndianOctets: octets.extracting(1..<9)),
            let message = Int64(bigEndianOctets: octets.extracting(9..<17))
        else { return nil }
        self.init(order: order, major: major, message: message)
    }

    init(order: Order, major: Int64, message: Int64) {
        self.order = order
        self.major = major
        self.message = message
    }
}

/// Why a search gave no page.
package enum SearchError: Error, Hashable, Sendable {
    /// The cursor belongs to another kind of query.
    case foreignCursor
}
