// SPDX-License-Identifier: Apache-2.0

import HTTP
import MailTypes
import Storage
import Wire

/// How a path names an account: by id, alias or address.
struct AccountReference: Sendable {
    private let text: String?

    init(_ segment: ArraySlice<UInt8>) { text = segment.span.utf8String() }

    /// The account; 404 where there is none or the caller may not know of it: both are the same answer.
    func resolve(in view: some StoreView, for caller: Caller) throws -> AccountRow {
        guard let text, let account = try view.accounts.find(text), caller.mayTouch(account.id) else {
            throw APIProblem.notFound("account")
        }
        return account
    }

    /// As ``resolve(in:for:)``, where only the account's key is wanted.
    func key(in view: some StoreView, for caller: Caller) throws -> AccountKey {
        guard let text, let account = try view.accounts.identify(text), caller.mayTouch(account.id) else {
            throw APIProblem.notFound("account")
        }
        return account.key
    }
}

/// How a path, a parameter or a member names a folder: by id or role.
struct FolderReference: Sendable {
    private let text: String?

    init(_ segment: some Sequence<UInt8>) { text = Array(segment).span.utf8String() }

    init(_ role: FolderRole) { text = role.rawValue }

    /// The folder, or nil.
    func find(in view: some StoreView, of account: AccountRow) throws -> FolderRow? {
        guard let text else { return nil }
        return try view.folders.find(text, in: account.key)
    }

    /// The folder, or 404.
    func resolve(in view: some StoreView, of account: AccountRow) throws -> FolderRow {
        guard let folder = try find(in: view, of: account) else { throw APIProblem.notFound("folder") }
        return folder
    }

    /// As ``resolve(in:of:)``, where only the folder's key is wanted.
    func key(in view: some StoreView, of account: AccountKey) throws -> FolderKey {
        guard let text, let folder = try view.folders.identify(text, in: account) else {
            throw APIProblem.notFound("folder")
        }
        return folder
    }

    /// The folder that a member of the body names.
    ///
    /// One that is not there is a conflict with the present state: 404 would say that what the path names is missing.
    func resolve(in view: some StoreView, of account: AccountRow, member: StaticString) throws -> FolderRow {
        guard let folder = try find(in: view, of: account) else {
            var problem = APIProblem(.conflict, "unknown_folder", "There is no such folder.")
            problem.errors = [
                FieldProblem(
                    place: .pointer(Array("/\(member)".utf8)),
                    code: "unknown",
                    detail: "is no folder's id or role"
                )
            ]
            throw problem
        }
        return folder
    }
}

/// How a path names a message: by id, or `latest` for the newest in the inbox.
enum MessageReference: Sendable {
    case id(PlacementID)
    case latest
    case impossible

    init(_ segment: ArraySlice<UInt8>) {
        if segment.span.equals("latest") {
            self = .latest
        } else {
            self = PlacementID(segment.span).map { .id($0) } ?? .impossible
        }
    }

    /// The id of the message; 404 where there is none.
    func resolve(in view: some StoreView, of account: AccountKey) throws -> PlacementID {
        switch self {
        case .id(let id): return id
        case .latest:
            let inbox = try view.folders.find(.inbox, in: account)
            guard let inbox, let message = try view.messages.latest(in: account, folder: inbox.key) else {
                throw APIProblem.notFound("message")
            }
            return message.id
        case .impossible: throw APIProblem.notFound("message")
        }
    }

    /// The row of the message; 404 where there is none.
    func row(in view: some StoreView, of account: AccountRow) throws -> MessageRow {
        guard let row = try view.messages.find(try resolve(in: view, of: account.key), in: account.key) else {
            throw APIProblem.notFound("message")
        }
        return row
    }
}
