// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Resolver
package import Runtime
import Sockets
package import WebClient

/// How servers are looked for.
package struct DiscoveryConfiguration: Sendable {
    /// The URL of a database of autoconfig files, to which a domain is appended; empty: none is asked.
    package var database = ""
    /// For everything that is asked about one address.
    package var totalMilliseconds = 15_000
    /// For one question of these.
    package var stepMilliseconds = 5_000
    /// How long an answer is kept; one without servers a tenth of that.
    package var cacheSeconds = 600
    package var cacheEntries = 1000
    /// Addresses that are looked into at the same time.
    package var concurrency = 32
    /// Where files are asked for.
    package var (httpsPort, httpPort): (UInt16, UInt16) = (443, 80)

    package init() {}
}

/// Finds out which servers an address's mail is at, and keeps that for a while.
package final class DiscoveryAgent: Sendable {
    /// As many addresses as may be are being looked into.
    package struct Busy: Error {}

    private struct Entry {
        let discovery: Discovery
        /// Nanoseconds of the clock.
        let expiry: UInt64
    }

    private struct State {
        var entries: [[UInt8]: Entry] = [:]
        /// The keys of ``entries`` in the order in which they came.
        var order: [[UInt8]] = []
        var flights: [[UInt8]: Task<Discovery, Never>] = [:]
    }

    private let names: NameResolver
    private let web: WebClients
    private let configuration: DiscoveryConfiguration
    private let clock: Clock
    private let state = Lock(State())

    package init(names: NameResolver, web: WebClients, configuration: DiscoveryConfiguration, clock: Clock) {
        self.names = names
        self.web = web
        self.configuration = configuration
        self.clock = clock
    }

    /// What is known, or found out now: those who ask for the same address at the same time share one search.
    ///
    /// For a task of a loop that names are looked up on. The address's domain is a name, in ASCII.
    package func servers(for address: EmailAddress) async throws(Busy) -> Discovery {
        enum Step { case known(Discovery), shared(Task<Discovery, Never>), busy }
        guard let loop = EventLoop.current else { preconditionFailure("servers are looked for on a loop") }
        let (key, now) = (address.octets, clock.monotonic())
        let search = DiscoverySearch(address, names: names, web: web, configuration: configuration)
        let step = state.withLock { state -> Step in
            if let entry = state.entries[key], entry.expiry > now { return .known(entry.discovery) }
            if let flight = state.flights[key] { return .shared(flight) }
            guard state.flights.count < configuration.concurrency else { return .busy }
            let flight = Task(executorPreference: loop) {
                let found = await search.run()
                self.keep(found, of: key)
                return found
            }
            state.flights[key] = flight
            return .shared(flight)
        }
        switch step {
        case .known(let found): return found
        case .shared(let flight): return await flight.value
        case .busy: throw Busy()
        }
    }

    private func keep(_ found: Discovery, of key: [UInt8]) {
        let whole = UInt64(configuration.cacheSeconds) * 1_000_000_000
        let expiry = clock.monotonic() &+ (found.servers.isEmpty ? whole / 10 : whole)
        state.withLock { state in
            state.flights[key] = nil
            if state.entries.updateValue(Entry(discovery: found, expiry: expiry), forKey: key) == nil {
                state.order.append(key)
            }
            while state.order.count > configuration.cacheEntries { state.entries[state.order.removeFirst()] = nil }
        }
    }
}
