// SPDX-License-Identifier: Apache-2.0

package import Logging
import MailTypes
package import Metrics
package import Runtime
package import Storage
import Wire

/// What every endpoint works with.
package struct WebhookParts: Sendable {
    package let store: Store
    package let search: SearchService
    package let vault: WebhookVault
    package let transport: any WebhookTransport
    package let bodies: any WebhookBodyWriter
    package let limits: WebhookLimits
    package let clock: Clock
    package let logger: Logger
    let places: SharedPlaces
    let metrics: WebhookMetrics

    package init(
        store: Store,
        search: SearchService,
        vault: WebhookVault,
        transport: any WebhookTransport,
        bodies: any WebhookBodyWriter,
        limits: WebhookLimits,
        metrics: MetricsRegistry,
        clock: Clock,
        logger: Logger
    ) {
        self.store = store
        self.search = search
        self.vault = vault
        self.transport = transport
        self.bodies = bodies
        self.limits = limits
        self.clock = clock
        self.logger = logger
        places = SharedPlaces(limits.totalConcurrency)
        self.metrics = WebhookMetrics(metrics, store: store, clock: clock)
    }
}

/// What a webhook's requests are signed and completed with.
package struct WebhookCredentials: Sendable {
    /// The version of the row that they are of.
    let version: Int64
    let signer: WebhookSigner
    let headers: [WebhookHeader]
}

/// Places that all endpoints share.
final class SharedPlaces: Sendable {
    private let free: Lock<Int>

    init(_ count: Int) { free = Lock(count) }

    func take() -> Bool {
        free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
    }

    func giveBack() { free.withLock { $0 += 1 } }
}

// MARK: One attempt

extension WebhookParts {
    /// Sends an event, unless a closer look shows that it is not wanted.
    func attempt(_ job: DeliveryJob, _ webhook: WebhookRow, _ credentials: WebhookCredentials) async -> AttemptOutcome {
        let begun = Timestamp(milliseconds: clock.now())
        func flaw(_ error: String) -> DeliveryAttempt {
            DeliveryAttempt(time: begun, milliseconds: 0, status: nil, error: error, answer: nil)
        }
        do {
            if let query = webhook.settings.filter.query {
                guard try await isFound(job.event, by: query) else { return .unwanted }
            }
            guard let event = try await bodies.event(at: job.event.position, payload: webhook.settings.payload) else {
                return .lost(flaw("The event is no longer in the log."))
            }
            return await send(event, to: webhook, credentials)
        } catch is CancellationError {
            return .cancelled
        } catch {
            metrics.countUnsent()
            logger.warning(
                "an event cannot be made ready for a webhook",
                metadata: ["webhook": "\(webhook.id)", "event": "\(job.event.position)", "err": "\(error)"]
            )
            return .notSent(flaw("The event could not be made ready: \(error)"))
        }
    }

    /// Whether the event's message is found by the search; false for events without one.
    private func isFound(_ event: DeliveryEvent, by query: String) async throws -> Bool {
        let query = try SearchQuery(parsing: Array(query.utf8).span)
        let position = event.position
        let message = try await store.read { snapshot in
            try snapshot.deliveries.message(ofEventAt: position)
        }
        guard let message else { return false }
        return try await search.finds(message, of: event.accountKey, by: query)
    }

