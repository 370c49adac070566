// SPDX-License-Identifier: Apache-2.0

import Crypto
package import Wire

/// What is kept of a local password: enough to check it and to serve SCRAM-SHA-256, not enough to log in elsewhere.
///
/// RFC 5802 §3 with SHA-256 (RFC 7677); written as RFC 5803 §2 has it, `SCRAM-SHA-256$200000:salt$StoredKey:ServerKey`.
/// Passwords are taken as the octets they come in; no string preparation is applied.
package struct ScramVerifier: Hashable, Sendable {
    package let rounds: UInt32
    package let salt: [UInt8]
    /// H(HMAC(SaltedPassword, "Client Key")); 32 octets.
    package let storedKey: [UInt8]
    /// HMAC(SaltedPassword, "Server Key"); 32 octets.
    package let serverKey: [UInt8]

    package static let defaultRounds: UInt32 = 200_000
    private static let scheme = Array("SCRAM-SHA-256".utf8)

    /// Derives a verifier with a fresh salt.
    ///
    /// This takes a tenth of a second or so: for a blocking pool.
    package init(deriving password: Secret, rounds: UInt32 = defaultRounds) {
        self.init(password: password, salt: RandomOctets.make(16), rounds: rounds)
    }

    init(password: Secret, salt: [UInt8], rounds: UInt32) {
        let salted = password.withOctets { PBKDF2.sha256(password: $0, salt: salt, rounds: rounds) }
        self.rounds = rounds
        self.salt = salt
        storedKey = Digest.sha256(HMACSHA256.code(of: Array("Client Key".utf8), key: salted))
        serverKey = HMACSHA256.code(of: Array("Server Key".utf8), key: salted)
    }

    /// No password's verifier, which takes as long to check as one with so many rounds.
    init(unmatchableWithRounds rounds: UInt32) {
        self.rounds = rounds
        salt = RandomOctets.make(16)
        storedKey = RandomOctets.make(32)
        serverKey = RandomOctets.make(32)
    }

    /// Whether this is the password.
    ///
    /// As slow as ``init(deriving:rounds:)``.
    package func verifies(_ password: Secret) -> Bool {
        let candidate = ScramVerifier(password: password, salt: salt, rounds: rounds)
        return ConstantTime.equals(candidate.storedKey, storedKey)
    }

    /// For the store.
    package var octets: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(Self.scheme)
        buffer.append("$")
        buffer.append(decimal: rounds)
        buffer.append(":")
        buffer.append(Base64.encode(salt))
        buffer.append("$")
        buffer.append(Base64.encode(storedKey))
        buffer.append(":")
        buffer.append(Base64.encode(serverKey))
        return buffer.array()
    }

    private static func decode(_ text: [UInt8]) -> [UInt8]? { Base64.decode(text.span) }

    /// From what ``octets`` wrote; nil for anything else.
    package init?(octets: [UInt8]) {
        let fields = octets.split(separator: 0x24, omittingEmptySubsequences: false).map {
            $0.split(separator: ASCII.colon, omittingEmptySubsequences: false).map(Array.init)
        }
        guard fields.count == 3, fields[0] == [Self.scheme], fields[1].count == 2, fields[2].count == 2,
            let rounds = StrictInteger.decimal(fields[1][0], maximum: 100_000_000), rounds > 0,
            let salt = Self.decode(fields[1][1]),
            let storedKey = Self.decode(fields[2][0]), storedKey.count == 32,
            let serverKey = Self.decode(fields[2][1]), serverKey.count == 32
        else { return nil }
        self.rounds = UInt32(rounds)
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}
