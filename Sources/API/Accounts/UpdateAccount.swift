// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Sync
import Wire

/// `PATCH /v1/accounts/{account}`: members that are absent stay as they are.
enum UpdateAccount {
    private struct Body: Sendable {
        var change = AccountChange()
        /// The inner nil takes the password away.
        var password: Secret??
        var servers: [RemoteServerBody] = []
        /// Taken away.
        var removed: [RemoteService] = []
        var isChange = false
    }

    static let operation = Operation("updateAccount", .patch, "/v1/accounts/{account}", scope: .admin) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        let account = try await call.store.read { try reference.resolve(in: $0, for: caller) }
        let (id, kind) = (account.id, account.kind)
        let body = try await call.decodeBody { (reader: inout JSONObjectReader) -> Body? in read(&reader, kind) }
        var change = body.change
        if let password = body.password { change.verifier = .some(try await call.api.verifier(of: password)) }
        let credentials = call.api.credentials
        let grant = try call.api.grant(of: body.servers, for: id)
        let wanted = change
        let shown = try await call.store.write { transaction -> ShownAccount in
            let key = try AccountReference(Array("\(id)".utf8)[...]).resolve(in: transaction, for: caller).key
            // What stays as it was is what is there now: it may have been replaced, or sealed anew, while the body came.
            let provider = try transaction.oauthGrants.get(key)?.provider
            let servers = try body.servers.map { server in
                let before = try transaction.remoteServers.get(server.service, of: key)
                let isOther = grant == nil && (server.authorisation.map { $0.provider != provider } ?? false)
                guard !isOther, let sealed = server.sealed(credentials, of: id, old: before, hasGrant: grant != nil)
                else { throw server.missingSecret }
                return sealed
            }
            if let server = servers.first(where: { $0.service == .imap }),
                let old = try transaction.remoteServers.get(.imap, of: key), !server.isSameMailbox(as: old)
            {
                try transaction.mirror.startAnew(key)
            }
            if let server = servers.first(where: { $0.service == .pop3 }),
                let old = try transaction.remoteServers.get(.pop3, of: key)
            {
                if server.isSameMailbox(as: old) {
                    try transaction.maildrop.retryLeft(of: key)
                } else {
                    try transaction.maildrop.startAnew(key)
                }
            }
            for server in servers { try transaction.remoteServers.put(server, of: key) }
            for service in body.removed { try transaction.remoteServers.remove(service, of: key) }
            if let grant { try transaction.oauthGrants.put(grant, of: key) }
            if try !transaction.remoteServers.list(of: key).contains(where: { $0.credential == .oauth2 }) {
                try transaction.oauthGrants.remove(key)
            }
            return try ShownAccount(try transaction.accounts.update(key, wanted), in: transaction)
        }
        call.api.mailboxes.note(shown.account)
        try await call.respond { call.api.write(shown, to: &$0) }
    }

    private static func read(_ reader: inout JSONObjectReader, _ kind: AccountType) -> Body? {
        var body = Body()
        if let field = reader.take("alias") {
            body.change.alias = .some(field.isNull ? nil : field.alias())
            body.isChange = true
        }
        if let field = reader.take("displayName") {
            body.change.displayName = .some(field.isNull ? nil : field.line(maximum: 200))
            body.isChange = true
        }
        switch kind {
        case .local: readPassword(&reader, &body)
        case .imap: readServers([.imap, .smtp], &reader, &body)
        case .pop3: readServers([.pop3, .smtp], &reader, &body)
        }
        if !body.isChange { reader.errors.add([], .missing, "must have at least one member") }
        return body
    }

    private static func readPassword(_ reader: inout JSONObjectReader, _ body: inout Body) {
        guard let field = reader.take("password") else { return }
        body.password = .some(field.isNull ? nil : Passwords.read(field))
        body.isChange = true
    }

    private static func readServers(
        _ services: [RemoteService],
        _ reader: inout JSONObjectReader,
        _ body: inout Body
    ) {
        for service in services {
            guard let field = RemoteServerBody.take(service, from: &reader) else { continue }
            body.isChange = true
            if field.isNull, service == .smtp {
                body.removed.append(service)
            } else if let server = RemoteServerBody(field, service) {
                body.servers.append(server)
            }
        }
    }
}
