// SPDX-License-Identifier: Apache-2.0

internal import MailTypes
internal import Wire

/// One message found in a file or folder of mail, as it lies there.
struct ImportedMessage: Sendable, Equatable {
    /// Names the message within its source, the same at each run: an offset, or a file's unique name.
    let key: String
    /// The folder below the source that it lies in, `Archive/2025`; empty for the source itself.
    let folder: String
    let flags: [String]
    /// When it arrived, where the source knows.
    let internalDate: Timestamp?
    let octets: [UInt8]
}

/// What keeps one message from being read; the others are not touched by it.
struct UnreadableMessage: Sendable, Equatable {
    let key: String
    let reason: String
}

/// A message, or why there is none.
enum ImportItem: Sendable, Equatable {
    case message(ImportedMessage)
    case unreadable(UnreadableMessage)
}
