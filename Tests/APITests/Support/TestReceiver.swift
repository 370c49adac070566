// SPDX-License-Identifier: Apache-2.0

import JSON
import Runtime
import Webhooks
import Wire

/// Where webhooks of a ``TestServer`` send to: it remembers requests and answers with one status.
final class TestReceiver: WebhookTransport {
    private struct State {
        var requests: [WebhookRequest] = []
        var status = 200
    }

    private let state = Lock(State())

    var requests: [WebhookRequest] { state.withLock { $0.requests } }

    /// The status of answers from now on.
    func answer(_ status: Int) { state.withLock { $0.status = status } }

    func post(_ request: WebhookRequest) async -> WebhookAnswer {
        let status = state.withLock { state in
            state.requests.append(request)
            return state.status
        }
        return .answered(status: status, retryAfter: nil, body: Array("seen".utf8))
    }

    func objection(to address: WebhookAddress) -> String? {
        address.host == "127.0.0.1" ? "an address of this machine itself" : nil
    }
}

extension WebhookRequest {
    func value(_ name: String) -> String? {
        fields.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    var json: JSONValue { (try? JSONValue(parsing: body.span)) ?? .null }
}
