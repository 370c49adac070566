// SPDX-License-Identifier: Apache-2.0

package import HTTP
package import HTTPServer
package import Metrics
import Runtime
import Sockets

/// What the HTTP servers count: each request by method, route and status, with its duration, and what was turned away.
///
/// Each loop has a share of its own, so that no lock is ever waited for but by a scrape.
package final class HTTPMetrics: HTTPObserver {
    /// A route by the address of its template: templates are literals, and there is one of each.
    private struct Key: Hashable {
        let method: HTTPMethod
        let route: UInt
        let status: UInt16
    }

    private struct Requests {
        let key: Key
        let route: StaticString?
        var count: UInt64 = 0
        var durations = Durations()
    }

    private struct Share {
        var requests: [Requests] = []
        var places: [Key: Int] = [:]
        /// Where the last request was counted: the next is often of the same kind.
        var last = 0
        var received: UInt64 = 0
        var sent: UInt64 = 0

        mutating func place(of key: Key, _ route: StaticString?) -> Int {
            if last < requests.count, requests[last].key == key { return last }
            last = places[key] ?? requests.count
            if last == requests.count {
                places[key] = last
                requests.append(Requests(key: key, route: route))
            }
            return last
        }
    }

    /// Loops beyond so many share.
    private static let shareCount = 64

    private let shares = (0..<shareCount).map { _ in Lock(Share()) }
    private let rejections: Counters

    package init(_ registry: MetricsRegistry) {
        rejections = Self.rejections(in: registry)
        registry.collect { [weak self] writer in self?.write(to: &writer) }
    }

    /// Counts what no operation saw, by reason.
    package static func rejections(in registry: MetricsRegistry) -> Counters {
        registry.counters(
            "postern_http_rejected_total",
            "Requests and connections that no operation saw.",
            labels: "reason"
        )
    }

    package func finished(
        method: HTTPMethod,
        route: StaticString?,
        status: HTTPStatus,
        received: UInt64,
        sent: UInt64,
        nanoseconds: UInt64
    ) {
        let place = route.map { UInt(bitPattern: $0.utf8Start) } ?? 0
        let key = Key(method: method, route: place, status: status.code)
        shares[(EventLoop.current?.index ?? 0) % Self.shareCount].withLock { share in
            let place = share.place(of: key, route)
            share.requests[place].count &+= 1
            share.requests[place].durations.add(nanoseconds: nanoseconds)
            share.received &+= received
            share.sent &+= sent
        }
    }

    package func rejected(reason: StaticString) { rejections["\(reason)"].add() }

    // MARK: Writing

    private struct Line: Hashable {
        let method: String
        let route: String
        let status: String

        var labels: [(String, String)] { [("method", method), ("route", route), ("code", status)] }
    }

    private func write(to writer: inout MetricsWriter) {
        var counts: [Line: UInt64] = [:]
        var durations: [Line: Durations] = [:]
        var (received, sent): (UInt64, UInt64) = (0, 0)
        for share in shares.map({ $0.withLock { $0 } }) {
            received &+= share.received
            sent &+= share.sent
            for requests in share.requests {
                let (method, route) = ("\(requests.key.method.name)", requests.route.map { "\($0)" } ?? "other")
                counts[Line(method: method, route: route, status: "\(requests.key.status)"), default: 0] +=
                    requests.count
                durations[Line(method: method, route: route, status: ""), default: Durations()].add(requests.durations)
            }
        }
        writer.family("postern_http_requests_total", .counter, "Requests answered.")
        for (line, count) in counts { writer.sample("postern_http_requests_total", line.labels, count) }
        writer.family("postern_http_request_duration_seconds", .histogram, "From a request's head to its answer's end.")
        for (line, durations) in durations {
            writer.histogram("postern_http_request_duration_seconds", Array(line.labels.dropLast()), durations)
        }
        writer.counter("postern_http_received_bytes_total", "Octets of request bodies.", received)
        writer.counter("postern_http_sent_bytes_total", "Octets of answers.", sent)
    }
}
