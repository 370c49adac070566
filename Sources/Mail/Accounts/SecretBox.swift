// SPDX-License-Identifier: Apache-2.0

import Crypto
import Runtime
package import Wire

/// Encrypts what must not be readable in the store's files: AES-256-GCM with the server's one key, each value bound to the
/// row and the field it belongs to, so that none can be put in another's place.
///
/// A sealed value says which key sealed it, so that there can be a next key: copies of a box share its keys.
/// ```
/// sealed = version key-id nonce ciphertext tag     ; 1, 4, 12, n and 16 octets
/// ```
package struct SecretBox: Sendable {
    package static let keyOctets = AESGCM.keyOctets
    package static let keyIDOctets = 4
    private static let version: UInt8 = 1
    private static let headOctets = 1 + keyIDOctets + AESGCM.nonceOctets

    /// What a value belongs to.
    package struct Place: Sendable {
        let octets: [UInt8]

        /// - Parameters:
        ///   - field: table and column, `webhooks.headers`.
        ///   - row: the id of the row, which never changes.
        package init(_ field: StaticString, row: [UInt8]) {
            octets = Array("\(field)".utf8) + [0] + row
        }
    }

    package enum Failure: Error, Hashable, Sendable {
        /// Sealed with another key, of this id.
        case otherKey([UInt8])
        /// Changed since, moved from another place, or never sealed at all.
        case forged
    }

    private struct Key: Sendable {
        let secret: Secret
        let id: [UInt8]

        init(_ secret: Secret) {
            precondition(secret.count == SecretBox.keyOctets)
            self.secret = secret
            id = secret.withOctets {
                Array(Digest.sha256(Array("postern key id".utf8) + $0).prefix(SecretBox.keyIDOctets))
            }
        }
    }

    private struct Keys: Sendable {
        var current: Key
        /// They open what they sealed.
        var earlier: [Key]
    }

    private let keys: Lock<Keys>

    /// Says which key seals, and nothing about it.
    package var keyID: [UInt8] { keys.withLock { $0.current.id } }
    /// Of all keys that open.
    package var keyIDs: [[UInt8]] { keys.withLock { [$0.current.id] + $0.earlier.map(\.id) } }
    /// What a value begins with that the current key sealed; five octets.
    package var head: [UInt8] { [Self.version] + keyID }

    /// - Parameters:
    ///   - key: 32 octets.
    ///   - earlier: keys that open what they sealed.
    package init(key: Secret, earlier: [Secret] = []) {
        keys = Lock(Keys(current: Key(key), earlier: earlier.map(Key.init)))
    }

    /// From now on this key seals; those before it go on opening what they sealed.
    package func change(to next: Secret) {
        let next = Key(next)
        keys.withLock { keys in
            guard keys.current.id != next.id else { return }
            keys = Keys(current: next, earlier: [keys.current] + keys.earlier)
        }
    }

    package func seal(_ plaintext: [UInt8], at place: Place) -> [UInt8] {
        let key = keys.withLock { $0.current }
        let nonce = RandomOctets.make(AESGCM.nonceOctets)
        let sealed = key.secret.withOctets {
            AESGCM.seal(plaintext.span, key: $0, nonce: nonce, authenticating: place.octets.span)
        }
        return [Self.version] + key.id + nonce + sealed
    }

    package func open(_ sealed: [UInt8], at place: Place) throws(Failure) -> Secret {
        guard sealed.count >= Self.headOctets, sealed[0] == Self.version else { throw .forged }
        let id = Self.keyID(of: sealed)
        let keys = keys.withLock { $0 }
        guard let key = ([keys.current] + keys.earlier).first(where: { $0.id == id }) else { throw .otherKey(id) }
        let nonce = Array(sealed[(1 + Self.keyIDOctets)..<Self.headOctets])
        let ciphertext = Array(sealed[Self.headOctets...])
        do throws(AESGCM.Forged) {
            return try key.secret.withOctets { (key) throws(AESGCM.Forged) in
                Secret(
                    try AESGCM.open(ciphertext.span, key: key, nonce: nonce, authenticating: place.octets.span)
                )
            }
        } catch {
            throw .forged
        }
    }

    /// The id of the key that sealed a value; empty for what is none.
    package static func keyID(of sealed: [UInt8]) -> [UInt8] { Array(sealed.dropFirst().prefix(keyIDOctets)) }
}
