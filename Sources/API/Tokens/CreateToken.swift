// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import MailTypes
import Storage
import Wire

/// `POST /v1/tokens`: makes a token; its text is in the answer and nowhere else, ever.
enum CreateToken {
    static let operation = Operation("createToken", .post, "/v1/tokens", scope: .admin) { call in
        try call.refuseParameters()
        let draft = try await call.decodeBody(read)
        try call.caller.checkMayGrant(draft)
        try await checkExist(draft.accounts ?? [], call.store)
        let created = try await call.api.tokens.create(draft)
        var fields = HTTPFields()
        try fields.add("Location", "/v1/tokens/\(created.grant.id)".utf8)
        fields.add("Cache-Control", "no-store")
        try await call.respond(.created, fields: fields) { writer in
            writer.beginObject()
            TokenJSON.writeMembers(created.grant, to: &writer)
            writer.key("token")
            created.text.withOctets { writer.string($0) }
            writer.endObject()
        }
    }

    private static func checkExist(_ accounts: [AccountID], _ store: Store) async throws {
        let areThere = try await store.read { snapshot in
            try accounts.allSatisfy { try snapshot.accounts.get($0) != nil }
        }
        guard areThere else { throw APIProblem.notFound("account") }
    }

    // MARK: The body

    private static func read(_ reader: inout JSONObjectReader) -> TokenDraft? {
        let name = reader.require("name")?.line(minimum: 1, maximum: 100)
        let scopes = reader.require("scopes").map(scopes) ?? nil
        let accounts = reader.take("accounts").map { unique($0, maximum: 100, minimum: 1, account) } ?? nil
        let origins = reader.take("origins").map { unique($0, maximum: 20, minimum: 0, origin) } ?? nil
        let expires = reader.take("expiresAt").map(moment) ?? nil
        guard let name, let scopes else { return nil }
        return TokenDraft(name: name, scopes: scopes, accounts: accounts, origins: origins ?? [], expiresAt: expires)
    }

    private static func scopes(_ field: JSONField) -> TokenScopes? {
        guard let words = unique(field, maximum: 4, minimum: 1, scope) else { return nil }
        return words.reduce(into: []) { $0.formUnion($1) }
    }

    /// The elements, each read by `read`, none twice.
    private static func unique<Element: Hashable>(
        _ field: JSONField,
        maximum: Int,
        minimum: Int,
        _ read: (JSONField) -> Element?
    ) -> [Element]? {
        guard let fields = field.elements(minimum: minimum, maximum: maximum) else { return nil }
        let elements = fields.compactMap(read)
        if Set(elements).count < elements.count { field.fail(.invalid, "must not have an element twice") }
        return elements
    }

    private static func scope(_ field: JSONField) -> TokenScopes? {
        guard let text = field.text(maximum: 16), let word = text.span.utf8String() else { return nil }
        let scope = TokenScopes(word: word)
        if scope == nil { field.fail(.invalid, "must be read, write, send or admin") }
        return scope
    }

    private static func account(_ field: JSONField) -> AccountID? {
        guard let text = field.text(maximum: 64) else { return nil }
        let id = AccountID(text.span)
        if id == nil { field.fail(.invalid, "must be the id of an account") }
        return id
    }

    private static func moment(_ field: JSONField) -> Timestamp? {
        guard let text = field.text(maximum: 64) else { return nil }
        let moment = text.count > 10 ? Timestamp(rfc3339: text.span) : nil
        if moment == nil { field.fail(.invalid, "must be a date and time (RFC 3339)") }
        return moment
    }

    /// ```
    /// origin = ( "http" / "https" ) "://" host [ ":" port ]
    /// host   = ( LOWER / DIGIT ) *( LOWER / DIGIT / "." / "-" )
    /// ```
    private static func origin(_ field: JSONField) -> String? {
        guard let text = field.text(maximum: 300) else { return nil }
        guard isOrigin(text) else {
            field.fail(.invalid, "must be an origin such as https://app.example.com")
            return nil
        }
        return text.span.utf8String()
    }

    private static func isOrigin(_ text: [UInt8]) -> Bool {
        var rest = text[...]
        if rest.starts(with: "https://".utf8) {
            rest = rest.dropFirst(8)
        } else if rest.starts(with: "http://".utf8) {
            rest = rest.dropFirst(7)
        } else {
            return false
        }
        let parts = rest.split(separator: ASCII.colon, omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first, isHost(host) else { return false }
        guard parts.count == 2 else { return true }
        return parts[1].first != ASCII.zero
            && (1...65_535).contains(StrictInteger.decimal(parts[1], maximum: 65_535) ?? 0)
    }

    private static func isHost(_ host: ArraySlice<UInt8>) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool { ASCII.isLower(byte) || ASCII.isDigit(byte) }
        guard let first = host.first, let last = host.last, isLetterOrDigit(first), isLetterOrDigit(last) else {
            return false
        }
        return host.allSatisfy { isLetterOrDigit($0) || $0 == ASCII.dot || $0 == ASCII.hyphen }
    }
}

extension Caller {
    /// Nobody gives away more than is theirs: a token bound to accounts makes only tokens bound to these.
    fileprivate func checkMayGrant(_ draft: TokenDraft) throws(APIProblem) {
        guard let accounts else { return }
        guard let wanted = draft.accounts, wanted.allSatisfy(accounts.contains) else {
            throw APIProblem(.forbidden, "insufficient_scope", "The new token must be bound to accounts of this one.")
        }
    }
}
