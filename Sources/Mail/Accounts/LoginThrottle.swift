// SPDX-License-Identifier: Apache-2.0

import Wire

/// Where a login comes from, as far as guessing goes: an IPv4 /24 or an IPv6 /64, because an attacker owns such a range as
/// easily as one address.
package struct LoginSource: Hashable, Sendable {
    let prefix: [UInt8]

    /// From the 4 or 16 octets of an address; anything else is one common source.
    package init(addressOctets: [UInt8]) {
        switch addressOctets.count {
        case 4: prefix = Array(addressOctets.prefix(3))
        case 16 where addressOctets.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]):
            prefix = Array(addressOctets[12..<15])
        case 16: prefix = Array(addressOctets.prefix(8))
        default: prefix = []
        }
    }
}

/// Counts failed logins by source and by name in leaking buckets: each failure adds one, each interval takes one away.
///
/// A bucket that is full blocks further attempts until it has leaked.
struct LoginThrottle {
    struct Limits: Sendable {
        var failuresPerSource = 20
        /// Higher, so that a stranger's guesses do not soon lock the owner out.
        var failuresPerName = 50
        var leakMilliseconds: UInt64 = 30_000
        /// At most so many buckets are kept.
        var buckets = 20_000
    }

    private enum Key: Hashable {
        case source(LoginSource)
        case name([UInt8])
    }

    private struct Bucket {
        var level: Int
        /// When `level` was right, in milliseconds.
        var since: UInt64

        mutating func leak(until now: UInt64, every interval: UInt64) {
            let steps = (now &- since) / interval
            level = Int(clamping: UInt64(level) - min(UInt64(level), steps))
            since = level == 0 ? now : since + steps * interval
        }
    }

    private let limits: Limits
    private var buckets: [Key: Bucket] = [:]

    init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Milliseconds until another attempt may be made; nil when it may be now.
    ///
    /// `name` counts as written in lower case.
    mutating func delay(source: LoginSource, name: [UInt8], at now: UInt64) -> UInt64? {
        let bySource = delay(.source(source), limit: limits.failuresPerSource, at: now)
        let byName = delay(.name(ASCII.lowercased(name)), limit: limits.failuresPerName, at: now)
        return [bySource, byName].compactMap { $0 }.max()
    }

    /// As ``delay(source:name:at:)``, where there is no name.
    mutating func delay(source: LoginSource, at now: UInt64) -> UInt64? {
        delay(.source(source), limit: limits.failuresPerSource, at: now)
    }

    private mutating func delay(_ key: Key, limit: Int, at now: UInt64) -> UInt64? {
        guard var bucket = buckets[key] else { return nil }
        bucket.leak(until: now, every: limits.leakMilliseconds)
        buckets[key] = bucket.level > 0 ? bucket : nil
        guard bucket.level >= limit else { return nil }
        return limits.leakMilliseconds - (now - bucket.since)
    }

    /// Counts a failure, and says how many there are of this source now.
    mutating func failed(source: LoginSource, name: [UInt8], at now: UInt64) -> Int {
        _ = add(.name(ASCII.lowercased(name)), at: now)
        return add(.source(source), at: now)
    }

    /// As ``failed(source:name:at:)``, where there is no name.
    mutating func failed(source: LoginSource, at now: UInt64) -> Int { add(.source(source), at: now) }

    private mutating func add(_ key: Key, at now: UInt64) -> Int {
        if buckets.count >= limits.buckets { makeRoom(at: now) }
        var bucket = buckets[key] ?? Bucket(level: 0, since: now)
        bucket.leak(until: now, every: limits.leakMilliseconds)
        bucket.level += 1
        buckets[key] = bucket
        return bucket.level
    }

    /// Forgets what has leaked away, and if that was nothing, the emptier half.
    private mutating func makeRoom(at now: UInt64) {
        for (key, var bucket) in buckets {
            bucket.leak(until: now, every: limits.leakMilliseconds)
            buckets[key] = bucket.level > 0 ? bucket : nil
        }
        guard buckets.count >= limits.buckets else { return }
        let levels = buckets.values.map(\.level).sorted()
        let median = levels[levels.count / 2]
        buckets = buckets.filter { $0.value.level > median }
    }
}
