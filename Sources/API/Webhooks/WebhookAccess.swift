// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Storage

extension Caller {
    /// A caller bound to accounts knows of webhooks bound to some of these alone.
    func maySee(_ webhook: WebhookRow) -> Bool {
        guard let accounts else { return true }
        return webhook.scope.map { $0.allSatisfy(accounts.contains) } ?? false
    }

    /// Events tell what is in the mail: whoever has them sent somewhere must be allowed to read them.
    func checkMayRead() throws(APIProblem) {
        guard grant?.allows(.read) ?? false else {
            throw APIProblem(.forbidden, "insufficient_scope", "Webhooks need the scope read besides admin.")
        }
    }
}

extension Call {
    /// The webhook that the path names, and its secrets; 404 where there is none or the caller may not know of it.
    func webhook() async throws -> (row: WebhookRow, secrets: [WebhookSecretRow]) {
        let id: WebhookID = try id("webhook", "webhook")
        let caller = caller
        return try await store.read { snapshot in
            guard let webhook = try snapshot.webhooks.get(id), caller.maySee(webhook) else {
                throw APIProblem.notFound("webhook")
            }
            return (webhook, try snapshot.webhooks.secrets(of: webhook.key))
        }
    }
}
