// SPDX-License-Identifier: Apache-2.0

import Crypto
import Files
package import Storage
package import Wire

/// The server's key for what is encrypted in the store: given by the operator, or kept in a file that only we can read.
package enum SecretKeyFile {
    package static let name = "secret.key"

    /// Why there is no key to start with; a sentence for the operator.
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// The file is gone, and there are rows that only its key opens.
        case missing(path: String, rows: Int, keyID: String)
        /// The key is another than the rows were encrypted with.
        case wrong(source: String, rows: Int, keyID: String)
        case malformed(path: String)

        package var description: String {
            switch self {
            case .missing(let path, let rows, let keyID):
                """
                \(path) is missing, and \(rows) rows of the store are encrypted with its key (id \(keyID)): put the file \
                back, or give its content by POSTERN_SECRET_FILE
                """
            case .wrong(let source, let rows, let keyID):
                """
                the key of \(source) is not the one that \(rows) rows of the store are encrypted with (id \(keyID)): \
                put that one back
                """
            case .malformed(let path): "\(path) is no key: 44 characters of base64, which are 32 octets"
            }
        }
    }

    /// The key to work with.
    ///
    /// Without one in the configuration it is that of `secret.key` in `directory`, which is made where the store has
    /// nothing encrypted yet.
    package static func prepare(given: Secret?, directory: String, store: Store) async throws -> SecretBox {
        let path = "\(directory)/\(name)"
        let sealed = try await store.read { try $0.sealedValues() }
        let key: Secret
        if let given {
            guard let octets = given.withOctets(decode) else { throw Failure.malformed(path: "secret") }
            key = octets
        } else {
            key = try load(path, needed: sealed)
        }
        let box = SecretBox(key: key)
        let foreign = sealed.filter { SecretBox.keyID(of: $0.head) != box.keyID }
        if let first = foreign.first {
            throw Failure.wrong(
                source: given == nil ? path : "the configuration",
                rows: foreign.reduce(0) { $0 + $1.rows },
                keyID: text(SecretBox.keyID(of: first.head))
            )
        }
        return box
    }

    private static func load(_ path: String, needed sealed: [SealedValues]) throws -> Secret {
        if Files.exists(path) {
            guard let key = decode(try Files.contents(path, limit: 4096)) else { throw Failure.malformed(path: path) }
            return key
        }
        if let first = sealed.first {
            throw Failure.missing(
                path: path,
                rows: sealed.reduce(0) { $0 + $1.rows },
                keyID: text(SecretBox.keyID(of: first.head))
            )
        }
        let octets = RandomOctets.make(SecretBox.keyOctets)
        try Files.replaceContents(of: path, with: Base64.encode(octets) + [ASCII.lf])
        return Secret(octets)
    }

    /// 32 octets in base64, with or without a line end.
    private static func decode(_ text: [UInt8]) -> Secret? {
        var text = text[...]
        while let last = text.last, last == ASCII.lf || last == ASCII.cr { text.removeLast() }
        guard let octets = Base64.decode(Array(text).span), octets.count == SecretBox.keyOctets else { return nil }
        return Secret(octets)
    }

    private static func text(_ keyID: [UInt8]) -> String { Hex.encode(keyID.span).span.repairedUTF8String() }
}
