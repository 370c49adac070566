// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Sync
import Wire

/// `POST /v1/accounts`: makes an account, whose mail is here or at servers of somebody else.
enum CreateAccount {
    private struct Body: Sendable {
        var account: NewAccount
        var password: Secret?
        var servers: [RemoteServerBody] = []
        /// Nobody says where the servers are: they are looked for, and this is for them.
        var passwordForDiscovered: Secret?
    }

    static let operation = Operation("createAccount", .post, "/v1/accounts", scope: .admin) { call in
        var query = call.query
        let isDryRun = query.bool("dryRun") ?? false
        try query.finish()
        let body = try await call.decodeBody(read)
        guard call.caller.accounts == nil else {
            throw APIProblem(.forbidden, "insufficient_scope", "A token that is bound to accounts makes no others.")
        }
        let credentials = call.api.credentials
        let id = body.account.id
        let described = try await call.api.discovered(for: body.account, body.passwordForDiscovered) ?? body.servers
        let grant = try call.api.grant(of: described, for: id)
        let servers = try described.map { server in
            guard let sealed = server.sealed(credentials, of: id, old: nil, hasGrant: grant != nil) else {
                throw server.missingSecret
            }
            return sealed
        }
        if isDryRun {
            // Many a provider gives another refresh token for the one it is shown, which nobody would have then.
            guard grant == nil else {
                throw APIProblem.invalidParameter(
                    "dryRun",
                    "invalid",
                    "a refresh token cannot be tried without its use"
                )
            }
            return try await CheckAccount.respond(call, servers, of: id)
        }
        var new = body.account
        new.verifier = try await call.api.verifier(of: body.password)
        let shown = try await call.store.write { [new] transaction in
            let account = try transaction.accounts.create(new)
            for server in servers { try transaction.remoteServers.put(server, of: account.key) }
            if let grant { try transaction.oauthGrants.put(grant, of: account.key) }
            return try ShownAccount(account, in: transaction)
        }
        call.api.mailboxes.note(shown.account)
        var fields = HTTPFields()
        try fields.add("Location", "/v1/accounts/\(shown.account.id)".utf8)
        try await call.respond(.created, fields: fields) { call.api.write(shown, to: &$0) }
    }

    private static func read(_ reader: inout JSONObjectReader) -> Body? {
        let kind = reader.require("kind").flatMap(kind)
        let address = reader.require("address")?.address()
        let alias = reader.take("alias").flatMap { $0.alias() }
        let name = reader.take("displayName").flatMap { $0.line(maximum: 200) }
        guard let kind else { return nil }
        var password: Secret?
        var servers: [RemoteServerBody] = []
        var passwordForDiscovered: Secret?
        let isDiscovering = kind != .local && reader.take("discover").flatMap { $0.bool() } == true
        switch kind {
        case .local: password = reader.take("password").flatMap { Passwords.read($0) }
        case .imap where isDiscovering, .pop3 where isDiscovering:
            passwordForDiscovered = reader.require("password").flatMap { RemoteServerBody.password($0) }
        case .imap: servers = [server(.imap, reader.require("imap"))].compactMap(\.self)
        case .pop3: servers = [server(.pop3, reader.require("pop3"))].compactMap(\.self)
        }
        if kind != .local, !isDiscovering, let smtp = server(.smtp, reader.take("smtp")) { servers.append(smtp) }
        guard let address else { return nil }
        return Body(
            account: NewAccount(kind: kind, address: address, alias: alias, displayName: name),
            password: password,
            servers: servers,
            passwordForDiscovered: passwordForDiscovered
        )
    }

    private static func kind(_ field: JSONField) -> AccountType? {
        let word = field.text(maximum: 16).flatMap { $0.span.utf8String() }
        guard let word, let kind = AccountType(rawValue: word) else {
            if word != nil { field.fail(.invalid, "must be local, imap or pop3") }
            return nil
        }
        return kind
    }

    private static func server(_ service: RemoteService, _ field: JSONField?) -> RemoteServerBody? {
        guard let field, let body = RemoteServerBody(field, service) else { return nil }
        if body.password == nil, body.authorisation == nil {
            field.errors.add(field.pointer + Array("/password".utf8), .missing, "is required")
        }
        return body
    }
}
