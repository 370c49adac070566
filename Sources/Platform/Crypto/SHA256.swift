// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// SHA-256 (FIPS 180-4), fed piece by piece.
package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Looked up once: what `EVP_sha256()` names is looked up anew, under locks, by each digest that begins.
    nonisolated(unsafe) static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    package init() {
        guard let made = EVP_MD_CTX_new(), EVP_DigestInit_ex(made, Self.algorithm, nil) == 1 else {
            preconditionFailure("no SHA-256")
        }
        context = made
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    }

    /// The 32 octets of the digest; the state is then spent.
    package mutating func finalize() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            var length: UInt32 = 0
            EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
            count = Int(length)
        }
    }
}
