// SPDX-License-Identifier: Apache-2.0

import Wire

/// A NAMESPACE response (RFC 2342).
package struct IMAPNamespaces: Hashable, Sendable {
    package struct Namespace: Hashable, Sendable {
        package let prefix: [UInt8]
        package let separator: UInt8?

        package init(prefix: [UInt8], separator: UInt8?) {
            self.prefix = prefix
            self.separator = separator
        }
    }

    package var personal: [Namespace] = []
    package var otherUsers: [Namespace] = []
    package var shared: [Namespace] = []

    package init() {}
}

extension IMAPCursor {
    /// ```.
    /// namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace
    /// namespace          = nil / "(" 1*namespace-descr ")"
    /// namespace-descr    = "(" string SP (DQUOTE QUOTED-CHAR DQUOTE / nil) [namespace-response-extensions] ")"
    /// ```.
    /// Behind the name and its space.
    mutating func namespaces(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPNamespaces {
        var namespaces = IMAPNamespaces()
        namespaces.personal = try namespace(limits)
        try space()
        namespaces.otherUsers = try namespace(limits)
        try space()
        namespaces.shared = try namespace(limits)
        try expectEnd()
        return namespaces
    }

    private mutating func namespace(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> [IMAPNamespaces.Namespace] {
        let start = index
        let tree = try IMAPTree(&self, limits)
        if tree.isNull(0) { return [] }
        guard let descriptions = tree.children(of: 0) else { throw .unexpectedOctet(bytes[start], at: start) }
        return descriptions.compactMap { description in
            guard let fields = tree.children(of: description), fields.count >= 2, let prefix = tree.text(fields[0])
            else { return nil }
            return IMAPNamespaces.Namespace(prefix: prefix, separator: tree.text(fields[1])?.first)
        }
    }
}
