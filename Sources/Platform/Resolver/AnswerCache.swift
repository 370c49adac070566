// SPDX-License-Identifier: Apache-2.0

internal import Egress

/// Answers for as long as they may be kept (RFC 1035 §3.2.1), a bounded number of them; the oldest go first.
struct AnswerCache {
    private struct Entry {
        let addresses: [IPAddress]
        /// In the loop's time.
        let expiry: UInt64
        /// Which `order` item is this one's; earlier ones are of entries that were replaced.
        let serial: UInt64
    }

    private let capacity: Int
    private let maximumSeconds: Int
    private var entries: [String: Entry] = [:]
    private var order: [(name: String, serial: UInt64)] = []
    private var serial: UInt64 = 0

    init(capacity: Int, maximumSeconds: Int) {
        self.capacity = capacity
        self.maximumSeconds = maximumSeconds
    }

    var count: Int { entries.count }

    mutating func addresses(of name: String, at now: UInt64) -> [IPAddress]? {
        guard let entry = entries[name] else { return nil }
        guard entry.expiry > now else {
            entries[name] = nil
            return nil
        }
        return entry.addresses
    }

    /// Keeps an answer for `seconds` (a TTL of 0 is not kept at all).
    mutating func keep(_ addresses: [IPAddress], of name: String, seconds: Int, at now: UInt64) {
        let seconds = min(seconds, maximumSeconds)
        guard seconds > 0, capacity > 0 else { return }
        serial += 1
        entries[name] = Entry(
            addresses: addresses,
            expiry: now &+ UInt64(seconds) &* 1_000_000_000,
            serial: serial
        )
        order.append((name, serial))
        trim()
    }

    private mutating func trim() {
        // The list may also hold items whose entries are gone or were replaced; twice the capacity is enough for both.
        guard entries.count > capacity || order.count > 2 * capacity else { return }
        order.removeAll { entries[$0.name]?.serial != $0.serial }
        let surplus = max(0, entries.count - capacity * 3 / 4)
        for item in order.prefix(surplus) { entries[item.name] = nil }
        order.removeFirst(surplus)
    }
}
