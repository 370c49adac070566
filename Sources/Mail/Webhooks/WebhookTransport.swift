// SPDX-License-Identifier: Apache-2.0

package import Storage
package import Wire

/// A request to a receiver: always POST, always JSON.
package struct WebhookRequest: Sendable {
    package struct Field: Hashable, Sendable {
        package let name: String
        package let value: [UInt8]
    }

    package let url: String
    package let fields: [Field]
    package let body: [UInt8]
    /// Whose it is: requests of different webhooks share no connections.
    package let owner: String
}

/// What came of a request.
package enum WebhookAnswer: Hashable, Sendable {
    /// The receiver answered; `body` may be cut.
    case answered(status: Int, retryAfter: [UInt8]?, body: [UInt8])
    /// It did not, for this reason.
    case failed(WebhookFailure, detail: String)
    /// The request was given up by us, because the server stops.
    case cancelled
}

/// Why there was no answer.
package enum WebhookFailure: String, CaseIterable, Hashable, Sendable {
    case timeout
    /// No connection, or it broke.
    case connection
    /// The name has no address.
    case name
    case tls
    /// Our own rules do not let us go there.
    case denied
    /// What came is no HTTP answer.
    case answer
    /// Too many requests of ours wait already.
    case busy
}

/// Sends requests.
///
/// It follows no redirection, keeps to a time limit and cuts the answer's body.
package protocol WebhookTransport: Sendable {
    /// Called on an event loop; suspends until there is an answer or none will come.
    func post(_ request: WebhookRequest) async -> WebhookAnswer
    /// Why nothing is ever sent to an address, as far as can be told without asking for its name; nil for nothing.
    func objection(to address: WebhookAddress) -> String?
}

/// An event in the form it is sent in.
package struct WebhookEventBody: Sendable {
    /// The value of `webhook-id`: the same whenever and wherever the event is sent.
    package let id: [UInt8]
    package let body: [UInt8]

    package init(id: [UInt8], body: [UInt8]) {
        self.id = id
        self.body = body
    }
}

/// Writes events as receivers get them.
package protocol WebhookBodyWriter: Sendable {
    /// The event at a position of the log of all accounts; nil when the log has it no more.
    func event(at position: Int64, payload: WebhookPayload) async throws -> WebhookEventBody?
    /// The event that tests a webhook.
    func test(of webhook: WebhookRow, now: Timestamp) -> WebhookEventBody
}
