// SPDX-License-Identifier: Apache-2.0

/// PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2): slow on purpose, so never on an event loop.
package enum PBKDF2 {
    /// 32 octets.
    package static func sha256(password: [UInt8], salt: [UInt8], rounds: UInt32) -> [UInt8] {
        HashAlgorithm.sha256.derivedKey(password: password, salt: salt, rounds: rounds)
    }
}
