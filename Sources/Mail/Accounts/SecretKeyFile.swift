// SPDX-License-Identifier: Apache-2.0

import Crypto
import Files
package import Storage
package import Wire

/// The server's key for what is encrypted in the store: given by the operator, or kept in a file that only we can read.
package enum SecretKeyFile {
    package static let name = "secret.key"
    /// The key that is about to take the other's place: as long as the file is there, either may have sealed a value.
    static let nextName = "secret.key.next"

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
    /// nothing encrypted yet. What an earlier key sealed is sealed anew: that of a rotation which was cut short, or `previous`.
    ///
    /// - Parameters:
    ///   - previous: the key that was given before the one that is given now.
    ///   - complain: is told of a value that no key opens: the earlier key stays then, since the value is replaced by means of
    ///     a server that runs, and whatever else the earlier key sealed is as good as before.
    package static func prepare(
        given: Secret?,
        previous: Secret? = nil,
        directory: String,
        store: Store,
        complain: (KeyRotation.Unreadable) -> Void
    ) async throws -> SecretBox {
        let path = "\(directory)/\(name)"
        let sealed = try await store.read { try $0.sealedValues() }
        let nextPath = "\(directory)/\(nextName)"
        let isRotating = given == nil && Files.exists(nextPath)
        let box: SecretBox
        if let given {
            box = SecretBox(
                key: try decoded(given, "secret"),
                earlier: try previous.map { [try decoded($0, "previousSecret")] } ?? []
            )
        } else if isRotating {
            box = SecretBox(key: try read(nextPath), earlier: [try load(path, needed: sealed)])
        } else {
            box = SecretBox(key: try load(path, needed: sealed))
        }
        let known = box.keyIDs
        let foreign = sealed.filter { !known.contains(SecretBox.keyID(of: $0.head)) }
        if let first = foreign.first {
            throw Failure.wrong(
                source: given == nil ? path : "the configuration",
                rows: foreign.reduce(0) { $0 + $1.rows },
                keyID: text(SecretBox.keyID(of: first.head))
            )
        }
        if known.count > 1 {
            let rotation = KeyRotation(store: store, box: box, directory: directory)
            do {
                try await rotation.resealAll()
                if isRotating { try rotation.finish() }
            } catch let unreadable as KeyRotation.Unreadable {
                complain(unreadable)
            }
        }
        return box
    }

    private static func decoded(_ given: Secret, _ name: String) throws -> Secret {
        guard let octets = given.withOctets(decode) else { throw Failure.malformed(path: name) }
        return octets
    }

    static func read(_ path: String) throws -> Secret {
        guard let key = decode(try Files.contents(path, limit: 4096)) else { throw Failure.malformed(path: path) }
        return key
    }

    /// Makes a key and keeps it in that file, which is whole or not there.
    static func make(_ path: String) throws -> Secret {
        let octets = RandomOctets.make(SecretBox.keyOctets)
        try Files.replaceContents(of: path, with: Base64.encode(octets) + [ASCII.lf])
        return Secret(octets)
    }

    private static func load(_ path: String, needed sealed: [SealedValues]) throws -> Secret {
        if Files.exists(path) { return try read(path) }
        if let first = sealed.first {
            throw Failure.missing(
                path: path,
                rows: sealed.reduce(0) { $0 + $1.rows },
                keyID: text(SecretBox.keyID(of: first.head))
            )
        }
        return try make(path)
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