    /// Sends an event and judges the answer.
    func send(
        _ event: WebhookEventBody,
        to webhook: WebhookRow,
        _ credentials: WebhookCredentials
    ) async -> AttemptOutcome {
        let begun = Timestamp(milliseconds: clock.now())
        let start = Clock.system.monotonic()
        let answer = await transport.post(request(event, to: webhook, credentials, at: begun))
        let nanoseconds = Clock.system.monotonic() &- start
        func attempt(_ status: Int?, _ error: String?, _ body: [UInt8]?) -> DeliveryAttempt {
            DeliveryAttempt(
                time: begun,
                milliseconds: Int64(nanoseconds / 1_000_000),
                status: status,
                error: error,
                answer: body
            )
        }
        switch answer {
        case .cancelled: return .cancelled
        case .failed(.busy, let detail):
            // Not the receiver's fault.
            metrics.countUnsent()
            return .notSent(attempt(nil, detail, nil))
        case .failed(let failure, let detail):
            metrics.count(failure.rawValue, nanoseconds: nanoseconds)
            return .refused(
                attempt(nil, "\(failure.rawValue): \(detail)", nil),
                retryAfterMilliseconds: nil,
                isGone: false
            )
        case .answered(let status, let retryAfter, let body):
            guard !(200...299).contains(status) else {
                metrics.count("delivered", nanoseconds: nanoseconds)
                return .delivered(attempt(status, nil, body))
            }
            metrics.count(Self.result(status), nanoseconds: nanoseconds)
            let wait =
                [429, 503].contains(status) ? retryAfter.flatMap { RetryAfter.milliseconds($0, now: begun) } : nil
            return .refused(
                attempt(status, Self.complaint(status), body),
                retryAfterMilliseconds: wait,
                isGone: status == 410
            )
        }
    }

    private static func result(_ status: Int) -> String {
        switch status {
        case 410: "gone"
        case 429: "throttled"
        default: "status_\(status / 100)xx"
        }
    }

    private static func complaint(_ status: Int) -> String {
        switch status {
        case 300...399: "The receiver answered \(status): redirections are not followed."
        case 410: "The receiver answered 410: it is gone."
        default: "The receiver answered \(status)."
        }
    }

    private func request(
        _ event: WebhookEventBody,
        to webhook: WebhookRow,
        _ credentials: WebhookCredentials,
        at time: Timestamp
    ) -> WebhookRequest {
        let signature = credentials.signer.signature(
            id: event.id,
            timestamp: time,
            body: event.body,
            kinds: webhook.settings.signatures
        )
        let own = credentials.headers.map { WebhookRequest.Field(name: $0.name, value: $0.value) }
        return WebhookRequest(
            url: webhook.settings.url,
            fields: own + [
                WebhookRequest.Field(name: "Content-Type", value: Array("application/json".utf8)),
                WebhookRequest.Field(name: "webhook-id", value: event.id),
                WebhookRequest.Field(name: "webhook-timestamp", value: Array("\(time.seconds)".utf8)),
                WebhookRequest.Field(name: "webhook-signature", value: signature),
            ],
            body: event.body,
            owner: webhook.id.description
        )
    }
}

/// The field that says when to come back.
enum RetryAfter {
    /// ```
    /// Retry-After = HTTP-date / delay-seconds      ; RFC 9110 §10.2.3
    /// ```
    /// Milliseconds from `now`, not negative; nil for anything else.
    static func milliseconds(_ value: [UInt8], now: Timestamp) -> Int64? {
        if let seconds = StrictInteger.decimal(value.span, maximum: 10_000_000) { return Int64(seconds) * 1000 }
        guard let date = date(value) else { return nil }
        return max(date.milliseconds - now.milliseconds, 0)
    }

    /// ```
    /// IMF-fixdate = day-name "," SP date1 SP time-of-day SP GMT      ; Sun, 06 Nov 1994 08:49:37 GMT
    /// ```
    private static func date(_ text: [UInt8]) -> Timestamp? {
        guard text.count == 29, text[3] == ASCII.comma, text.suffix(4).elementsEqual(" GMT".utf8) else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            StrictInteger.decimal(text[range]).flatMap { Int(exactly: $0) }
        }
        let name = Array(text[8..<11])
        guard let month = Timestamp.monthNames.firstIndex(where: { name.span.equals($0) }),
            let day = number(5..<7), let year = number(12..<16), let hour = number(17..<19),
            let minute = number(20..<22), let second = number(23..<25)
        else { return nil }
        return Timestamp(
            Timestamp.Civil(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
        )
    }
}
