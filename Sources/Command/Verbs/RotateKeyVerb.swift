// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import JSON

/// `postern rotate-key`.
struct RotateKeyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key",
        abstract: "Encrypt the store's secrets with a new key.",
        discussion: """
            Makes another secret.key and encrypts every secret in the store with it: passwords and tokens of remote accounts, secrets \
            of webhooks. Mail goes on meanwhile. If this is cut short, secret.key.next is there beside the old key, and the next \
            start goes on. Backups that were made before need the key that is in them.
            A key that the configuration gives is changed there: the new one as secret, the old one as previousSecret, for one start.
            """
    )
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let count = try Backend.with(options) {
            try $0.call("POST", LocalApplication.rotateKeyPath).number("values")
        }
        Console.say("\(count) secrets are encrypted with the new key")
    }
}
