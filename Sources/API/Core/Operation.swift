// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP

/// One operation of `openapi.yaml`: its method and path, its name there, who may call it, and what it does.
struct Operation: Sendable {
    typealias Handler = @Sendable (Call) async throws -> Void

    let id: StaticString
    let method: HTTPMethod
    let path: StaticString
    /// What the token must allow; nil for those that need no token.
    let scope: TokenScopes?
    /// It shows mail, of which a server may know more than its mirror.
    let showsMail: Bool
    /// A ticket in the path lets whoever knows it go on.
    let isPathSecret: Bool
    let handler: Handler

    init(
        _ id: StaticString,
        _ method: HTTPMethod,
        _ path: StaticString,
        scope: TokenScopes?,
        _ handler: @escaping Handler
    ) {
        self.id = id
        self.method = method
        self.path = path
        self.scope = scope
        showsMail =
            method == .get
            && ["folders", "messages", "threads"].contains { "\(path)".hasPrefix("/v1/accounts/{account}/\($0)") }
        isPathSecret = "\(path)".contains("{ticket}")
        self.handler = handler
    }
}
