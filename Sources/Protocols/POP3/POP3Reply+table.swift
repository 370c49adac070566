// SPDX-License-Identifier: Apache-2.0

package import Wire

extension POP3Reply {
    /// The longest line written, CRLF included (RFC 2449 §4); what is longer is cut.
    private static var maximumLineOctets: Int { 512 }

    /// Writes it; what is not printable ASCII becomes `?`.
    package func append(to output: inout ByteBuffer) {
        let start = output.count
        output.append(isPositive ? "+OK" : "-ERR")
        if let code {
            output.append(" [")
            output.append(utf8: code)
            output.append(ASCII.closeBracket)
        }
        if !text.isEmpty { output.append(ASCII.space) }
        for byte in text.utf8.prefix(Self.maximumLineOctets - 2 - (output.count - start)) {
            output.append((0x20...0x7E).contains(byte) ? byte : ASCII.question)
        }
        output.appendLineEnd()
    }

    static func ok(_ text: String) -> Self { Self(isPositive: true, text: text) }
    static func error(_ text: String, code: String? = nil) -> Self { Self(isPositive: false, code: code, text: text) }

    // Response codes of RFC 2449 §8.1, RFC 3206 §4 and RFC 6856 §5.
    private static var temporary: String { "SYS/TEMP" }

    static let loggedOut = ok("Bye")
    static let tlsReady = ok("Begin TLS")
    static let tlsAlready = error("TLS is in use already")
    static let tlsNotOffered = error("There is no certificate")
    static let tlsFirst = error("TLS comes first: STLS", code: "SYS/PERM")
    static let tlsBehindUTF8 = error("STLS comes before UTF8")
    static let nothingBehindSTLS = error("Nothing may follow STLS before TLS is there")
    static let nameTaken = ok("And the password?")
    static let nameFirst = error("USER comes first")
    static let utf8Enabled = ok("UTF-8 it is")
    static let english = ok("en These are the words")
    static let unknownLanguage = error("There is no such language")
    static let reset = ok("Nothing is marked")
    static let marked = ok("Marked")
    static let done = ok("Done")
    static let noSuchMessage = error("There is no such message")
    static let gone = error("The message is gone")
    static let needsUTF8 = error("The message has UTF-8 in its header", code: "UTF8")
    static let unavailable = error("Not possible now, try again later", code: temporary)
    static let notDeleted = error("Nothing was deleted, try again later", code: temporary)
    static let unknownCommand = error("There is no such command")
    static let notBeforeLogin = error("Log in first")
    static let notAfterLogin = error("You are logged in")
    static let foreign = error("This is a POP3 server")
    static let tooManyErrors = error("Too many errors")
    static let lineTooLong = error("The line is too long")
    static let bareLineFeed = error("Lines end with CR LF")
    static let controlInCommand = error("A command has no NUL and no CR")
    static let unknownMechanism = error("There is no such mechanism")
    static let badResponse = error("The response is malformed")
    static let cancelled = error("The login is cancelled")
    static let badCredentials = error("Name or password are wrong", code: "AUTH")
    static let throttled = error("Too many wrong passwords, try again later", code: temporary)
    static let shuttingDown = error("The server is stopping, try again later", code: temporary)

    static func syntax(_ error: POP3CommandError) -> Self {
        switch error {
        case .missingArgument: .error("An argument is missing")
        case .unexpectedArgument: .error("There is an argument too many")
        case .badNumber: .error("That is no number")
        case .badName: .error("That is no UTF-8 text of at most 255 octets")
        }
    }
}
