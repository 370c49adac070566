// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1).
package enum HMACSHA256 {
    /// 32 octets.
    package static func code(of message: [UInt8], key: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            var length: UInt32 = 0
            let made = COpenSSL.HMAC(
                EVP_sha256(),
                key,
                CInt(key.count),
                message,
                message.count,
                buffer.baseAddress,
                &length
            )
            precondition(made != nil && length == 32, "HMAC failed")
            count = 32
        }
    }
}

/// Comparing secrets.
package enum ConstantTime {
    /// Whether the octets are the same, in a time that depends on the counts only.
    package static func equals(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}
