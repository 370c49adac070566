// SPDX-License-Identifier: Apache-2.0

package import Wire

/// One mailbox of a header field, as read for people.
package struct MailAddress: Hashable, Sendable {
    /// The display name, decoded; nil where there is none.
    package var name: String?
    /// `local-part@domain` as written, without comments and folding.
    ///
    /// Not checked against SMTP's rules: for that, `EmailAddress`. Empty for a group without members.
    package var address: String
    /// The name of the group it stands in.
    package var group: String?

    package init(name: String? = nil, address: String, group: String? = nil) {
        self.name = name
        self.address = address
        self.group = group
    }
}

/// What a list of messages shows of each: the fields of its header, decoded.
package struct Envelope: Hashable, Sendable {
    package var from: [MailAddress] = []
    package var sender: MailAddress?
    package var replyTo: [MailAddress] = []
    package var to: [MailAddress] = []
    package var cc: [MailAddress] = []
    package var bcc: [MailAddress] = []
    /// Nil where there is no such field.
    package var subject: String?
    package var date: Timestamp?
    /// With its angle brackets.
    package var messageID: String?
    /// With their angle brackets, in their order.
    package var inReplyTo: [String] = []
    package var references: [String] = []

    package init() {}
}
