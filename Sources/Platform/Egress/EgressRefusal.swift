// SPDX-License-Identifier: Apache-2.0

/// Why Postern does not connect to an address.
///
/// The raw value is the word that metrics, logs and the API use.
package enum EgressRefusal: String, Error, CaseIterable, Sendable {
    /// A cloud's metadata service, which hands out credentials; no setting allows it.
    case metadata
    /// In the operator's own list.
    case denied
    /// A port that this kind of connection does not use.
    case port
    /// This machine: 127.0.0.0/8, ::1.
    case loopback
    /// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 64:ff9b:1::/48 (RFC 8215).
    case privateNetwork = "private"
    /// 100.64.0.0/10, between a provider and its customers (RFC 6598).
    case sharedAddressSpace = "shared"
    /// 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291 §2.5.6).
    case linkLocal = "link_local"
    /// fc00::/7 (RFC 4193).
    case uniqueLocal = "unique_local"
    /// fec0::/10 (RFC 3879).
    case siteLocal = "site_local"
    /// 224.0.0.0/4, ff00::/8.
    case multicast
    /// 0.0.0.0/8, ::.
    case unspecified
    /// 192.0.2.0/24 and others (RFC 5737), 2001:db8::/32 (RFC 3849), 3fff::/20 (RFC 9637).
    case documentation
    /// 198.18.0.0/15 (RFC 2544), 2001:2::/48 (RFC 5180).
    case benchmarking
    /// Everything else that is not given out to the Internet's machines (RFC 6890).
    case reserved
}

extension EgressRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .metadata: "the address of a cloud's metadata service"
        case .denied: "an address that this server's settings deny"
        case .port: "a port that this server's settings do not allow"
        case .loopback: "an address of this machine itself"
        case .privateNetwork: "an address of a private network"
        case .sharedAddressSpace: "an address of a provider's own network"
        case .linkLocal: "a link-local address"
        case .uniqueLocal: "a unique local address"
        case .siteLocal: "a site-local address"
        case .multicast: "a multicast address"
        case .unspecified: "an address of no machine"
        case .documentation: "an address for documentation"
        case .benchmarking: "an address for benchmarks"
        case .reserved: "a reserved address"
        }
    }
}
