// SPDX-License-Identifier: Apache-2.0

package import HTTP

/// Limits and deadlines of the HTTP server, and whom it serves.
package struct HTTPServerConfiguration: Sendable {
    /// Limits of a request's head.
    package var requestLimits = HTTPRequestLimits()
    /// Octets of a request's body, unless the application set another limit on the exchange.
    ///
    /// Default 64 MiB and an eighth, so
    /// that a message of 64 MiB fits with its form around it.
    package var maximumBodyOctets: UInt64 = 72 << 20
    /// From a head's first octet to its last.
    package var headerMilliseconds = 10_000
    /// From an answer to the next request's first octet.
    package var idleMilliseconds = 75_000
    /// A body that comes slower than this, over a window, is given up with 408.
    package var minimumBodyOctetsPerSecond = 500
    package var bodyWindowMilliseconds = 10_000
    /// How long a write may make no progress.
    package var writeStallMilliseconds = 30_000
    /// What is read and thrown away of a body that the application left, so that the connection can go on.
    package var drainedBodyOctets: UInt64 = 256 << 10
    /// How long an answer waits for the rest of such a body where its framing is not known to be right (chunks).
    package var drainedBodyMilliseconds = 2000
    /// `Host` values that are served, lower case, with or without port: a name without a port matches any.
    ///
    /// Empty: all.
    package var allowedHosts: [String] = []
    /// Web origins that may read answers (`https://app.example.org`), compared exactly.
    ///
    /// Empty: CORS is off.
    package var allowedOrigins: [String] = []
    /// Fields that scripts of those origins may read.
    package var exposedFields: [String] = [
        "ETag", "Location", "Retry-After", "X-Request-Id", "Content-Disposition", "Idempotent-Replayed", "RateLimit",
        "RateLimit-Policy",
    ]
    /// Fields that scripts of those origins may send.
    package var allowedFields: [String] = [
        "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Range",
        "X-Request-Id",
    ]

    package init() {}
}
