// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// The digests that protocols let their peers choose among.
package enum HashAlgorithm: Sendable {
    /// FIPS 180-4, 20 octets: for SCRAM-SHA-1 alone, where the hash's collisions do no harm.
    case sha1
    /// FIPS 180-4, 32 octets.
    case sha256

    package var octets: Int {
        switch self {
        case .sha1: 20
        case .sha256: 32
        }
    }

    var evp: OpaquePointer? {
        switch self {
        case .sha1: EVP_sha1()
        case .sha256: EVP_sha256()
        }
    }
}

extension HashAlgorithm {
    /// The digest of octets that are all at hand.
    package func digest(_ octets: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: self.octets) { buffer, count in
            var length: UInt32 = 0
            let status = EVP_Digest(octets, octets.count, buffer.baseAddress, &length, evp, nil)
            precondition(status == 1 && length == UInt32(self.octets), "the digest failed")
            count = self.octets
        }
    }

    /// HMAC (RFC 2104): as many octets as the digest.
    package func authenticationCode(of message: [UInt8], key: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: octets) { buffer, count in
            var length: UInt32 = 0
            let made = HMAC(evp, key, CInt(key.count), message, message.count, buffer.baseAddress, &length)
            precondition(made != nil && length == UInt32(octets), "HMAC failed")
            count = octets
        }
    }

    /// PBKDF2 (RFC 8018 §5.2) with as many octets as the digest: slow on purpose, so never on an event loop.
    package func derivedKey(password: [UInt8], salt: [UInt8], rounds: UInt32) -> [UInt8] {
        precondition(rounds > 0 && rounds <= UInt32(CInt.max))
        return [UInt8](unsafeUninitializedCapacity: octets) { buffer, count in
            let status = password.withUnsafeBytes { bytes in
                PKCS5_PBKDF2_HMAC(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    CInt(bytes.count),
                    salt,
                    CInt(salt.count),
                    CInt(rounds),
                    evp,
                    CInt(octets),
                    buffer.baseAddress
                )
            }
            precondition(status == 1, "PBKDF2 failed")
            count = octets
        }
    }
}
