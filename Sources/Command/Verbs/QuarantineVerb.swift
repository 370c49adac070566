// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Intake
internal import JSON
internal import Wire

/// `postern quarantine list|release`.
struct QuarantineVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "See which messages are kept unread, and have them read again.",
        discussion: """
            A message whose reading was under way when the process died is kept, shown and delivered, but not read again, so \
            that no message can end the process twice. Whatever else ended it, a kill among them, looks the same: such a \
            message is released here.
            """,
        subcommands: [List.self, Release.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List them: account, message, octets.")
        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            let list = try Backend.with(options) { try $0.call("POST", LocalApplication.quarantinePath) }
            for item in list.object?["items"]?.array ?? [] {
                try Console.print("\(item.text("accountId"))\t\(item.text("id"))\t\(item.number("size"))")
            }
        }
    }

    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have one read again.",
            discussion: """
                It is read by this command first, and only then by the server: should reading it end this command, the message \
                stays in quarantine, and the octets that `GET …/raw` gives are worth a report.
                """
        )
        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "The message's id, msg_….") var message: String

        func run() throws {
            var body = JSONWriter()
            body.beginObject()
            body.key("message")
            body.string(message)
            body.endObject()
            let content = LocalClient.Content(octets: body.finish().array())
            let count = try Backend.with(options) { client in
                let octets = try client.send("POST", LocalApplication.quarantineBodyPath, content)
                guard octets.status == 200 else { throw LocalClient.refusal(octets) }
                Console.say("reading \(octets.body.count) octets here first")
                try Rereading.attempt(octets.body)
                return try client.call("POST", LocalApplication.quarantineReleasePath, content).number("messages")
            }
            Console.say("\(count) messages with these octets were read")
        }
    }
}
