// SPDX-License-Identifier: Apache-2.0

import Accounts
import JSON
import Testing

@testable import API

@Suite struct SendMessageTests {
    private func inbox(_ server: TestServer, _ account: String, _ folder: String = "inbox") throws -> TestResponse {
        try server.send("GET", "/v1/accounts/\(account)/messages?folder=\(folder)")
    }

    @Test func deliversHereAndKeepsTheCopy() async throws {
        try await withServer { server in
            let ann = try server.account()
            let bob = try server.account("bob@example.com")
            let sent = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send",
                json:
                    #"{"to":[{"name":"Böb","address":"bob+tag@example.com"},"ann@example.com"],"subject":"Grüße","text":"hi","html":"<p>hi","attachments":[{"filename":"a.txt","content":"aGVsbG8="}]}"#
            )
            #expect(sent.status == 202)
            #expect(sent["recipients", "0", "state"] == "delivered" && sent["recipients", "1", "state"] == "delivered")
            for (account, folder) in [(bob, "inbox"), (ann, "inbox"), (ann, "sent")] {
                let listed = try inbox(server, account, folder)
                #expect(listed["items", "0", "subject"] == "Grüße" && listed.count("items") == 1)
                #expect(listed["items", "0", "messageId"] == sent["messageId"])
                #expect(listed.bool("items", "0", "hasAttachments") == true)
            }
            #expect(try inbox(server, ann, "sent")["items", "0", "id"] == sent["message"])
            #expect(try inbox(server, ann, "sent").strings("items", "0", "flags") == ["seen"])
            let location = try #require(sent.field("location"))
            #expect(try server.send("GET", location)["id"] == sent["id"])
            #expect(try server.send("GET", "/v1/accounts/\(ann)/outbox").count("items") == 1)
            #expect(try server.send("DELETE", location).status == 409)
        }
    }

    @Test func unreachableRecipientsAreNamedAndNothingIsSent() async throws {
        try await withServer { server in
            let ann = try server.account()
            let path = "/v1/accounts/\(ann)/send"
            let body = #"{"to":["ann@example.com","nobody@example.com","x@elsewhere.example"],"text":"t"}"#
            let refused = try server.send("POST", path, json: body)
            #expect(refused.status == 422 && refused["code"] == "recipient_unreachable" && refused.count("errors") == 2)
            #expect(refused["errors", "0", "code"] == "unknown_mailbox" && refused["errors", "1", "code"] == "no_route")
            #expect(try inbox(server, ann).count("items") == 0)
            #expect(try inbox(server, ann, "sent").count("items") == 0)
            let partial = try server.send("POST", path + "?partial=true", json: body)
            #expect(partial.status == 202)
            #expect(
                partial["recipients", "0", "state"] == "delivered" && partial["recipients", "2", "state"] == "refused"
            )
            #expect(try inbox(server, ann).count("items") == 1)
        }
    }

    @Test(arguments: [
        (#"{"text":"t"}"#, 422, "/to"), (#"{"to":"x"}"#, 422, "/to"),
        (#"{"to":"ann@example.com","cc":[1]}"#, 422, "/cc/0"),
        (#"{"to":"ann@example.com","subject":"a\r\nBcc: b@c.d"}"#, 422, "/subject"),
        (#"{"to":"ann@example.com","headers":[{"name":"Bcc","value":"x"}]}"#, 422, "/headers/0/name"),
        (#"{"to":"ann@example.com","headers":[{"name":"X-A","value":"x\ny"}]}"#, 422, "/headers/0/value"),
        (#"{"to":"ann@example.com","attachments":[{"content":"a"}]}"#, 422, "/attachments/0/content"),
        (
            #"{"to":"ann@example.com","attachments":[{"content":"","contentType":"multipart/x"}]}"#, 422,
            "/attachments/0/contentType"
        ),
        (#"{"to":"ann@example.com","reference":{"message":"x","action":"reply"}}"#, 422, "/reference/message"),
        (#"{"to":"ann@example.com","nonsense":1}"#, 422, "/nonsense"),
    ])
    func fieldsAreNamedByTheirPointers(_ body: String, _ status: Int, _ pointer: String) async throws {
        try await withServer { server in
            let answer = try server.send("POST", "/v1/accounts/\(try server.account())/send", json: body)
            #expect(answer.status == status && answer["errors", "0", "pointer"] == pointer, "\(answer.text)")
        }
    }

    @Test func nobodySendsAsAnother() async throws {
        try await withServer { server in
            let ann = try server.account()
            _ = try server.account("bob@example.com")
            let answer = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send",
                json: #"{"from":"bob@example.com","to":"ann@example.com"}"#
            )
            #expect(answer.status == 403 && answer["code"] == "sender_not_allowed")
            for header in ["From: bob@example.com", "From: ann@example.com\nSender: bob@example.com"] {
                let finished = try server.send(
                    "POST",
                    "/v1/accounts/\(ann)/send",
                    fields: [("Content-Type", "message/rfc822")],
                    body: Array("\(header)\nTo: ann@example.com\n\nb\n".utf8)
                )
                #expect(finished.status == 403 && finished["code"] == "sender_not_allowed", "\(header)")
            }
        }
    }

    @Test func aDryRunShowsTheMessageAndStoresNothing() async throws {
        try await withServer { server in
            let ann = try server.account()
            let shown = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send?dryRun=true",
                json: #"{"to":"ann@example.com","subject":"s","text":"t"}"#
            )
            #expect(shown.status == 200 && shown.field("content-type") == "message/rfc822")
            #expect(shown.text.contains("\r\nSubject: s\r\n") && shown.text.hasSuffix("\r\n\r\nt\r\n"))
            #expect(try inbox(server, ann).count("items") == 0)
        }
    }

    @Test func aFormIsReadAsCurlSendsIt() async throws {
        try await withServer { server in
            let ann = try server.account()
            func part(_ name: String, _ value: String) -> String {
                "--X\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
            }
            let body =
                part("to", "Ann <ann@example.com>") + part("subject", "form") + part("text", "hello")
                + "--X\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"f.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--X--\r\n"
            let sent = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send",
                fields: [("Content-Type", "multipart/form-data; boundary=X")],
                body: Array(body.utf8)
            )
            #expect(sent.status == 202, "\(sent.text)")
            #expect(try inbox(server, ann)["items", "0", "subject"] == "form")
        }
    }

    /// A value comes in as many pieces as it has lines: copying what is there for each would take hours.
    @Test func aFieldOfManyLinesIsTaken() async throws {
        try await withServer { server in
            let ann = try server.account()
            let body =
                "--X\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nann@example.com\r\n"
                + "--X\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n"
                + String(repeating: "\r\n", count: 500_000) + "end\r\n--X--\r\n"
            let sent = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send",
                fields: [("Content-Type", "multipart/form-data; boundary=X")],
                body: Array(body.utf8)
            )
            #expect(sent.status == 202, "\(sent.text)")
        }
    }

    /// An attached message goes in unencoded: its line ends must be mail's all the same.
    @Test func anAttachedMessageHasNoLineEndsButCRLF() async throws {
        try await withServer { server in
            let ann = try server.account()
            let body =
                #"{"to":"ann@example.com","attachments":[{"filename":"m.eml","contentType":"message/rfc822","content":"QTogYgoKMQoyDTMNCi4KLg0KNA0="}]}"#
            let shown = try server.send("POST", "/v1/accounts/\(ann)/send?dryRun=true", json: body)
            #expect(
                shown.status == 200 && shown.text.contains("A: b\r\n\r\n1\r\n2\r\n3\r\n.\r\n.\r\n4\r\n"),
                "\(shown.text)"
            )
            let rest = shown.text.replacing("\r\n", with: "")
            #expect(!rest.utf8.contains(10) && !rest.utf8.contains(13))
        }
    }

    @Test func whoeverMayOnlySendCannotReadByForwarding() async throws {
        try await withServer { server in
            let ann = try server.account()
            let id = try #require(try server.append(Letters.plain(1), to: ann)["id"])
            func forward(_ scopes: TokenScopes) async throws -> Int {
                try server.client.send(
                    "POST",
                    "/v1/accounts/\(ann)/send?dryRun=true",
                    token: try await server.token(TokenDraft(name: "t", scopes: scopes)),
                    fields: [("Content-Type", "application/json")],
                    body: Array(
                        #"{"to":"ann@example.com","reference":{"message":"\#(id)","action":"forward"},"text":"t"}"#.utf8
                    )
                ).status
            }
            #expect(try await forward(.send) == 403)
            #expect(try await forward([.send, .read]) == 200)
        }
    }

    @Test func attachmentsAreCountedAsTheyCome() async throws {
        try await withServer { server in
            let ann = try server.account()
            func send(_ count: Int) throws -> TestResponse {
                let one = #"{"filename":"a","content":"YQ=="}"#
                let all = repeatElement(one, count: count).joined(separator: ",")
                return try server.send(
                    "POST",
                    "/v1/accounts/\(ann)/send",
                    json: #"{"to":"ann@example.com","text":"t","attachments":[\#(all)]}"#
                )
            }
            #expect(try send(100).status == 202)
            let refused = try send(101)
            #expect(refused.status == 422 && refused["errors", "0", "pointer"] == "/attachments")
        }
    }

    @Test func aFinishedMessageLosesItsBccAndReachesIt() async throws {
        try await withServer { server in
            let ann = try server.account()
            let bob = try server.account("bob@example.com")
            let message = "From: ann@example.com\nTo: ann@example.com\nBcc: bob@example.com\nSubject: raw\n\nbody\n"
            let path = "/v1/accounts/\(ann)/send"
            let fields = [("Content-Type", "message/rfc822")]
            let shown = try server.send("POST", path + "?dryRun=true", fields: fields, body: Array(message.utf8))
            #expect(shown.status == 200 && !shown.text.contains("Bcc") && shown.text.contains("Message-ID: <"))
            #expect(try server.send("POST", path, fields: fields, body: Array(message.utf8)).status == 202)
            #expect(try inbox(server, bob)["items", "0", "subject"] == "raw")
        }
    }

    @Test func aReplyTakesItsFieldsFromTheMessage() async throws {
        try await withServer { server in
            let ann = try server.account()
            let bob = try server.account("bob@example.com")
            _ = try server.send(
                "POST",
                "/v1/accounts/\(ann)/send",
                json: #"{"to":"bob@example.com","subject":"q","text":"?"}"#
            )
            let question = try inbox(server, bob)
            let id = try #require(question["items", "0", "id"])
            let shown = try server.send(
                "POST",
                "/v1/accounts/\(bob)/send?dryRun=true",
                json: #"{"reference":{"message":"\#(id)","action":"reply"},"text":"!"}"#
            )
            let name = try #require(question["items", "0", "messageId"])
            #expect(
                shown.text.contains("To: ann@example.com\r\n") && shown.text.contains("Subject: Re: q\r\n"),
                "\(shown.text)"
            )
            #expect(
                shown.text.contains("In-Reply-To: \(name)\r\n") || shown.text.contains("In-Reply-To:\r\n \(name)\r\n")
            )
            let forward = try server.send(
                "POST",
                "/v1/accounts/\(bob)/send?dryRun=true",
                json: #"{"to":"ann@example.com","reference":{"message":"\#(id)","action":"forward"},"text":"see"}"#
            )
            #expect(
                forward.text.contains("Subject: Fwd: q\r\n")
                    && forward.text.contains("Content-Type: message/rfc822\r\n")
            )
        }
    }

    @Test func aKeyHappensOnce() async throws {
        try await withServer { server in
            let ann = try server.account()
            func send(_ text: String, key: String = "k-1") throws -> TestResponse {
                try server.send(
                    "POST",
                    "/v1/accounts/\(ann)/send",
                    json: #"{"to":"ann@example.com","text":"\#(text)"}"#,
                    fields: [("Idempotency-Key", key)]
                )
            }
            let first = try send("a")
            let again = try send("a")
            #expect(first.status == 202 && again.status == 202 && again.body == first.body)
            #expect(first.field("idempotent-replayed") == nil && again.field("idempotent-replayed") == "true")
            #expect(again.field("location") == first.field("location"))
            #expect(try send("b").status == 422)
            #expect(try send("b", key: "").status == 400)
            #expect(try inbox(server, ann).count("items") == 1)
        }
    }
}
