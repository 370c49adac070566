// SPDX-License-Identifier: Apache-2.0

import Accounts
import Wire
import HTTP
import JSON
import Storage

/// `PATCH /v1/accounts/{account}`: members that are absent stay as they are.
enum UpdateAccount {
    private struct Body {
        var change = AccountChange()
        /// The inner nil takes the password away.
        var password: Secret??
    }

    static let operation = Operation("updateAccount", .patch, "/v1/accounts/{account}", scope: .admin) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        _ = try await call.store.read { try reference.resolve(in: $0, for: caller) }
        let body = try await call.decodeBody(read)
        var change = body.change
        if let password = body.password { change.verifier = .some(try await call.api.verifier(of: password)) }
        let account = try await call.store.write { [change] transaction in
            try transaction.accounts.update(try reference.resolve(in: transaction, for: caller).key, change)
        }
        try await call.respond { AccountJSON.write(account, to: &$0) }
    }

    private static func read(_ reader: inout JSONObjectReader) -> Body? {
        var body = Body()
        let fields = [reader.take("alias"), reader.take("displayName"), reader.take("password")]
        if let field = fields[0] { body.change.alias = .some(field.isNull ? nil : field.alias()) }
        if let field = fields[1] { body.change.displayName = .some(field.isNull ? nil : field.line(maximum: 200)) }
        if let field = fields[2] { body.password = .some(field.isNull ? nil : Passwords.read(field)) }
        if fields.allSatisfy({ $0 == nil }) { reader.errors.add([], .missing, "must have at least one member") }
        return body
    }
}
