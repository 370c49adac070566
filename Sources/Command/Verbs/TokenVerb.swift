// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import JSON
internal import Wire

/// `postern token create|list|revoke`.
struct TokenVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make, list and revoke tokens.",
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it: the only time it can be seen."
        )
        @OptionGroup var options: ConfigurationOptions
        @Option(help: "What it is for.") var name = "command line"
        @Option(name: .customLong("scope"), help: "read, write, send or admin; may be given more than once.")
        var scopes: [String] = []
        @Option(name: .customLong("account"), help: "Bind it to this account: id, alias or address; may be repeated.")
        var accounts: [String] = []
        @Option(name: .customLong("origin"), help: "Let pages of this web origin use it; may be repeated.")
        var origins: [String] = []
        @Option(help: "When it ends, 2026-12-31T00:00:00Z.") var expires: String?

        func validate() throws {
            if scopes.isEmpty { throw ValidationError("Say at least one --scope: read, write, send or admin.") }
        }

        func run() throws {
            let created = try Backend.with(options) { client in
                let ids = try accounts.map { try client.call("GET", "/v1/accounts/\(Target.encoded($0))").text("id") }
                return try client.call("POST", "/v1/tokens", .init(octets: body(accounts: ids)))
            }
            Console.say("id \(created.text("id"))")
            try Console.print(created.text("token"))
        }

        private func body(accounts: [String]) -> [UInt8] {
            var body = JSONWriter()
            body.beginObject()
            body.key("name")
            body.string(name)
            Self.list("scopes", scopes, into: &body)
            if !accounts.isEmpty { Self.list("accounts", accounts, into: &body) }
            if !origins.isEmpty { Self.list("origins", origins, into: &body) }
            if let expires {
                body.key("expiresAt")
                body.string(expires)
            }
            body.endObject()
            return body.finish().array()
        }

        private static func list(_ name: StaticString, _ items: [String], into body: inout JSONWriter) {
            body.key(name)
            body.beginArray()
            for item in items { body.string(item) }
            body.endArray()
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tokens: id, scopes, accounts, end, name.")
        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            try Backend.with(options) { client in
                try client.forEachItem("/v1/tokens") { token in
                    let columns = [
                        token.text("id"), token.texts("scopes").joined(separator: ","),
                        token.isNull("accounts") ? "all" : token.texts("accounts").joined(separator: ","),
                        token.text("expiresAt", absent: "-"), token.text("name"),
                    ]
                    try Console.print(columns.joined(separator: "\t"))
                }
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a token at once.")
        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "Its id, tok_….") var id: String

        func run() throws {
            _ = try Backend.with(options) { try $0.call("DELETE", "/v1/tokens/\(Target.encoded(id))") }
        }
    }
}
