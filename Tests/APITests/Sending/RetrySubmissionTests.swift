// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Testing

@testable import API

@Suite struct RetrySubmissionTests {
    /// Gives the account a server that takes its mail, of which nobody makes use here.
    private func giveServer(_ server: TestServer, _ account: String) async throws {
        let id = try #require(AccountID(account))
        try await server.store.write { transaction in
            let row = try #require(try transaction.accounts.get(id))
            let smtp = RemoteServer(
                service: .smtp,
                host: "mail.example.net",
                port: 465,
                security: .implicit,
                username: "ann",
                credential: .none,
                secret: nil
            )
            try transaction.remoteServers.put(smtp, of: row.key)
        }
    }

    @Test func strangersAreQueuedForTheAccountsServer() async throws {
        try await withServer { server in
            let ann = try server.account()
            try await giveServer(server, ann)
            let sent = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send",
                json: #"{"to":["ann@example.com","x@elsewhere.example"],"subject":"s","text":"t"}"#
            )
            #expect(sent.status == 202)
            #expect(sent["recipients", "0", "state"] == "delivered" && sent["recipients", "1", "state"] == "queued")
            let location = try #require(sent.field("location"))
            let before = try server.send("GET", location)
            #expect(before["recipients", "1", "nextAttemptAt"] != nil)
            #expect(before["recipients", "0", "nextAttemptAt"] == nil)
            #expect(try server.send("POST", location + "/retry")["recipients", "1", "state"] == "queued")
            #expect(try server.send("DELETE", location)["recipients", "1", "state"] == "cancelled")
            let refused = try server.send("POST", location + "/retry")
            #expect(refused.status == 409 && refused["code"] == "not_retryable")
        }
    }

    @Test func whatIsNotThereIsNotFound() async throws {
        try await withServer { server in
            let ann = try server.account()
            let path = "/v1/accounts/\(ann)/outbox/out_aaaaaaaaaaaaaaaa/retry"
            #expect(try server.send("POST", path).status == 404)
        }
    }
}
