// SPDX-License-Identifier: Apache-2.0

package import WebClient

/// Sends webhooks' requests through the one client for all that goes out, which keeps to the egress policy.
package struct WebTransport: WebhookTransport {
    private let client: WebClients
    private let totalMilliseconds: Int
    private let answerOctets: Int

    /// - Parameters:
    ///   - totalMilliseconds: for a request, from looking up the name to the end of the answer.
    ///   - answerOctets: of an answer's body that are read.
    package init(_ client: WebClients, totalMilliseconds: Int, answerOctets: Int) {
        self.client = client
        self.totalMilliseconds = totalMilliseconds
        self.answerOctets = answerOctets
    }

    package func post(_ request: WebhookRequest) async -> WebhookAnswer {
        var web = WebRequest("POST", request.url)
        web.fields = request.fields.map { WebRequest.Field(Array($0.name.utf8), $0.value) }
        web.body = request.body
        web.totalMilliseconds = totalMilliseconds
        web.connectMilliseconds = min(web.connectMilliseconds, totalMilliseconds)
        web.maximumResponseOctets = answerOctets
        web.owner = request.owner
        do throws(WebClientError) {
            let answer = try await client.send(web)
            return .answered(status: answer.status, retryAfter: answer.field("Retry-After"), body: answer.body)
        } catch {
            guard let failure = WebhookFailure(error) else { return .cancelled }
            return .failed(failure, detail: "\(error)")
        }
    }

    package func objection(to address: WebhookAddress) -> String? {
        do throws(WebClientError) {
            try client.check(address.text)
            return nil
        } catch {
            return "\(error)"
        }
    }
}

extension WebhookFailure {
    /// Nil for a request that we gave up ourselves.
    fileprivate init?(_ error: WebClientError) {
        switch error {
        case .cancelled: return nil
        case .nameNotFound, .resolverFailed: self = .name
        case .egressDenied, .invalidURL, .invalidMethod, .invalidField: self = .denied
        case .connectionRefused, .connectFailed, .connectionLost: self = .connection
        case .tlsFailed: self = .tls
        case .timeout: self = .timeout
        case .protocolError, .tooLarge: self = .answer
        case .busy: self = .busy
        }
    }
}
