// SPDX-License-Identifier: Apache-2.0

import JSON
import MailTypes
import Storage
import Webhooks
import Wire

/// What a request says about a webhook; what it does not mention stays, or is as usual for a new one.
struct WebhookChange: Sendable {
    var name: String?
    var address: WebhookAddress?
    var types: [String]?
    var accounts: [AccountID]?
    var folders: [FolderID]?
    /// The inner nil is `null`: no search.
    var query: String??
    var payload: WebhookPayload?
    var isOrdered: Bool?
    var signatures: WebhookSignatures?
    var headers: [WebhookHeader]?
    var state: WebhookState?

    /// Reads the members; for a new webhook, `url` must be there.
    init?(_ reader: inout JSONObjectReader, isNew: Bool) {
        name = reader.take("name")?.line(minimum: 0, maximum: 100)
        let url = isNew ? reader.require("url") : reader.take("url")
        address = url.flatMap(Self.address)
        types = reader.take("types").flatMap { Self.unique($0, maximum: 50, Self.type) }
        accounts = reader.take("accounts").flatMap { Self.unique($0, maximum: 100, Self.account) }
        folders = reader.take("folders").flatMap { Self.unique($0, maximum: 100, Self.folder) }
        if let field = reader.take("q") {
            let text: String? = field.value == .null ? nil : Self.query(field)
            query = .some(text)
        }
        payload = reader.take("payload").flatMap { Self.word($0, WebhookPayload.self, "ids, summary or full") }
        isOrdered = reader.take("ordered")?.bool()
        signatures = reader.take("signatures").flatMap(Self.signatures)
        headers = reader.take("headers").flatMap(Self.headers)
        state = reader.take("state").flatMap(Self.state)
        if isNew, address == nil { return nil }
    }

    /// The settings that follow, its header fields apart.
    func applied(to old: WebhookSettings) -> WebhookSettings {
        var settings = old
        if let name { settings.name = name }
        if let address { settings.url = address.text }
        if let types { settings.filter.types = types }
        if let accounts { settings.filter.accounts = accounts }
        if let folders { settings.filter.folders = folders }
        if let query { settings.filter.query = query }
        if let payload { settings.payload = payload }
        if let isOrdered { settings.isOrdered = isOrdered }
        if let signatures { settings.signatures = signatures }
        return settings
    }

    // MARK: Members

    private static func address(_ field: JSONField) -> WebhookAddress? {
        guard let text = field.text(minimum: 1, maximum: WebhookAddress.maximumOctets) else { return nil }
        do throws(WebhookAddress.Flaw) {
            return try WebhookAddress(parsing: text)
        } catch {
            field.fail(.invalid, error.rawValue)
            return nil
        }
    }

    private static func unique<Element: Hashable>(
        _ field: JSONField,
        maximum: Int,
        _ read: (JSONField) -> Element?
    ) -> [Element]? {
        guard let fields = field.elements(maximum: maximum) else { return nil }
        let elements = fields.compactMap(read)
        if Set(elements).count < elements.count { field.fail(.invalid, "must not have an element twice") }
        return elements
    }

    private static func type(_ field: JSONField) -> String? {
        guard let word = field.text(maximum: 64).flatMap({ $0.span.utf8String() }) else { return nil }
        guard WebhookFilter.isKnown(type: word) else {
            field.fail(.invalid, "must be an event's type, or a group of them such as message.*")
            return nil
        }
        return word
    }

    private static func account(_ field: JSONField) -> AccountID? {
        guard let text = field.text(maximum: 64) else { return nil }
        let id = AccountID(text.span)
        if id == nil { field.fail(.invalid, "must be the id of an account") }
        return id
    }

    private static func folder(_ field: JSONField) -> FolderID? {
        guard let text = field.text(maximum: 64) else { return nil }
        let id = FolderID(text.span)
        if id == nil { field.fail(.invalid, "must be the id of a folder") }
        return id
    }

    private static func query(_ field: JSONField) -> String? {
        guard let text = field.text(minimum: 1, maximum: 250) else { return nil }
        do {
            _ = try SearchQuery(parsing: text.span)
            return text.span.utf8String()
        } catch {
            field.fail(.invalid, "\(error)")
            return nil
        }
    }

    private static func word<Word: RawRepresentable<String>>(
        _ field: JSONField,
        _ type: Word.Type,
        _ expected: String
    ) -> Word? {
        guard let text = field.text(maximum: 32).flatMap({ $0.span.utf8String() }) else { return nil }
        let word = Word(rawValue: text)
        if word == nil { field.fail(.invalid, "must be \(expected)") }
        return word
    }

    private static func state(_ field: JSONField) -> WebhookState? {
        guard let state = word(field, WebhookState.self, "active or paused") else { return nil }
        guard state != .disabled else {
            field.fail(.invalid, "must be active or paused")
            return nil
        }
        return state
    }

    private static func signatures(_ field: JSONField) -> WebhookSignatures? {
        guard let fields = field.elements(minimum: 1, maximum: 2) else { return nil }
        var kinds: WebhookSignatures = []
        for field in fields {
            guard let word = field.text(maximum: 8).flatMap({ $0.span.utf8String() }) else { return nil }
            guard let kind = WebhookSignatures(word: word) else {
                field.fail(.invalid, "must be v1 or v1a")
                return nil
            }
            kinds.formUnion(kind)
        }
        return kinds
    }

    private static func headers(_ field: JSONField) -> [WebhookHeader]? {
        guard case .object(let object) = field.value else {
            field.fail(.wrongType, "must be an object")
            return nil
        }
        guard object.members.count <= WebhookHeader.maximumCount else {
            field.fail(.tooLong, "must have at most \(WebhookHeader.maximumCount) members")
            return nil
        }
        let headers = object.members.compactMap { header($0, field) }
        if Set(headers.map { ASCII.lowercased(Array($0.name.utf8)) }).count < headers.count {
            field.fail(.invalid, "must not have a name twice, in whatever case")
        }
        return headers
    }

    private static func header(_ member: JSONObject.Member, _ field: JSONField) -> WebhookHeader? {
        guard case .string(let value) = member.value else {
            field.fail(.wrongType, "must have strings as values")
            return nil
        }
        do throws(WebhookHeader.Flaw) {
            return try WebhookHeader(checking: member.name, value)
        } catch {
            switch error {
            case .name: field.fail(.invalid, "must have names that are tokens of at most 64 characters")
            case .reserved: field.fail(.invalid, "must not have a field that the server or the connection sets itself")
            case .value:
                field.fail(.invalid, "must have values of visible ASCII and inner spaces, at most 1024 characters")
            }
            return nil
        }
    }
}

extension WebhookChange {
    /// Refuses addresses that nothing is ever sent to, and accounts that the caller may not touch.
    func check(_ call: Call) async throws {
        if let address, let objection = call.api.webhooks.parts.transport.objection(to: address) {
            throw APIProblem.invalidField("/url", "denied", objection)
        }
        let (accounts, caller) = (accounts ?? [], call.caller)
        guard !accounts.isEmpty else { return }
        let areThere = try await call.store.read { snapshot in
            try accounts.allSatisfy { try caller.mayTouch($0) && snapshot.accounts.get($0) != nil }
        }
        guard areThere else { throw APIProblem.notFound("account") }
    }
}
