// SPDX-License-Identifier: Apache-2.0

import JSON
import MailTypes
import Storage
import Sync

/// The body of a change: other flags, another folder, or both.
struct MessageChange: Sendable {
    private var flags: FlagChange?
    private var folder: FolderReference?

    static func read(_ reader: inout JSONObjectReader) -> MessageChange? {
        let (flags, folder) = (reader.take("flags"), reader.take("folder"))
        if flags == nil, folder == nil { reader.errors.add([], .missing, "must have at least one member") }
        var change = MessageChange()
        change.flags = flags.flatMap(FlagWords.readChange)
        change.folder = folder?.folderReference() ?? nil
        return change
    }

    /// Finds what it names, once for all messages.
    func resolve(in view: some StoreView, of account: AccountRow) throws -> Resolved {
        Resolved(flags: flags, folder: try folder.map { try $0.resolve(in: view, of: account, member: "folder") })
    }

    struct Resolved: Sendable {
        fileprivate let flags: FlagChange?
        fileprivate let folder: FolderRow?

        /// Whether it makes a difference to this message.
        func changes(_ message: MessageRow) -> Bool {
            if let flags, flags.applied(to: message.flags) != message.flags { return true }
            if let folder { return folder.key != message.folder }
            return false
        }

        /// Changes a message; what it then is.
        func apply(to message: MessageRow, _ transaction: Transaction) throws -> MessageRow {
            var message = message
            if let flags { message = try transaction.messages.setFlags(of: message, flags) }
            if let folder { message = try transaction.messages.move(message, to: folder) }
            return message
        }

        /// Changes messages at the account's server, and then here.
        func apply(to messages: [MessageRow], at mailbox: RemoteMailbox) async throws {
            if let flags { try await mailbox.setFlags(of: messages, flags) }
            if let folder { try await mailbox.move(messages, to: folder) }
        }
    }
}

/// A deletion: to the trash, or for good.
struct MessageDeletion: Sendable {
    let isPermanent: Bool

    /// Where what is deleted goes; nil where there is no trash.
    func resolve(in view: some StoreView, of account: AccountRow) throws -> Resolved {
        Resolved(isPermanent: isPermanent, trash: try view.folders.find(.trash, in: account.key))
    }

    struct Resolved: Sendable {
        fileprivate let isPermanent: Bool
        fileprivate let trash: FolderRow?

        func apply(to message: MessageRow, _ transaction: Transaction) throws {
            if !isPermanent, let trash, trash.key != message.folder {
                try transaction.messages.move(message, to: trash)
            } else {
                try transaction.messages.expunge(message)
            }
        }

        /// Deletes messages at the account's server, and then here.
        func apply(to messages: [MessageRow], at mailbox: RemoteMailbox) async throws {
            if isPermanent { return try await mailbox.expunge(messages) }
            guard let trash else {
                throw RemoteError.unsupported("No folder is known to be the trash; permanent=true deletes for good.")
            }
            try await mailbox.move(messages.filter { $0.folder != trash.key }, to: trash)
            try await mailbox.expunge(messages.filter { $0.folder == trash.key })
        }
    }
}
