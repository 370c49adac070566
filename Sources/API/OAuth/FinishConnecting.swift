// SPDX-License-Identifier: Apache-2.0

import Accounts
import Discovery
import HTTP
import HTTPServer
import Logging
import MailTypes
import OAuth
import Storage
import Sync
import Wire

/// `GET /oauth2/callback/{provider}`: where a provider sends the browser back to, with a code or an error (RFC 6749 §4.1.2).
enum FinishConnecting {
    static let operation = Operation("finishConnecting", .get, "/oauth2/callback/{provider}", scope: nil) { call in
        let query = call.exchange.query
        let cookie = ConnectCookie(publicURL: call.api.configuration.publicURL)
        let flow: AuthorizationFlows<Connecting>.Flow
        do {
            flow = try call.api.authorizations.finish(
                Self.single("state", query) ?? [],
                at: Array(call.parameters["provider"]),
                browsers: cookie.values(call.exchange.fields)
            )
        } catch {
            return try await call.respondThatItIsOver()
        }
        guard let code = Self.single("code", query), !code.isEmpty, query.all("error").isEmpty else {
            let error = Self.single("error", query).map(Self.word) ?? "invalid_response"
            return try await end(call, flow.purpose, error: error)
        }
        do {
            let account = try await connect(call, flow, code)
            try await end(call, flow.purpose, account: account)
        } catch let refusal as Refusal {
            call.api.logger.notice(
                "a mailbox was not connected",
                metadata: ["provider": "\(flow.provider.name)", "err": "\(refusal.reason)"]
            )
            try await end(call, flow.purpose, error: refusal.code)
        } catch StoreError.alreadyExists {
            try await end(call, flow.purpose, error: "already_exists")
        }
    }

    private struct Refusal: Error {
        let code: String
        let reason: String
    }

    private static func single(_ name: StaticString, _ query: QueryParameters) -> [UInt8]? {
        let all = query.all(name)
        return all.count == 1 ? all.first.map { Array($0) } : nil
    }

    /// A provider's error, as far as it is a word of the kind that RFC 6749 §4.1.2.1 has.
    private static func word(_ octets: [UInt8]) -> String {
        let isWord =
            (1...64).contains(octets.count) && octets.allSatisfy { ASCII.isLower($0) || $0 == ASCII.underscore }
        return isWord ? String(decoding: octets, as: UTF8.self) : "invalid_response"
    }

    // MARK: Connecting

    private static func connect(
        _ call: Call,
        _ flow: AuthorizationFlows<Connecting>.Flow,
        _ code: [UInt8]
    ) async throws -> AccountID {
        let (answer, username): (TokenAnswer, String?)
        do throws(TokenAnswer.Problem) {
            (answer, username) = try await flow.tokens(for: code, from: call.api.tokenKeeper)
        } catch {
            throw Refusal(code: "token_refused", reason: error.reason)
        }
        guard let refresh = answer.refresh else {
            throw Refusal(code: "no_refresh_token", reason: "The provider gave no refresh token.")
        }
        let keeper = call.api.tokenKeeper
        switch flow.purpose.target {
        case .existing(let id):
            let grant = keeper.grant(answer, refresh: refresh, at: flow.provider, for: id)
            return try await renew(id, grant, username, call)
        case .new(let draft):
            let account = try newAccount(draft, username)
            let servers = try servers(of: account, draft, flow.provider, username)
            let grant = keeper.grant(answer, refresh: refresh, at: flow.provider, for: account.id)
            let row = try await call.store.write { transaction in
                let row = try transaction.accounts.create(account)
                try transaction.oauthGrants.put(grant, of: row.key)
                for server in servers { try transaction.remoteServers.put(server, of: row.key) }
                return row
            }
            call.api.mailboxes.note(row)
            return row.id
        }
    }

    private static func newAccount(_ draft: Connecting.Draft, _ username: String?) throws -> NewAccount {
        guard let address = draft.address ?? username.flatMap({ EmailAddress($0) }) else {
            throw Refusal(code: "address_unknown", reason: "Neither the request nor the provider names the address.")
        }
        if let username, let wanted = draft.address { try check(username, isAmong: ["\(wanted)"]) }
        return NewAccount(kind: .imap, address: address, alias: draft.alias, displayName: draft.displayName)
    }

    private static func servers(
        of account: NewAccount,
        _ draft: Connecting.Draft,
        _ provider: OAuthProvider,
        _ username: String?
    ) throws -> [RemoteServer] {
        if !draft.servers.isEmpty { return draft.servers.map(\.authorised) }
        let known = KnownProvider(rawValue: provider.name)?.servers ?? []
        return known.filter { $0.service != .pop3 }.map { server in
            RemoteServer(
                service: server.service,
                host: server.host,
                port: server.port,
                security: server.security,
                username: username ?? "\(account.address)",
                credential: .oauth2,
                secret: nil
            )
        }
    }

    /// Those of the account's servers that log in by the provider go on so; where none does, all do from now on.
    private static func renew(
        _ id: AccountID,
        _ grant: OAuthGrant,
        _ username: String?,
        _ call: Call
    ) async throws -> AccountID {
        let row = try await call.store.write { transaction -> AccountRow in
            guard let row = try transaction.accounts.get(id) else {
                throw Refusal(code: "account_gone", reason: "The account was deleted meanwhile.")
            }
            let servers = try transaction.remoteServers.list(of: row.key)
            if let username {
                try check(username, isAmong: ["\(row.address)"] + servers.map(\.username))
            }
            if !servers.contains(where: { $0.credential == .oauth2 }) {
                for var server in servers {
                    server.credential = .oauth2
                    server.secret = nil
                    try transaction.remoteServers.put(server, of: row.key)
                }
            }
            try transaction.oauthGrants.put(grant, of: row.key)
            return row
        }
        call.api.mailboxes.note(row)
        return row.id
    }

    /// Somebody who is logged in twice at a provider easily gives consent for the wrong mailbox.
    private static func check(_ username: String, isAmong names: [String]) throws {
        let wanted = Array(username.utf8)
        guard names.contains(where: { ASCII.equalsIgnoringCase(Array($0.utf8).span, wanted.span) }) else {
            throw Refusal(code: "other_mailbox", reason: "The consent is for another mailbox than the account's.")
        }
    }

    // MARK: The end

    private static func end(
        _ call: Call,
        _ purpose: Connecting,
        account: AccountID? = nil,
        error: String? = nil
    ) async throws {
        guard let url = purpose.returnURL else {
            guard let error else {
                return try await call.respond(
                    page: ConnectPage.tell("Connected", "Your mailbox is connected. You can close this page.")
                )
            }
            return try await call.respond(
                page: ConnectPage.tell("Not connected", "Your mailbox was not connected (\(error))."),
                .badRequest
            )
        }
        var members: [(name: String, value: [UInt8])] = []
        if let account { members.append(("account", Array("\(account)".utf8))) }
        if let error { members.append(("error", Array(error.utf8))) }
        if let state = purpose.state { members.append(("state", Array(state.utf8))) }
        let mark = url.utf8.contains(ASCII.question) ? "&" : "?"
        try await call.redirect(
            to: url + mark + String(decoding: PercentEncoding.encode(members: members), as: UTF8.self)
        )
    }
}
