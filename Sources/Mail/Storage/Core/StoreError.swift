// SPDX-License-Identifier: Apache-2.0

import Files
import SQLite

/// Why the store did not do what was asked.
///
/// What is missing here comes as `SQLiteError`: our bug.
package enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Too much waits to be written: try again soon.
    case busy
    /// There is no room. Nothing of the group was written; the next write is tried as if nothing had been.
    case diskFull
    /// Writing or syncing failed. Nothing is acknowledged until the store was opened again and checked.
    case failed(String)
    case closed
    /// Another process has the store open.
    case locked
    /// The files were written by a later version.
    case newerSchema(found: Int64, known: Int64)
    /// A backup was being restored to this directory, and that did not end.
    case halfRestored
    /// The file is not a store of ours.
    case foreignFile
    case corrupt(String)

    /// There is no such thing, or not in this account.
    case notFound(Noun)
    /// Another has that name, address or alias.
    case alreadyExists(Noun)
    /// The row was changed since the state the caller asked for.
    case preconditionFailed
    /// The name cannot be a folder's.
    case invalidName(String)
    /// The folder still holds messages or folders.
    case notEmpty
    /// The folder has a role, and cannot be renamed or deleted.
    case protected
    /// The account may not hold so many octets.
    case overQuota
    /// UIDs of the folder, or another counter, are used up.
    case exhausted
    /// The events from there on are no longer kept; the oldest that is has this number.
    case cursorExpired(oldest: Int64)
    /// The state does not allow that step.
    case wrongState(String)
    /// A query took longer than any may.
    case tooSlow

    package enum Noun: String, Hashable, Sendable {
        case account, address, alias, folder, message, thread, content, submission, recipient, token, webhook
    }

    package var description: String {
        switch self {
        case .busy: "Too much waits to be written."
        case .diskFull: "There is no room on the disk."
        case .failed(let reason): "The store cannot be written: \(reason)."
        case .closed: "The store is closed."
        case .locked: "Another process has the store open."
        case .newerSchema(let found, let known):
            "The store has schema \(found), written by a later version; this one knows \(known)."
        case .halfRestored:
            "A restoration into this directory did not end; remove what is there and restore the backup again."
        case .foreignFile: "The database file is not a store of Postern's."
        case .corrupt(let what): "The store is damaged: \(what)."
        case .notFound(let noun): "There is no such \(noun.rawValue)."
        case .alreadyExists(let noun): "That \(noun.rawValue) exists already."
        case .preconditionFailed: "It was changed in the meantime."
        case .invalidName(let reason): "The folder name is not usable: \(reason)."
        case .notEmpty: "The folder is not empty."
        case .protected: "The folder has a role and stays."
        case .overQuota: "The account's quota is used up."
        case .exhausted: "A counter is used up."
        case .cursorExpired(let oldest): "Events before \(oldest) are no longer kept."
        case .wrongState(let reason): "Not in this state: \(reason)."
        case .tooSlow: "The query took too long."
        }
    }

    /// What an error of SQLite's means to a caller; nil for one that is our mistake.
    init?(_ error: SQLiteError) {
        switch error.kind {
        case .full: self = .diskFull
        case .ioError, .cannotOpen, .readOnly: self = .failed(error.description)
        case .corrupt: self = .corrupt(error.description)
        case .busy: self = .busy
        case .interrupted: self = .tooSlow
        case .constraint, .tooBig, .outOfMemory, .misuse: return nil
        }
    }

    /// What an error of the file system's means to a caller.
    init(_ error: FileError) { self = error.isDiskFull ? .diskFull : .failed(error.description) }

    /// `error` as callers see it.
    static func translated(_ error: any Error) -> any Error {
        switch error {
        case let error as SQLiteError: StoreError(error) ?? error
        case let error as FileError: StoreError(error)
        default: error
        }
    }
}
