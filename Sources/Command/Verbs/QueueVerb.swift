// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import JSON

/// `postern queue status|release`.
struct QueueVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "See whether deliveries are held after a restoration, and let them go on.",
        subcommands: [Status.self, Release.self]
    )

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Say what waits, and since when it is held.")
        @OptionGroup var options: ConfigurationOptions

        func run() throws { try QueueVerb.show(options, "{}") }
    }

    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let deliveries that are held go on.")
        @OptionGroup var options: ConfigurationOptions

        func run() throws { try QueueVerb.show(options, #"{"release":true}"#) }
    }

    private static func show(_ options: ConfigurationOptions, _ body: String) throws {
        let content = LocalClient.Content(octets: Array(body.utf8))
        let queue = try Backend.with(options) { try $0.call("POST", LocalApplication.queuePath, content) }
        let state = queue.isNull("heldSince") ? "not held" : "held since \(queue.text("heldSince"))"
        try Console.print("\(queue.number("waiting")) waiting, \(state)")
    }
}
