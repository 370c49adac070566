// SPDX-License-Identifier: Apache-2.0

internal import JSON
internal import Wire

/// The account's folders by path, made as they are needed.
struct FolderMap {
    private let account: String
    /// Ids by path; the paths of folders with a role by their role too.
    private var ids: [String: String] = [:]

    init(client: LocalClient, account: String) throws {
        self.account = account
        try client.forEachItem("/v1/accounts/\(account)/folders") { folder in
            let id = folder.text("id")
            ids[folder.text("path")] = id
            ids[id] = id
            let role = folder.text("role")
            if !role.isEmpty { ids[role] = id }
        }
    }

    /// The id of a folder named by id, role or path; missing levels of a path are made.
    mutating func id(of name: String, client: LocalClient) throws -> String {
        if let known = ids[name] ?? (ASCII.lowercased(name.utf8) == Array("inbox".utf8) ? ids["inbox"] : nil) {
            return known
        }
        var path = ""
        var parent: String?
        for level in name.split(separator: "/", omittingEmptySubsequences: true) {
            path += path.isEmpty ? String(level) : "/\(level)"
            parent = try ids[path] ?? make(String(level), path: path, below: parent, client: client)
        }
        guard let parent else { throw Console.failure("a folder needs a name") }
        return parent
    }

    private mutating func make(
        _ name: String,
        path: String,
        below parent: String?,
        client: LocalClient
    ) throws -> String {
        var body = JSONWriter()
        body.beginObject()
        body.key("name")
        body.string(name)
        if let parent {
            body.key("parent")
            body.string(parent)
        }
        body.endObject()
        let content = LocalClient.Content(octets: body.finish().array())
        let id = try client.call("POST", "/v1/accounts/\(account)/folders", content).text("id")
        ids[path] = id
        return id
    }
}
