// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2): slow on purpose, so never on an event loop.
package enum PBKDF2 {
    /// 32 octets.
    package static func sha256(password: [UInt8], salt: [UInt8], rounds: UInt32) -> [UInt8] {
        precondition(rounds > 0 && rounds <= UInt32(CInt.max))
        return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            let status = password.withUnsafeBytes { bytes in
                PKCS5_PBKDF2_HMAC(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    CInt(bytes.count),
                    salt,
                    CInt(salt.count),
                    CInt(rounds),
                    EVP_sha256(),
                    32,
                    buffer.baseAddress
                )
            }
            precondition(status == 1, "PBKDF2 failed")
            count = 32
        }
    }
}
