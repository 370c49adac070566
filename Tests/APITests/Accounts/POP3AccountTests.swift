// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import API

/// Accounts at POP3 servers, none of which can be reached from here.
@Suite struct POP3AccountTests {
    private static func body(_ members: String, smtp: String = "") -> String {
        #"{"kind":"pop3","address":"ann@example.com","alias":"ann","pop3":{"host":"pop.example.com","username":"ann"\#(members)}\#(smtp)}"#
    }

    private static let password = #","password":"secret word""#

    @Test(arguments: [
        ("", "keep", nil), (#","mode":"keep","deleteAfterDays":null"#, "keep", nil),
        (#","mode":"delete""#, "delete", "0"), (#","mode":"delete","deleteAfterDays":14"#, "delete", "14"),
    ])
    func itIsShownAsItWasMade(_ members: String, _ mode: String, _ days: String?) async throws {
        try await withServer { server in
            let made = try server.send("POST", "/v1/accounts", json: Self.body(Self.password + members))
            #expect(made.status == 201, "\(made.text)")
            #expect(made["kind"] == "pop3" && made["pop3", "mode"] == mode && made["pop3", "host"] == "pop.example.com")
            #expect(made.value(at: ["pop3", "port"]).map { "\($0)" }?.contains("995") == true)
            if let days {
                #expect(made.text.contains("\"deleteAfterDays\":\(days)"))
            } else {
                #expect(made.value(at: ["pop3", "deleteAfterDays"]) == .null)
            }
            #expect(!made.text.contains("secret word"))
            // Its folders are here, whatever its server says.
            let folders = try server.send("GET", "/v1/accounts/ann/folders")
            #expect(folders.count("items") == 6)
        }
    }

    @Test(arguments: [
        ("", "/pop3/password"), (#","password":"p","mode":"purge""#, "/pop3/mode"),
        (#","password":"p","deleteAfterDays":3"#, "/pop3/deleteAfterDays"),
        (#","password":"p","mode":"keep","deleteAfterDays":3"#, "/pop3/deleteAfterDays"),
        (#","password":"p","mode":"delete","deleteAfterDays":-1"#, "/pop3/deleteAfterDays"),
        (#","password":"p","mode":"delete","deleteAfterDays":4000"#, "/pop3/deleteAfterDays"),
        (#","password":"p","filesSent":true"#, "/pop3/filesSent"),
    ])
    func whatIsWrongIsNamed(_ members: String, _ pointer: String) async throws {
        try await withServer { server in
            let refused = try server.send("POST", "/v1/accounts", json: Self.body(members))
            #expect(refused.status == 422)
            #expect(refused["errors", "0", "pointer"] == pointer, "\(refused.text)")
            #expect(try server.send("GET", "/v1/accounts/ann").status == 404)
        }
    }

    @Test func aChangeNeedsThePasswordOnlyForAnotherServer() async throws {
        try await withServer { server in
            _ = try server.send("POST", "/v1/accounts", json: Self.body(Self.password))
            let same = #"{"pop3":{"host":"pop.example.com","username":"ann","mode":"delete"}}"#
            #expect(try server.send("PATCH", "/v1/accounts/ann", json: same)["pop3", "mode"] == "delete")
            let other = #"{"pop3":{"host":"other.example.com","username":"ann"}}"#
            #expect(try server.send("PATCH", "/v1/accounts/ann", json: other).status == 422)
            let imap = #"{"imap":{"host":"imap.example.com","username":"ann","password":"p"}}"#
            #expect(try server.send("PATCH", "/v1/accounts/ann", json: imap).status == 422)
        }
    }

    /// Its mail is here, and what is changed needs no server.
    @Test func mailOfItIsChangedHereWhileItsServerIsAway() async throws {
        try await withServer { server in
            _ = try server.send("POST", "/v1/accounts", json: Self.body(Self.password))
            let text = Array("Subject: a\r\n\r\nbody\r\n".utf8)
            let added = try server.send(
                "POST",
                "/v1/accounts/ann/messages",
                fields: [("Content-Type", "message/rfc822")],
                body: text
            )
            let id = try #require(added["id"])
            let path = "/v1/accounts/ann/messages/\(id)"
            #expect(
                try server.send("PATCH", path, json: #"{"flags":{"add":["seen"]},"folder":"archive"}"#).status == 200
            )
            #expect(try server.send("GET", path + "/raw").body == text)
            #expect(try server.send("POST", "/v1/accounts/ann/folders", json: #"{"name":"Own"}"#).status == 201)
            #expect(try server.send("DELETE", path + "?permanent=true").status == 204)
            let fresh = try server.send(
                "GET",
                "/v1/accounts/ann/folders",
                fields: [("Cache-Control", "no-cache")]
            )
            #expect(fresh.status == 503 && fresh["code"] == "backend_unavailable", "\(fresh.text)")
        }
    }
}
