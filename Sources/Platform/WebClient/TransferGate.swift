// SPDX-License-Identifier: Apache-2.0

internal import Sockets

/// Lets so many transfers go at the same time, together and to one server; the others wait in order.
///
/// libcurl could do this, but would forget the addresses that a waiting transfer is pinned to.
final class TransferGate {
    typealias Ticket = LoopPromise<Result<Void, WebClientError>>

    private let loop: EventLoop
    private let configuration: WebClientConfiguration
    private var active = 0
    private var activePerHost: [String: Int] = [:]
    private var waiting: [(host: String, ticket: Ticket)] = []

    init(_ configuration: WebClientConfiguration, _ loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
    }

    /// Returns when one more transfer to this server may go; ``leave(_:)`` must follow.
    func enter(_ host: String, milliseconds: Int) async throws(WebClientError) {
        if hasRoom(host) { return admit(host) }
        waiting.removeAll { !$0.ticket.isPending }
        guard waiting.count < configuration.maximumWaiting else { throw .busy }
        let ticket = Ticket(cancelled: .failure(.cancelled))
        try await ticket.wait(on: loop, limit: (milliseconds, .failure(.timeout(.queue)))) {
            waiting.append((host, ticket))
        }.get()
    }

    func leave(_ host: String) {
        active -= 1
        let left = (activePerHost[host] ?? 1) - 1
        activePerHost[host] = left > 0 ? left : nil
        admitNext()
    }

    func stop() {
        for (_, ticket) in waiting { ticket.end(.failure(.cancelled)) }
        waiting = []
    }

    private func hasRoom(_ host: String) -> Bool {
        active < configuration.maximumTransfers && activePerHost[host, default: 0] < configuration.maximumPerHost
    }

    private func admit(_ host: String) {
        active += 1
        activePerHost[host, default: 0] += 1
    }

    private func admitNext() {
        while let index = waiting.firstIndex(where: { !$0.ticket.isPending || hasRoom($0.host) }) {
            let (host, ticket) = waiting.remove(at: index)
            guard ticket.isPending else { continue }
            admit(host)
            ticket.end(.success(()))
        }
    }
}
