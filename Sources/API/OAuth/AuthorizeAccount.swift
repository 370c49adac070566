// SPDX-License-Identifier: Apache-2.0

import Accounts
import Discovery
import HTTP
import JSON
import MailTypes
import OAuth
import Storage
import Wire

/// `POST /v1/oauth/authorizations`: begins to have an account's owner authorise us at his provider.
enum AuthorizeAccount {
    private struct Body: Sendable {
        let provider: String
        /// An id, alias or address; nil for an account to be made.
        let account: String?
        let draft: Connecting.Draft
        let returnURL: String?
        let state: String?
    }

    static let operation = Operation("authorizeAccount", .post, "/v1/oauth/authorizations", scope: .admin) { call in
        try call.refuseParameters()
        let body = try await call.decodeBody(read)
        let api = call.api
        let provider = try api.provider(body.provider, at: "/provider")
        guard !api.configuration.publicURL.isEmpty else {
            throw APIProblem(.conflict, "not_configured", "The server does not know by which URL browsers reach it.")
        }
        if let url = body.returnURL, !api.configuration.returnURLs.contains(url) {
            throw APIProblem.invalidField("/returnUrl", "invalid", "is not one that the operator allows")
        }
        let (target, hint) = try await target(body, provider, call)
        let begun: AuthorizationFlows<Connecting>.Begun
        do {
            begun = try api.authorizations.begin(
                Connecting(target: target, returnURL: body.returnURL, state: body.state),
                at: provider,
                redirectURL: api.redirectURL(of: provider),
                hint: hint
            )
        } catch {
            throw APIProblem.unavailable("busy", "Too many authorizations are under way.")
        }
        var fields = HTTPFields()
        fields.add("Cache-Control", "no-store")
        try await call.respond(.created, fields: fields) { writer in
            writer.beginObject()
            writer.key("connectUrl")
            writer.string("\(api.configuration.publicURL)/connect/\(begun.ticket)")
            writer.key("authorizeUrl")
            writer.string(begun.flow.authorizeURL)
            writer.key("expiresAt")
            writer.timestamp(begun.flow.expires)
            writer.endObject()
        }
    }

    private static func target(
        _ body: Body,
        _ provider: OAuthProvider,
        _ call: Call
    ) async throws -> (Connecting.Target, hint: String?) {
        if let account = body.account {
            let (reference, caller) = (AccountReference(Array(account.utf8)[...]), call.caller)
            let row = try await call.store.read { try reference.resolve(in: $0, for: caller) }
            guard row.kind != .local else {
                throw APIProblem(.conflict, "wrong_kind", "The account's mail is here: it has no provider.")
            }
            return (.existing(row.id), "\(row.address)")
        }
        guard call.caller.accounts == nil else {
            throw APIProblem(.forbidden, "insufficient_scope", "A token that is bound to accounts makes no others.")
        }
        guard !body.draft.servers.isEmpty || KnownProvider(rawValue: provider.name) != nil else {
            throw APIProblem.invalidField("/imap", "missing", "is required: the provider's servers are not known")
        }
        return (.new(body.draft), body.draft.address.map { "\($0)" })
    }

    private static func read(_ reader: inout JSONObjectReader) -> Body? {
        let provider = reader.require("provider")?.line(minimum: 1, maximum: 64)
        let account = reader.take("account").flatMap { $0.line(minimum: 1, maximum: 320) }
        let returnURL = reader.take("returnUrl").flatMap { $0.line(minimum: 1, maximum: 2048) }
        let state = reader.take("state").flatMap { $0.line(maximum: 1024) }
        var draft = Connecting.Draft(address: nil, alias: nil, displayName: nil, servers: [])
        if account == nil, let provider {
            let imap = reader.take("imap").flatMap { RemoteServerBody($0, .imap, authorisedAt: provider) }
            let smtp = reader.take("smtp").flatMap { RemoteServerBody($0, .smtp, authorisedAt: provider) }
            if smtp != nil, imap == nil { reader.errors.add(Array("/imap".utf8), .missing, "is required with smtp") }
            draft = Connecting.Draft(
                address: reader.take("address")?.address(),
                alias: reader.take("alias").flatMap { $0.alias() },
                displayName: reader.take("displayName").flatMap { $0.line(maximum: 200) },
                servers: [imap, smtp].compactMap(\.self)
            )
        }
        guard let provider else { return nil }
        return Body(provider: provider, account: account, draft: draft, returnURL: returnURL, state: state)
    }
}
