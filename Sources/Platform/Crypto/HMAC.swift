// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1).
package enum HMACSHA256 {
    /// 32 octets.
    package static func code(of message: [UInt8], key: [UInt8]) -> [UInt8] {
        HashAlgorithm.sha256.authenticationCode(of: message, key: key)
    }
}

/// Comparing secrets.
package enum ConstantTime {
    /// Whether the octets are the same, in a time that depends on the counts only.
    package static func equals(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}
