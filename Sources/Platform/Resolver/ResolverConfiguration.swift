// SPDX-License-Identifier: Apache-2.0

/// How names are looked up.
package struct ResolverConfiguration: Sendable {
    /// `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`; none: those of the system (`/etc/resolv.conf`).
    package var servers: [String] = []
    /// Where the system's servers stand.
    package var systemPath = "/etc/resolv.conf"
    /// Of servers that are named without a port.
    package var port: UInt16 = 53
    /// How often it is looked whether the system's servers have changed.
    package var systemCheckMilliseconds = 5000
    /// For the first answer of a server; each further round over the servers waits twice as long.
    package var timeoutMilliseconds = 2000
    /// Rounds over the servers.
    package var tries = 3
    /// The longest an answer is kept, however long its TTL is.
    package var cacheSeconds = 300
    /// Answers kept for each loop.
    package var cacheEntries = 1024

    package init() {}
}
