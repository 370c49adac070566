// SPDX-License-Identifier: Apache-2.0

package import Runtime

/// What servers bear of us: connections to each, how many it let us have, and when one that failed may be tried again.
///
/// Shared by all accounts, whose pools ask it before they connect and tell it what came of that.
package final class HostLedger: Sendable {
    package struct Limits: Sendable {
        /// Connections to one server at a time, of all accounts together.
        package var connectionsPerHost = 20
        /// Connections being made at a time, to all servers together.
        package var dials = 64
        /// Until a server that failed is tried again; doubled with each further failure.
        package var firstDelayMilliseconds: Int64 = 5000
        package var longestDelayMilliseconds: Int64 = 600_000
        /// After so long a server that had enough of us is asked for one connection more.
        package var regainMilliseconds: Int64 = 600_000

        package init() {}
    }

    package enum Admission: Hashable, Sendable {
        /// Connect, and tell how that went: ``opened(_:)`` or ``failed(_:_:words:)``.
        case granted
        /// As many connections as may be are there.
        case full
        /// Not before so many milliseconds of the ledger's clock.
        case wait(milliseconds: Int64)
    }

    /// Why a connection did not come about.
    package enum Trouble: Hashable, Sendable {
        /// The server cannot be reached, or cannot be talked to.
        case unreachable
        /// It has enough connections of ours.
        case tooMany
        /// Something between the account and the server: nobody else is concerned.
        case account
    }

    /// How things stand with one server.
    package struct Standing: Hashable, Sendable {
        package enum Circuit: String, CaseIterable, Sendable {
            /// Connections are made.
            case closed
            /// None is, until the time comes.
            case open
            /// One is, to see whether it works again.
            case probing
        }

        /// `name:port`.
        package var host: String
        package var open = 0
        /// Those who wait for a connection to it.
        package var waiting = 0
        /// Connections it let us have, where it refused more.
        package var budget: Int?
        package var circuit = Circuit.closed
        /// Failures since it last worked.
        package var failures = 0
        /// Milliseconds of the ledger's clock until it is tried again; 0 where it may be now.
        package var waitMilliseconds: Int64 = 0
        /// What was wrong last.
        package var lastTrouble: String?
    }

    private struct Host {
        var open = 0
        var dialing = 0
        var waiting = 0
        var budget: Int?
        /// When the budget last changed, in the clock's milliseconds.
        var budgetSince: Int64 = 0
        var failures = 0
        var retryAt: Int64 = 0
        var lastTrouble: String?
        /// Pools that were told it is full, since a place last became free.
        var isWanted = false

        var isForgettable: Bool {
            open == 0 && dialing == 0 && waiting == 0 && budget == nil && failures == 0
        }
    }

    private struct State {
        var hosts: [String: Host] = [:]
        var dialing = 0
    }

    private let limits: Limits
    private let clock: Clock
    private let state = Lock(State())

    package init(_ limits: Limits = Limits(), clock: Clock) {
        self.limits = limits
        self.clock = clock
    }

    /// By which a server is known here.
    package static func name(_ host: String, _ port: UInt16) -> String { "\(host):\(port)" }

    private var now: Int64 { Int64(clamping: clock.monotonic() / 1_000_000) }

    /// Asks for a connection to `name:port`.
    package func admit(_ name: String) -> Admission {
        let now = now
        return state.withLock { state in
            var host = state.hosts[name] ?? Host()
            defer { state.hosts[name] = host }
            regain(&host, now)
            if host.retryAt > now { return .wait(milliseconds: host.retryAt - now) }
            // What failed is tried by one first.
            let isProbing = host.failures > 0 && host.dialing > 0
            let limit = min(host.budget ?? .max, limits.connectionsPerHost)
            guard !isProbing, host.open + host.dialing < limit, state.dialing < limits.dials else {
                host.isWanted = true
                return .full
            }
            host.dialing += 1
            state.dialing += 1
            return .granted
        }
    }

    private func regain(_ host: inout Host, _ now: Int64) {
        guard let budget = host.budget, now - host.budgetSince >= limits.regainMilliseconds else { return }
        host.budget = budget + 1 >= limits.connectionsPerHost ? nil : budget + 1
        host.budgetSince = now
    }

    /// The connection that was granted stands.
    package func opened(_ name: String) {
        change(name) { host, state in
            host.dialing -= 1
            state.dialing -= 1
            host.open += 1
            host.failures = 0
            host.retryAt = 0
            host.lastTrouble = nil
        }
    }

    /// The connection that was granted did not come about.
    package func failed(_ name: String, _ trouble: Trouble, words: String) {
        let now = now
        change(name) { host, state in
            host.dialing -= 1
            state.dialing -= 1
            note(trouble, words, of: &host, now)
        }
    }

    /// A connection that stood is no more.
    package func closed(_ name: String) { change(name) { host, _ in host.open -= 1 } }

    /// Somebody waits for a connection, until ``endWaiting(_:)``.
    package func beginWaiting(_ name: String) { change(name) { host, _ in host.waiting += 1 } }
    package func endWaiting(_ name: String) { change(name) { host, _ in host.waiting -= 1 } }

    /// A server said over a connection that stands that it has enough of us.
    package func overloaded(_ name: String, words: String) {
        let now = now
        change(name) { host, _ in
            host.budget = max(1, host.open - 1)
            host.budgetSince = now
            host.lastTrouble = words
        }
    }

    private func note(_ trouble: Trouble, _ words: String, of host: inout Host, _ now: Int64) {
        guard trouble != .account else { return }
        host.lastTrouble = words
        if trouble == .tooMany, host.open > 0 {
            host.budget = host.open
            host.budgetSince = now
            return
        }
        host.failures += 1
        host.retryAt = now + delay(after: host.failures)
    }

    /// Three quarters to five quarters of twice the last one.
    private func delay(after failures: Int) -> Int64 {
        let doubled = limits.firstDelayMilliseconds << Int64(min(failures - 1, 20))
        let delay = min(doubled, limits.longestDelayMilliseconds)
        return delay / 4 * 3 + Int64.random(in: 0...max(1, delay / 2))
    }

    private func change(_ name: String, _ body: (inout Host, inout State) -> Void) {
        state.withLock { state in
            var host = state.hosts[name] ?? Host()
            body(&host, &state)
            state.hosts[name] = host.isForgettable ? nil : host
        }
    }

    /// Whether somebody was refused a connection because the server has as many as may be; asking forgets it.
    package func takeWanted(_ name: String) -> Bool {
        state.withLock { state in
            defer { state.hosts[name]?.isWanted = false }
            return state.hosts[name]?.isWanted ?? false
        }
    }

    /// How things stand with every server there is something to say of, by name.
    package var standings: [Standing] {
        let now = now
        return state.withLock { state in
            state.hosts.map { name, host in
                let isWaiting = host.retryAt > now
                return Standing(
                    host: name,
                    open: host.open,
                    waiting: host.waiting,
                    budget: host.budget,
                    circuit: host.failures == 0 ? .closed : isWaiting ? .open : .probing,
                    failures: host.failures,
                    waitMilliseconds: isWaiting ? host.retryAt - now : 0,
                    lastTrouble: host.lastTrouble
                )
            }.sorted { $0.host < $1.host }
        }
    }

    /// How things stand with one server.
    package func standing(of name: String) -> Standing {
        standings.first { $0.host == name } ?? Standing(host: name)
    }
}
