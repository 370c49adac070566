// SPDX-License-Identifier: Apache-2.0

/// Why a name has no addresses for us.
package enum ResolverError: Error, Hashable, Sendable {
    /// The name does not exist (NXDOMAIN, RFC 1035 §4.1.1).
    case notFound
    /// The name exists and has no address.
    case noAddress
    /// Not a host name, or too long for one.
    case malformedName
    /// No server answered in time, or the caller's time was up.
    case timeout
    /// Every server refused (REFUSED), failed (SERVFAIL, NOTIMP), or could not be reached.
    case noAnswer
    /// The answer made no sense.
    case badAnswer
    /// The task was cancelled, or the resolver stopped.
    case cancelled
    /// Something else; the library's words.
    case other(String)
}

extension ResolverError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notFound: "the name does not exist"
        case .noAddress: "the name has no address"
        case .malformedName: "not a host name"
        case .timeout: "the name servers did not answer in time"
        case .noAnswer: "no name server would answer"
        case .badAnswer: "the name server's answer made no sense"
        case .cancelled: "cancelled"
        case .other(let reason): reason
        }
    }
}
