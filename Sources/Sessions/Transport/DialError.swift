// SPDX-License-Identifier: Apache-2.0

package import Egress
package import Resolver
package import Sockets

/// Why there is no connection to a server.
package enum DialError: Error, Hashable, Sendable {
    package enum Phase: String, Sendable {
        case lookup
        case connect
        case tls
    }

    /// The name has no addresses for us.
    case resolve(ResolverError)
    /// None of its addresses is one that we may connect to; the reason for the first.
    case denied(EgressRefusal)
    /// No address took the connection; the last one's reason.
    case connect(String)
    case timeout(Phase)
    case certificate(CertificateRejection)
    /// The handshake failed for another reason than the certificate, in the library's words.
    case tls(String)
    /// Octets stood in the clear behind the answer to STARTTLS: somebody put them there.
    case injectedBeforeTLS
    /// The task was cancelled.
    case cancelled
}

extension DialError {
    /// Whether the server is the trouble, for whoever connects to it, and not how this one wanted to.
    package var isOfServer: Bool {
        switch self {
        case .resolve, .connect, .timeout: true
        case .denied, .certificate, .tls, .injectedBeforeTLS, .cancelled: false
        }
    }
}

extension DialError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .resolve(let error): "\(error)"
        case .denied(let refusal): "not allowed: \(refusal)"
        case .connect(let reason): "cannot connect: \(reason)"
        case .timeout(.lookup): "the name servers did not answer in time"
        case .timeout(.connect): "no connection in time"
        case .timeout(.tls): "the TLS handshake did not end in time"
        case .certificate(let rejection): "TLS: \(rejection)"
        case .tls(let reason): "TLS: \(reason)"
        case .injectedBeforeTLS: "unencrypted octets behind STARTTLS"
        case .cancelled: "cancelled"
        }
    }
}

extension DialError {
    init(lookup error: ResolverError) {
        self =
            switch error {
            case .timeout: .timeout(.lookup)
            case .cancelled: .cancelled
            default: .resolve(error)
            }
    }

    init(connecting error: IOError) {
        self =
            switch error {
            case .timeout: .timeout(.connect)
            case .cancelled: .cancelled
            default: .connect("\(error)")
            }
    }

    init(handshake error: IOError) {
        self =
            switch error {
            case .timeout: .timeout(.tls)
            case .cancelled: .cancelled
            case .certificate(let rejection): .certificate(rejection)
            case .plaintextBeforeTLS: .injectedBeforeTLS
            case .tls(let reason): .tls(reason)
            case .errno, .endOfStream, .closed, .invalidAddress: .tls("\(error)")
            }
    }
}
