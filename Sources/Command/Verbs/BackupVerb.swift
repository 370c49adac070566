// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Files
internal import JSON
internal import Wire

/// `postern backup DIRECTORY`: one consistent state of everything, while a server runs or without one.
struct BackupVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write a backup of the whole store to a new directory, and check it.",
        discussion: """
            Mail goes on meanwhile. The directory must be new or empty, and lies outside the data directory; the server \
            writes it. On the same file system large messages share their disk space with the store: copy the directory \
            elsewhere to be safe from the disk.
            """
    )
    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "Where it goes.") var directory: String

    /// A day: the store is copied and read as a whole.
    static let timeoutSeconds = 86_400

    func run() throws {
        var body = JSONWriter()
        body.beginObject()
        body.key("directory")
        body.string(try Self.absolute(directory))
        body.endObject()
        let content = LocalClient.Content(octets: body.finish().array())
        let manifest = try Backend.with(options, timeoutSeconds: Self.timeoutSeconds) {
            try $0.call("POST", LocalApplication.backupPath, content)
        }
        Console.say(
            """
            \(manifest.number("accounts")) accounts, \(manifest.number("messages")) messages of \
            \(manifest.text("createdAt")): \(manifest.number("databaseOctets")) octets of database and \
            \(manifest.number("bodyFiles")) files of \(manifest.number("bodyOctets")), checked
            """
        )
    }

    /// The server's own directory is another.
    private static func absolute(_ path: String) throws -> String {
        guard path.utf8.first != ASCII.slash else { return path }
        let here = try Console.reporting(".") { () throws(FileError) in try Files.canonicalPath(".") }
        return "\(here)/\(path)"
    }
}

extension JSONValue {
    /// A member that is an integer; 0 where it is not.
    func number(_ name: StaticString) -> Int64 { object?[name]?.int64 ?? 0 }
}
