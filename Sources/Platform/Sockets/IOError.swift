// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Why reading from, writing to, or opening a connection did not work.
package enum IOError: Error, Equatable, Sendable {
    /// The kernel's reason.
    case errno(Int32)
    /// The peer ended the stream where more was needed.
    case endOfStream
    /// The deadline passed.
    case timeout
    /// The task was cancelled, or the server is stopping.
    case cancelled
    /// We closed it ourselves before.
    case closed
    /// The TLS handshake or a record was wrong; OpenSSL's words.
    case tls(String)
    /// The server's certificate was not accepted.
    case certificate(CertificateRejection)
    /// Octets were waiting unencrypted when TLS was to begin (RFC 3207 §4.2).
    case plaintextBeforeTLS
    /// Not an address: the text.
    case invalidAddress(String)
}

extension IOError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .errno(let number): String(cString: strerror(number))
        case .endOfStream: "the peer closed the connection"
        case .timeout: "timed out"
        case .cancelled: "cancelled"
        case .closed: "the connection is closed"
        case .tls(let reason): "TLS: \(reason)"
        case .certificate(let rejection): "TLS: \(rejection)"
        case .plaintextBeforeTLS: "unencrypted octets behind STARTTLS"
        case .invalidAddress(let text): "not an address: \(text)"
        }
    }
}

extension IOError {
    /// What the last system call left in `errno`.
    static var last: IOError { .errno(Glibc.errno) }
}

/// Calls until the call is not interrupted by a signal; -1 becomes the error.
@discardableResult
func retrying(_ call: () -> Int32) throws(IOError) -> Int32 {
    while true {
        let result = call()
        if result >= 0 { return result }
        guard errno == EINTR else { throw .last }
    }
}
