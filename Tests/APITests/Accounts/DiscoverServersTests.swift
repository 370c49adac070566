// SPDX-License-Identifier: Apache-2.0

import Accounts
import Runtime
import Storage
import TestSupport
import Testing

@testable import API

@Suite struct DiscoverServersTests {
    /// `ann@found.example` has its mailbox at a host of its own domain; sent is by a host of another one.
    private func withFound<R>(_ body: (TestServer) async throws -> R) async throws -> R {
        try await withServer { server in
            server.records.withLock { records in
                records[.init(name: "_imaps._tcp.found.example", type: 33)] = .records([
                    DNSResponder.srv(0, 0, 993, "imap.found.example")
                ])
                records[.init(name: "_submissions._tcp.found.example", type: 33)] = .records([
                    DNSResponder.srv(0, 0, 465, "smtp.host.example")
                ])
                records[.init(name: "vague.example", type: 15)] = .records([DNSResponder.mx(1, "mx.host.example")])
                records[.init(name: "_imaps._tcp.host.example", type: 33)] = .records([
                    DNSResponder.srv(0, 0, 993, "imap.host.example")
                ])
            }
            return try await body(server)
        }
    }

    @Test func serversAreProposedWithTheirSource() async throws {
        try await withFound { server in
            let found = try server.send("GET", "/v1/discovery?address=ann%40found.example")
            #expect(found.status == 200)
            #expect(
                found.text.contains(
                    #""imap":[{"host":"imap.found.example","port":993,"tls":"implicit","username":"ann@found.example","#
                        + #""authentication":[],"source":"srv","confidence":"high"}]"#
                ),
                "\(found.text)"
            )
            #expect(found.text.contains(#""pop3":[]"#))
            #expect(found.text.contains(#""confidence":"medium"}]"#))
            let known = try server.send("GET", "/v1/discovery?address=ann%40gmail.com")
            #expect(known["provider"] == "google")
        }
    }

    @Test(arguments: ["", "?address=", "?address=ann", "?address=ann@[127.0.0.1]", "?address=a@b.example&x=1"])
    func whatIsNoAddressIsRefused(_ query: String) async throws {
        try await withFound { server in
            let answer = try server.send("GET", "/v1/discovery\(query)")
            #expect(answer.status == 400)
            #expect(answer["code"] == "invalid_parameter")
        }
    }

    @Test func onlyAdministratorsLookOut() async throws {
        try await withFound { server in
            let token = try await server.token(TokenDraft(name: "reader", scopes: .read))
            #expect(try server.client.send("GET", "/v1/discovery?address=a@b.example", token: token).status == 403)
        }
    }

    @Test func anAccountIsMadeOfAddressAndPassword() async throws {
        try await withFound { server in
            let made = try server.send(
                "POST",
                "/v1/accounts",
                json: #"{"kind":"imap","address":"ann@found.example","password":"pw","discover":true}"#
            )
            #expect(made.status == 201, "\(made.text)")
            #expect(made.text.contains(#""imap":{"host":"imap.found.example","port":993,"tls":"implicit""#))
            #expect(made.text.contains(#""smtp":{"host":"smtp.host.example","port":465,"tls":"implicit""#))
            #expect(!made.text.contains("pw"))
        }
    }

    /// Who takes the domain's mail is no proof of whose it is.
    @Test func aPasswordIsNotShownToServersThatAreNotSure() async throws {
        try await withFound { server in
            #expect(try server.send("GET", "/v1/discovery?address=a@vague.example").text.contains("imap.host.example"))
            for domain in ["vague.example", "none.example"] {
                let answer = try server.send(
                    "POST",
                    "/v1/accounts",
                    json: #"{"kind":"imap","address":"ann@\#(domain)","password":"pw","discover":true}"#
                )
                #expect(answer.status == 422)
                #expect(answer["code"] == "servers_not_found")
            }
        }
    }

    @Test(arguments: [
        (#""discover":true"#, "/password"), (#""discover":true,"password":"""#, "/password"),
        (#""discover":true,"password":"pw","imap":{"host":"h","username":"u","password":"p"}"#, "/imap"),
        (#""discover":false,"password":"pw""#, "/imap"), (#""discover":1,"password":"pw""#, "/discover"),
    ])
    func membersThatDoNotGoTogetherAreRefused(_ members: String, _ pointer: String) async throws {
        try await withFound { server in
            let answer = try server.send(
                "POST",
                "/v1/accounts",
                json: #"{"kind":"imap","address":"ann@found.example",\#(members)}"#
            )
            #expect(answer.status == 422)
            #expect(answer.text.contains("\"\(pointer)\""), "\(answer.text)")
        }
    }
}
