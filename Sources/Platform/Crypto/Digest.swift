// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// Digests of octets that are all at hand.
package enum Digest {
    /// SHA-256 (FIPS 180-4): 32 octets.
    package static func sha256(_ octets: [UInt8]) -> [UInt8] { sha256(octets.span) }

    /// The same, of octets borrowed.
    package static func sha256(_ octets: Span<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            octets.withUnsafeBufferPointer { octets in
                let isDone = EVP_Digest(
                    octets.baseAddress,
                    octets.count,
                    buffer.baseAddress,
                    nil,
                    SHA256.algorithm,
                    nil
                )
                precondition(isDone == 1, "no SHA-256")
            }
            count = 32
        }
    }
}

/// Octets nobody can guess.
package enum RandomOctets {
    package static func make(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
