// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Wire

/// `POST /v1/accounts`: makes a local account with its folders.
enum CreateAccount {
    private struct Body {
        var account: NewAccount
        var password: Secret?
    }

    static let operation = Operation("createAccount", .post, "/v1/accounts", scope: .admin) { call in
        try call.refuseParameters()
        let body = try await call.decodeBody(read)
        guard call.caller.accounts == nil else {
            throw APIProblem(.forbidden, "insufficient_scope", "A token that is bound to accounts makes no others.")
        }
        var new = body.account
        new.verifier = try await call.api.verifier(of: body.password)
        let account = try await call.store.write { [new] in try $0.accounts.create(new) }
        var fields = HTTPFields()
        try fields.add("Location", "/v1/accounts/\(account.id)".utf8)
        try await call.respond(.created, fields: fields) { AccountJSON.write(account, to: &$0) }
    }

    private static func read(_ reader: inout JSONObjectReader) -> Body? {
        let kind = reader.require("kind")
        if let kind, kind.text(maximum: 16).map({ $0.span.equals("local") }) == false {
            kind.fail(.invalid, "must be local")
        }
        let address = reader.require("address")?.address()
        let alias = reader.take("alias").map { $0.alias() } ?? nil
        let name = reader.take("displayName").map { $0.line(maximum: 200) } ?? nil
        let password = reader.take("password").map { Passwords.read($0) } ?? nil
        guard let address else { return nil }
        return Body(account: NewAccount(address: address, alias: alias, displayName: name), password: password)
    }
}
