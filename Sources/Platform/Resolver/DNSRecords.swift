// SPDX-License-Identifier: Apache-2.0

/// Where a service of a domain is (RFC 2782).
package struct ServiceRecord: Hashable, Sendable {
    package let priority: UInt16
    package let weight: UInt16
    package let port: UInt16
    /// A host's name, lower case, without its final dot; nil says that the domain has no such service.
    package let target: String?

    package init(priority: UInt16, weight: UInt16, port: UInt16, target: String?) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }
}

/// What takes a domain's mail (RFC 5321 §5.1).
package struct MailExchanger: Hashable, Sendable {
    package let preference: UInt16
    /// A host's name, lower case, without its final dot; nil says that the domain takes no mail (RFC 7505).
    package let host: String?

    package init(preference: UInt16, host: String?) {
        self.preference = preference
        self.host = host
    }
}
