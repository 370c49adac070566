// SPDX-License-Identifier: Apache-2.0

import Wire

/// A QUOTA response (RFC 9208): how much of each resource is used.
package struct IMAPQuota: Hashable, Sendable {
    package struct Resource: Hashable, Sendable {
        /// STORAGE counts in 1,024 octets, MESSAGE in messages.
        package let name: [UInt8]
        package let usage: UInt64
        package let limit: UInt64

        package init(name: [UInt8], usage: UInt64, limit: UInt64) {
            self.name = name
            self.usage = usage
            self.limit = limit
        }
    }

    package let root: [UInt8]
    package let resources: [Resource]

    package init(root: [UInt8], resources: [Resource]) {
        self.root = root
        self.resources = resources
    }
}

extension IMAPCursor {
    /// ```.
    /// quota-response = "QUOTA" SP quota-root-name SP quota-list
    /// quota-list     = "(" quota-resource *(SP quota-resource) ")"
    /// quota-resource = resource-name SP resource-usage SP resource-limit
    /// ```.
    /// Behind the name and its space.
    mutating func quota() throws(IMAPSyntaxError) -> IMAPQuota {
        let root = try astring()
        var resources: [IMAPQuota.Resource] = []
        try space()
        try expect(ASCII.openParenthesis)
        while !take(ASCII.closeParenthesis) {
            let name = try atom()
            try space()
            let usage = try number()
            try space()
            resources.append(IMAPQuota.Resource(name: name, usage: usage, limit: try number()))
            try separator(ASCII.closeParenthesis)
        }
        try expectEnd()
        return IMAPQuota(root: root, resources: resources)
    }

    /// `quotaroot-response = "QUOTAROOT" SP mailbox *(SP quota-root-name)`, behind the name and its space.
    mutating func quotaRoots() throws(IMAPSyntaxError) -> (mailbox: IMAPMailboxName, roots: [[UInt8]]) {
        let mailbox = try mailbox()
        var roots: [[UInt8]] = []
        while next == ASCII.space {
            try space()
            if !isAtEnd { roots.append(try astring()) }
        }
        try expectEnd()
        return (mailbox, roots)
    }
}
