// SPDX-License-Identifier: Apache-2.0

import JSON
import Storage
import TestSupport
import Testing
import Wire

@testable import API
@testable import Accounts

@Suite struct AuthorizeAccountTests {
    /// The path of a URL of ours.
    private func path(_ url: String?) throws -> String {
        String(try #require(url).dropFirst("https://mail.example.com".count))
    }

    private func state(_ url: String?) throws -> String {
        let members = try #require(url).split(separator: "&")
        return String(try #require(members.first { $0.hasPrefix("state=") }).dropFirst(6))
    }

    private func begin(_ server: TestServer, _ members: String = #""address":"ann@example.com""#) throws -> TestResponse
    {
        try server.send("POST", "/v1/oauth/authorizations", json: #"{"provider":"google",\#(members)}"#)
    }

    /// What the page gave the browser.
    private func cookie(_ server: TestServer, _ target: String) throws -> String {
        let page = try server.client.send("GET", target, token: nil)
        return String(try #require(page.field("set-cookie")?.split(separator: ";").first))
    }

    @Test func thePageLeadsToTheProvider() async throws {
        try await withServer { server in
            let begun = try begin(server, #""address":"o'ann@example.com""#)
            #expect(begun.status == 201, "\(begun.text)")
            let target = try path(begun["connectUrl"])
            let page = try server.client.send("GET", target, token: nil)
            #expect(page.status == 200)
            #expect(page.field("content-type") == "text/html; charset=utf-8")
            #expect(page.text.contains("o&#39;ann@example.com"))
            #expect(!page.text.contains("<script"))
            let policy = try #require(page.field("content-security-policy"))
            #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
            #expect(policy.contains("form-action 'self' https://accounts.google.com;"))
            #expect(policy.contains("frame-ancestors 'none'"))
            #expect(page.field("referrer-policy") == "no-referrer")
            #expect(page.field("cache-control") == "no-store")
            let cookie = try #require(page.field("set-cookie"))
            let mark = String(try #require(cookie.split(separator: ";").first))
            let gone = try server.client.send("POST", target, token: nil, fields: [("Cookie", mark)])
            #expect(gone.status == 303)
            #expect(gone.field("location") == begun["authorizeUrl"])
            #expect(gone.field("set-cookie") == cookie)
            #expect(
                try server.client.send("GET", target, token: nil, fields: [("Cookie", mark)]).field("set-cookie")
                    == cookie
            )
            #expect(cookie.hasPrefix("__Host-postern-connect="))
            #expect(cookie.hasSuffix("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"))
            #expect(try server.client.send("GET", "/connect/none", token: nil).status == 404)
            #expect(try server.client.send("POST", "/connect/none", token: nil).status == 404)
        }
    }

    /// Cookies of ours come with no form of another site (SameSite=Lax); those of a neighbour in our domain say what they are.
    @Test(arguments: [nil, "same-site", "cross-site", "none"])
    func aFormThatIsNotOursLeadsNowhere(_ site: String?) async throws {
        try await withServer { server in
            let begun = try begin(server)
            let target = try path(begun["connectUrl"])
            let cookie = try cookie(server, target)
            let fields = site.map { [("Cookie", cookie), ("Sec-Fetch-Site", $0)] } ?? []
            let answer = try server.client.send("POST", target, token: nil, fields: fields)
            #expect(answer.status == 200)
            #expect(answer.text.contains("<form method=\"post\""))
            // And nothing is bound to that browser.
            let own = [("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")]
            #expect(try server.client.send("POST", target, token: nil, fields: own).status == 303)
        }
    }

    @Test func theBrowserThatBeganItComesBackOnce() async throws {
        try await withServer { server in
            let begun = try begin(server, #""returnUrl":"https://app.example.com/done?from=us","state":"a&b""#)
            let target = try path(begun["connectUrl"])
            let cookie = try cookie(server, target)
            _ = try server.client.send("POST", target, token: nil, fields: [("Cookie", cookie)])
            let state = try state(begun["authorizeUrl"])
            let back = try server.client.send(
                "GET",
                "/oauth2/callback/google?state=\(state)&error=access_denied&scope=x",
                token: nil,
                fields: [("Cookie", "a=b; \(cookie)")]
            )
            #expect(back.status == 303)
            #expect(
                back.field("location") == "https://app.example.com/done?from=us&error=access_denied&state=a%26b"
            )
            #expect(back.field("referrer-policy") == "no-referrer")
            let again = try server.client.send(
                "GET",
                "/oauth2/callback/google?state=\(state)&error=access_denied",
                token: nil,
                fields: [("Cookie", "\(cookie)")]
            )
            #expect(again.status == 404)
        }
    }

    @Test func anotherBrowserEndsNothing() async throws {
        try await withServer { server in
            let begun = try begin(server, #""returnUrl":"https://app.example.com/done""#)
            let target = try path(begun["connectUrl"])
            _ = try server.client.send("POST", target, token: nil, fields: [("Cookie", try cookie(server, target))])
            let callback = "/oauth2/callback/google?state=\(try state(begun["authorizeUrl"]))&code=x"
            #expect(try server.client.send("GET", callback, token: nil).status == 404)
        }
    }

    @Test(arguments: [
        ("google", "error=a<b>", "invalid_response"), ("google", "", "invalid_response"),
        ("google", "code=a&code=b", "invalid_response"), ("google", "code=a", "token_refused"),
        ("google", "code=a&error=server_error", "server_error"),
    ])
    func whatWentWrongIsAWord(_ provider: String, _ query: String, _ word: String) async throws {
        try await withServer { server in
            let begun = try begin(server, #""returnUrl":"https://app.example.com/done""#)
            let state = try state(begun["authorizeUrl"])
            let query = query.replacing("<", with: "%3C").replacing(">", with: "%3E")
            let back = try server.client.send("GET", "/oauth2/callback/\(provider)?state=\(state)&\(query)", token: nil)
            #expect(back.field("location") == "https://app.example.com/done?error=\(word)")
        }
    }

    @Test func aPageSaysItWhereNobodyElseDoes() async throws {
        try await withServer { server in
            let state = try state(try begin(server)["authorizeUrl"])
            let back = try server.client.send(
                "GET",
                "/oauth2/callback/google?state=\(state)&error=access_denied",
                token: nil
            )
            #expect(back.status == 400)
            #expect(back.text.contains("(access_denied)"))
            #expect(try server.client.send("GET", "/oauth2/callback/google", token: nil).status == 404)
        }
    }

    @Test(arguments: [
        (#""returnUrl":"https://app.example.com/done2""#, "/returnUrl"),
        (#""returnUrl":"https://app.example.com/DONE""#, "/returnUrl"),
        (#""returnUrl":"https://evil.example/""#, "/returnUrl"), (#""returnUrl":"//evil.example/""#, "/returnUrl"),
        (#""account":"ann","address":"b@example.com""#, "/address"), (#""kind":"imap""#, "/kind"),
        (#""imap":{"host":"h","username":"u","password":"p"}"#, "/imap"),
        (#""smtp":{"host":"h","username":"u"}"#, "/imap"),
    ])
    func whatCannotBeIsRefused(_ members: String, _ pointer: String) async throws {
        try await withServer { server in
            let answer = try begin(server, members)
            #expect(answer.status == 422)
            #expect(answer.text.contains("\"\(pointer)\""), "\(answer.text)")
        }
    }

    @Test func onlyForAccountsThatHaveAProvider() async throws {
        try await withServer { server in
            _ = try server.account("ann@example.com")
            #expect(try begin(server, #""account":"ann@example.com""#)["code"] == "wrong_kind")
            #expect(try begin(server, #""account":"nobody@example.com""#).status == 404)
            let other = try server.send("POST", "/v1/oauth/authorizations", json: #"{"provider":"microsoft"}"#)
            #expect(other.text.contains("\"/provider\""))
            let token = try await server.token(TokenDraft(name: "sender", scopes: .send))
            let refused = try server.client.send(
                "POST",
                "/v1/oauth/authorizations",
                token: token,
                fields: [("Content-Type", "application/json")],
                body: Array(#"{"provider":"google"}"#.utf8)
            )
            #expect(refused.status == 403)
        }
    }

    // MARK: Tokens that somebody has already

    private static let account =
        #""kind":"imap","address":"ann@example.com","imap":{"host":"i.example","username":"ann","oauth2":"#

    @Test func aRefreshTokenMakesAnAccount() async throws {
        try await withServer { server in
            let made = try server.send(
                "POST",
                "/v1/accounts",
                json: #"{\#(Self.account){"provider":"google","refreshToken":"geheim"}},"#
                    + #""smtp":{"host":"s.example","username":"ann","oauth2":{"provider":"google"}}}"#
            )
            #expect(made.status == 201, "\(made.text)")
            #expect(made["imap", "oauth2", "provider"] == "google")
            #expect(made["smtp", "oauth2", "provider"] == "google")
            #expect(!made.text.contains("geheim"))
            let path = "/v1/accounts/\(try #require(made["id"]))"
            // The token goes to no other server than those it was given for.
            let moved = try server.send(
                "PATCH",
                path,
                json: #"{"imap":{"host":"evil.example","username":"ann","oauth2":{"provider":"google"}}}"#
            )
            #expect(moved.status == 422)
            let same = try server.send("PATCH", path, json: #"{"imap":{"host":"i.example","username":"ann"}}"#)
            #expect(same["imap", "oauth2", "provider"] == "google")
            let password = try server.send(
                "PATCH",
                path,
                json: #"{"imap":{"host":"i.example","username":"ann","password":"pw"},"smtp":null}"#
            )
            #expect(password.status == 200)
            #expect(password.value(at: ["imap", "oauth2"]) == .null)
            let id = try #require(made["id"])
            let grant = try await server.store.read { snapshot in
                try snapshot.accounts.find(id).flatMap { try snapshot.oauthGrants.get($0.key) }
            }
            #expect(grant == nil)
        }
    }

    /// The key may be rotated while a body comes: what stays as it was must not be sealed by the one that is gone.
    @Test func aChangeBringsNoEarlierKeyBack() async throws {
        try await withServer { server in
            let login = #"{"host":"i.example","username":"ann","password":"pw"}"#
            let made = try server.send(
                "POST",
                "/v1/accounts",
                json: #"{"kind":"imap","address":"ann@example.com","imap":\#(login)}"#
            )
            let connection = try server.client.connect()
            let body = #"{"imap":{"host":"i.example","username":"ann"}}"#
            connection.send(
                Array(
                    ("PATCH /v1/accounts/\(try #require(made["id"])) HTTP/1.1\r\nHost: 127.0.0.1:\(server.client.port)\r\n"
                        + "Authorization: Bearer \(server.admin)\r\nContent-Type: application/json\r\n"
                        + "Content-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
                        .utf8
                )
            )
            // It waits for the body.
            #expect(connection.receive()?.starts(with: Array("HTTP/1.1 100".utf8)) == true)
            server.box.change(to: Secret([UInt8](repeating: 2, count: 32)))
            try await KeyRotation(store: server.store, box: server.box, directory: "").resealAll()
            connection.send(Array(body.utf8))
            let answer = String(decoding: connection.receive() ?? [], as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
            let late = try await server.store.read { try $0.sealedRows(notBeginningWith: server.box.head, limit: 10) }
            #expect(late.isEmpty)
        }
    }

    @Test(arguments: [
        (#"{"provider":"google"}}"#, "/imap/oauth2/refreshToken"),
        (#"{"provider":"other","refreshToken":"r"}}"#, "/imap/oauth2/provider"),
        (#"{"provider":"google","refreshToken":"r"},"password":"p"}"#, "/imap/oauth2"),
        (#"{"provider":"google","refreshToken":"a b"}}"#, "/imap/oauth2/refreshToken"),
        (
            #"{"provider":"google","refreshToken":"r"}},"smtp":{"host":"s","username":"u","oauth2":{"provider":"google","refreshToken":"q"}}"#,
            "/imap/oauth2/refreshToken"
        ),
    ])
    func whatIsNoTokenIsRefused(_ rest: String, _ pointer: String) async throws {
        try await withServer { server in
            let answer = try server.send("POST", "/v1/accounts", json: "{\(Self.account)\(rest)}")
            #expect(answer.status == 422)
            #expect(answer.text.contains("\"\(pointer)\""), "\(answer.text)")
        }
    }
}
