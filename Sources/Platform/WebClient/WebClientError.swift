// SPDX-License-Identifier: Apache-2.0

package import Egress

/// Why there is no answer.
package enum WebClientError: Error, Hashable, Sendable {
    /// What was under way when time was up.
    package enum Phase: String, Sendable { case lookup, queue, connect, tls, response, body }

    /// Not an absolute http or https URL that we would call; in a few words, why.
    case invalidURL(String)
    /// Not a token.
    case invalidMethod
    /// A field that cannot be sent: its name.
    case invalidField(name: String)
    /// The name does not exist or has no address.
    case nameNotFound
    /// The name could not be looked up.
    case resolverFailed(String)
    /// The server's address or port is one that Postern does not connect to.
    case egressDenied(EgressRefusal)
    case connectionRefused
    /// No connection came about for another reason: the kernel's words.
    case connectFailed(String)
    /// The handshake failed or the certificate does not hold: OpenSSL's words.
    case tlsFailed(String)
    case timeout(Phase)
    /// The connection broke, or ended in the middle of the answer.
    case connectionLost(String)
    /// What came is not HTTP as it should be.
    case protocolError(String)
    /// The answer's header section is larger than any should be.
    case tooLarge
    /// Too many requests wait already.
    case busy
    /// The task was cancelled, or the client stopped.
    case cancelled
}

extension WebClientError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidURL(let reason): "not a URL to call: \(reason)"
        case .invalidMethod: "not a method"
        case .invalidField(let name): "the field \(name) cannot be sent"
        case .nameNotFound: "the server's name does not exist or has no address"
        case .resolverFailed(let reason): "the server's name could not be looked up: \(reason)"
        case .egressDenied(let reason): "not allowed: \(reason)"
        case .connectionRefused: "the connection was refused"
        case .connectFailed(let reason): "could not connect: \(reason)"
        case .tlsFailed(let reason): "TLS: \(reason)"
        case .timeout(let phase): "time was up (\(phase.rawValue))"
        case .connectionLost(let reason): "the connection broke: \(reason)"
        case .protocolError(let reason): "the answer is not HTTP: \(reason)"
        case .tooLarge: "the answer's header section is too large"
        case .busy: "too many requests are waiting"
        case .cancelled: "cancelled"
        }
    }
}
