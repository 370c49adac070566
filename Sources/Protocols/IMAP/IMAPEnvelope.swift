// SPDX-License-Identifier: Apache-2.0

/// `envelope` of RFC 9051 §7.5.2: the fields of a message's header, as the server read them.
///
/// Octets are as they are in the header; encoded words are not decoded.
package struct IMAPEnvelope: Hashable, Sendable {
    package var date: [UInt8]?
    package var subject: [UInt8]?
    package var from: [IMAPAddress] = []
    package var sender: [IMAPAddress] = []
    package var replyTo: [IMAPAddress] = []
    package var to: [IMAPAddress] = []
    package var cc: [IMAPAddress] = []
    package var bcc: [IMAPAddress] = []
    package var inReplyTo: [UInt8]?
    package var messageID: [UInt8]?

    package init() {}

    /// ```.
    /// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP
    ///            env-in-reply-to SP env-message-id ")"
    /// ```.
    init?(_ tree: IMAPTree, at index: Int) {
        guard let fields = tree.children(of: index), fields.count == 10 else { return nil }
        date = tree.text(fields[0])
        subject = tree.text(fields[1])
        from = IMAPAddress.list(tree, fields[2])
        sender = IMAPAddress.list(tree, fields[3])
        replyTo = IMAPAddress.list(tree, fields[4])
        to = IMAPAddress.list(tree, fields[5])
        cc = IMAPAddress.list(tree, fields[6])
        bcc = IMAPAddress.list(tree, fields[7])
        inReplyTo = tree.text(fields[8])
        messageID = tree.text(fields[9])
    }
}

/// `address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"`.
///
/// A group begins with one whose host is nil and whose mailbox is its name, and ends with one that has neither.
package struct IMAPAddress: Hashable, Sendable {
    package var name: [UInt8]?
    /// The source route of RFC 822.
    package var route: [UInt8]?
    package var mailbox: [UInt8]?
    package var host: [UInt8]?

    package init(name: [UInt8]? = nil, route: [UInt8]? = nil, mailbox: [UInt8]?, host: [UInt8]?) {
        self.name = name
        self.route = route
        self.mailbox = mailbox
        self.host = host
    }

    static func list(_ tree: IMAPTree, _ index: Int) -> [Self] {
        (tree.children(of: index) ?? []).compactMap { address in
            guard let fields = tree.children(of: address), fields.count == 4 else { return nil }
            return Self(
                name: tree.text(fields[0]),
                route: tree.text(fields[1]),
                mailbox: tree.text(fields[2]),
                host: tree.text(fields[3])
            )
        }
    }
}
