// SPDX-License-Identifier: Apache-2.0

package import Egress
package import Resolver
internal import Runtime
package import Sockets
internal import Synchronization

/// Sends HTTP/1.1 requests to servers of others, over TLS 1.2 or later where the URL says `https`: one client for each
/// loop, with connections of its own.
///
/// Nothing is followed, decoded, remembered or taken from the environment: no redirects, no content codings, no cookies, no
/// proxies, no `.netrc`. Names are looked up by the ``NameResolver``; every address is judged by the ``EgressPolicy`` before
/// libcurl hears of it, and once more when the socket is made.
package final class WebClients: Sendable {
    private let loops: [EventLoop]
    private let clients: [LoopWebClient]
    private let turn = Atomic<Int>(0)
    private let policy: EgressPolicy
    private let refusals = Lock<[EgressRefusal: UInt64]>([:])

    /// A client for each of these loops, which are a group's, in its order.
    package init(
        _ configuration: WebClientConfiguration,
        policy: EgressPolicy,
        resolver: NameResolver,
        loops: [EventLoop]
    ) {
        self.loops = loops
        self.policy = policy
        clients = loops.map { LoopWebClient(configuration, policy, resolver, $0) }
    }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// On the caller's loop; a caller without one is moved to some loop for the time of the call. Cancelling the task ends
    /// the request.
    package func send(_ request: WebRequest) async throws(WebClientError) -> WebResponse {
        do throws(WebClientError) {
            if let loop = EventLoop.current, loop.index < loops.count, loops[loop.index] === loop {
                return try await clients[loop.index].send(request)
            }
            let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
            let loop = loops[Int(UInt(bitPattern: number) % UInt(loops.count))]
            let client = clients[loop.index]
            return try await withTaskExecutorPreference(loop) { () async throws(WebClientError) in
                try await client.send(request)
            }
        } catch {
            if case .egressDenied(let refusal) = error { count(refusal) }
            throw error
        }
    }

    /// What can be said of a URL without looking up a name: whether it is one to call, its port allowed, and its host, if
    /// that is an address, too.
    package func check(_ url: String) throws(WebClientError) {
        let url = try WebURL(url)
        switch url.host {
        case .address(let address):
            if let refusal = policy.refusal(to: address, port: url.port, for: .web) { throw .egressDenied(refusal) }
        case .name(let name):
            guard NameResolver.isName(name) else { throw .invalidURL("the host") }
            if let ports = policy.ports[.web], !ports.contains(where: { $0.contains(url.port) }) {
                throw .egressDenied(.port)
            }
        }
    }

    private func count(_ refusal: EgressRefusal) { refusals.withLock { $0[refusal, default: 0] &+= 1 } }

    /// Requests that were not sent because of where they would have gone, since the start.
    package var egressRefusals: [EgressRefusal: UInt64] { refusals.withLock { $0 } }

    /// Ends all requests, which fail with `.cancelled`, as do later ones, and closes all connections.
    ///
    /// Before the resolver and the loops stop.
    package func stop() async {
        for (loop, client) in zip(loops, clients) { await loop.run { client.stop() } }
    }
}
