// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import JSON
internal import Wire

/// `postern account add|list|passwd|remove`.
struct AccountVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Add, list and remove accounts.",
        subcommands: [Add.self, List.self, Password.self, Remove.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a local account.")
        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "Its address.") var address: String
        @Option(help: "A short name for paths: letters, digits and hyphens.") var alias: String?
        @Option(help: "The name that stands in front of the address.") var name: String?
        @OptionGroup var password: PasswordOptions

        func run() throws {
            var body = JSONWriter()
            body.beginObject()
            body.key("kind")
            body.string(literal: "local")
            body.key("address")
            body.string(address)
            if let alias {
                body.key("alias")
                body.string(alias)
            }
            if let name {
                body.key("displayName")
                body.string(name)
            }
            if let secret = try password.read() {
                body.key("password")
                secret.withOctets { body.string($0) }
            }
            body.endObject()
            let content = LocalClient.Content(octets: body.finish().array())
            let account = try Backend.with(options) { try $0.call("POST", "/v1/accounts", content) }
            try Console.print(account.text("id"))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the accounts: id, kind, alias, address, name.")
        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            try Backend.with(options) { client in
                try client.forEachItem("/v1/accounts") { account in
                    let columns = ["id", "kind", "alias", "address", "displayName"] as [StaticString]
                    try Console.print(columns.map { account.text($0, absent: "-") }.joined(separator: "\t"))
                }
            }
        }
    }

    struct Password: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "passwd",
            abstract: "Change an account's password."
        )
        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "Its id, alias or address.") var account: String
        @OptionGroup var password: PasswordOptions

        func run() throws {
            var body = JSONWriter()
            body.beginObject()
            body.key("password")
            if let secret = try password.read() { secret.withOctets { body.string($0) } } else { body.null() }
            body.endObject()
            let content = LocalClient.Content(octets: body.finish().array())
            _ = try Backend.with(options) { try $0.call("PATCH", "/v1/accounts/\(Target.encoded(account))", content) }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove an account and all its mail, for good.")
        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "Its id, alias or address.") var account: String
        @Flag(help: "Do not ask.") var yes = false

        func run() throws {
            try Backend.with(options) { client in
                let found = try client.call("GET", "/v1/accounts/\(Target.encoded(account))")
                if !yes { try Confirmation.ask("Remove \(found.text("address")) and all its mail? Type yes: ") }
                _ = try client.call("DELETE", "/v1/accounts/\(Target.encoded(found.text("id")))")
            }
        }
    }
}
