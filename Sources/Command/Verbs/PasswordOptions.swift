// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Files
internal import Wire

/// Where a password comes from: a file, a person, or standard input.
///
/// Never an argument, which other users can see.
struct PasswordOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read the password from this file.", valueName: "file"))
    var passwordFile: String?

    @Flag(help: "Have no password: the account is used through the API only.")
    var noPassword = false

    /// The password without a line end; nil for `--no-password`.
    func read() throws -> Secret? {
        if noPassword { return nil }
        if let passwordFile {
            let octets = try Console.reporting(passwordFile) { () throws(FileError) in
                try Files.contents(passwordFile, limit: 4096)
            }
            return Secret(Self.withoutLineEnd(octets))
        }
        guard StandardStreams.inputIsTerminal else {
            guard let line = StandardStreams.readHiddenLine(limit: 4096), !line.isEmpty else {
                throw Console.failure("no password on standard input; --no-password makes an account without one")
            }
            return Secret(Self.withoutLineEnd(line))
        }
        let first = Self.prompt("Password: ")
        guard first == Self.prompt("Once more: ") else { throw Console.failure("the two are not the same") }
        return Secret(first)
    }

    private static func prompt(_ text: String) -> [UInt8] {
        StandardStreams.writeError(Array(text.utf8).span)
        defer { Console.say("") }
        return StandardStreams.readHiddenLine(limit: 4096) ?? []
    }

    private static func withoutLineEnd(_ octets: [UInt8]) -> [UInt8] {
        var octets = octets
        if octets.last == ASCII.lf { octets.removeLast() }
        if octets.last == ASCII.cr { octets.removeLast() }
        return octets
    }
}

/// A question that must be answered with `yes`.
enum Confirmation {
    static func ask(_ question: String) throws {
        StandardStreams.writeError(Array(question.utf8).span)
        guard readLine() == "yes" else { throw Console.failure("nothing was done") }
    }
}
