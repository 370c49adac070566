// SPDX-License-Identifier: Apache-2.0

/// How much of a message is looked into.
///
/// What lies beyond stays in the message and is named by a defect.
package struct MIMELimits: Hashable, Sendable {
    /// Multiparts and messages within each other.
    package var depth = 100
    package var parts = 1_000
    package var boundaryOctets = 2_048
    /// Octets of all headers of a message, those of its parts included.
    package var headerOctets = 1 << 20
    /// Fields of all headers.
    package var headerFields = 10_000
    /// Addresses read from one field.
    package var addresses = 1_000
    /// Parameters read from one field.
    package var parameters = 100
    /// Message-IDs read from one field.
    package var references = 1_000
    package var defects = 200
    /// Whether a part with `Content-Transfer-Encoding: x-uuencode` is decoded.
    ///
    /// The encoding has no standard: unless asked for, its content is what came.
    package var decodesUUEncode = false
    /// Octets of all messages inside that are encoded, decoded: they are held in memory while they are looked into.
    package var encodedMessageOctets = 4 << 20
    /// Encoded messages within each other.
    package var encodedMessageDepth = 4

    package init() {}
    package static let standard = MIMELimits()
}
