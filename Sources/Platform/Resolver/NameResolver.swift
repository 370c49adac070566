// SPDX-License-Identifier: Apache-2.0

package import Egress
package import Sockets

/// Finds the addresses of names: in `/etc/hosts`, then by DNS, as the names stand, without a search list.
///
/// Each loop has a resolver of its own, with its own cache and its own questions on their way; equal questions of a loop
/// are asked once.
package final class NameResolver: Sendable {
    private let loops: [EventLoop]
    private let resolvers: [LoopResolver]

    /// A resolver for tasks of these loops, which are a group's, in its order.
    package init(_ configuration: ResolverConfiguration, loops: [EventLoop]) {
        self.loops = loops
        resolvers = loops.map { LoopResolver(configuration, $0) }
    }

    /// The addresses of a host name, in the order in which the answers came, at least one.
    ///
    /// For a task of one of the loops; ends with `.timeout` after so many milliseconds. A literal address is not a name.
    package func addresses(of name: String, milliseconds: Int) async throws(ResolverError) -> [IPAddress] {
        try await current.addresses(of: name, milliseconds: milliseconds)
    }

    /// Where a service is, `_imaps._tcp.example.com`: lowest priority first, then heaviest first (RFC 2782); empty where that
    /// is not said.
    ///
    /// For a task of one of the loops; asked anew each time.
    package func services(of name: String, milliseconds: Int) async throws(ResolverError) -> [ServiceRecord] {
        try await current.services(of: name, milliseconds: milliseconds)
    }

    /// The hosts that take a domain's mail, most preferred first; empty where that is not said.
    ///
    /// For a task of one of the loops; asked anew each time.
    package func exchangers(of domain: String, milliseconds: Int) async throws(ResolverError) -> [MailExchanger] {
        try await current.exchangers(of: domain, milliseconds: milliseconds)
    }

    private var current: LoopResolver {
        guard let loop = EventLoop.current, loop.index < loops.count, loops[loop.index] === loop else {
            preconditionFailure("names are looked up on a loop")
        }
        return resolvers[loop.index]
    }

    /// Whether this is the name of a host, which could be looked up.
    package static func isName(_ text: String) -> Bool { HostName.normalised(text) != nil }

    /// Ends all questions; whoever waits gets `.cancelled`, and so does whoever asks later.
    package func stop() async {
        for (loop, resolver) in zip(loops, resolvers) { await loop.run { resolver.stop() } }
    }
}
