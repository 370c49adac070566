// SPDX-License-Identifier: Apache-2.0

package import Sockets

/// Somebody's server: where it is and how its connections are protected.
package struct ServerEndpoint: Hashable, Sendable {
    /// The raw value is the word of the API.
    package enum Security: String, CaseIterable, Sendable {
        /// TLS from the first octet on.
        case implicit
        /// In the clear first; the protocol's own command begins TLS, and nothing secret is said before.
        case startTLS = "starttls"
        /// In the clear throughout, because somebody asked for that by name.
        case none
    }

    /// A host name, or an IPv4 or IPv6 address without brackets.
    package let host: String
    package let port: UInt16
    package let security: Security
    /// The one certificate that is taken in place of one that can be verified.
    package let pin: CertificateFingerprint?

    package init(host: String, port: UInt16, security: Security, pin: CertificateFingerprint? = nil) {
        self.host = host
        self.port = port
        self.security = security
        self.pin = pin
    }
}
