// SPDX-License-Identifier: Apache-2.0

package import Charsets

/// Where the parts of a stored message lie and how they are encoded: what reading them takes, without a new parse.
///
/// Kept beside the message in its compact form.
package struct MIMELayout: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
        package var path: String
        /// The place of the encoded message that it is inside: its ranges count from the start of that one's decoded content.
        package var container: Int?
        /// `type/subtype`.
        package var contentType: String
        package var headerRange: Range<Int64>
        package var bodyRange: Range<Int64>
        package var transferEncoding: TransferEncoding
        package var charset: Charset?
        /// Octets of content.
        package var decodedSize: Int64
        package var role: Role
        package var filename: String?
        package var contentID: String?
        /// Whether it asked to be shown in place.
        package var isInline: Bool
    }

    /// What a part is for.
    package enum Role: UInt8, Hashable, Sendable {
        /// A multipart, or inside a message within the message.
        case none
        /// Belongs to the message's text.
        case text
        /// The message's HTML.
        case html
        case attachment
    }

    package var parts: [Part]

    package init(parts: [Part]) { self.parts = parts }

    /// The encoded messages around the part, the outermost first.
    package func containers(of part: Part) -> [Part] {
        var around: [Part] = []
        var next = part.container
        while let place = next, parts.indices.contains(place) {
            around.append(parts[place])
            next = parts[place].container
        }
        return around.reversed()
    }

    /// The part of that path.
    package func part(_ path: String) -> Part? { parts.first { $0.path == path } }
    package var text: [Part] { parts.filter { $0.role == .text } }
    package var html: Part? { parts.first { $0.role == .html } }
    package var attachments: [Part] { parts.filter { $0.role == .attachment } }
}
