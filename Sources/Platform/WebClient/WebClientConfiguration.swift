// SPDX-License-Identifier: Apache-2.0

/// How requests go out; the numbers are for each loop.
package struct WebClientConfiguration: Sendable {
    /// A PEM file of the authorities to trust; empty: the system's.
    package var authoritiesPath = ""
    /// What `User-Agent` says where the request does not; empty: nothing.
    package var userAgent = "Postern"
    /// Requests on their way at the same time.
    package var maximumTransfers = 512
    /// Of them, to the same host and port.
    package var maximumPerHost = 32
    /// Requests that wait for others.
    package var maximumWaiting = 4096
    /// Connections kept open for the next request.
    package var idleConnections = 64
    /// How long they are kept.
    package var idleSeconds = 60

    package init() {}
}
