// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// Ed25519 (RFC 8032): signatures by a private key that whoever has the public key can check.
package enum Ed25519 {
    /// Of the seed that a private key is, and of a public key.
    package static let keyOctets = 32
    package static let signatureOctets = 64

    /// The public key of a private key: 32 octets each (RFC 8032 §5.1.5).
    package static func publicKey(of seed: [UInt8]) -> [UInt8] {
        let key = privateKey(seed)
        defer { EVP_PKEY_free(key) }
        return [UInt8](unsafeUninitializedCapacity: keyOctets) { buffer, count in
            var length = keyOctets
            precondition(EVP_PKEY_get_raw_public_key(key, buffer.baseAddress, &length) == 1 && length == keyOctets)
            count = keyOctets
        }
    }

    /// The 64 octets of the signature of `message` (RFC 8032 §5.1.6).
    package static func signature(of message: [UInt8], seed: [UInt8]) -> [UInt8] {
        let key = privateKey(seed)
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for Ed25519") }
        defer { EVP_MD_CTX_free(context) }
        precondition(EVP_DigestSignInit(context, nil, nil, nil, key) == 1, "Ed25519 failed")
        return [UInt8](unsafeUninitializedCapacity: signatureOctets) { buffer, count in
            var length = signatureOctets
            precondition(EVP_DigestSign(context, buffer.baseAddress, &length, message, message.count) == 1)
            precondition(length == signatureOctets)
            count = signatureOctets
        }
    }

    /// Whether `signature` is the message's by the owner of `publicKey`; false for octets that are no key or signature.
    package static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureOctets, publicKey.count == keyOctets,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, keyOctets)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        let isValid = EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // What failed leaves errors behind for the next call on this thread.
        if !isValid { ERR_clear_error() }
        return isValid
    }

    private static func privateKey(_ seed: [UInt8]) -> OpaquePointer {
        precondition(seed.count == keyOctets)
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, keyOctets) else {
            preconditionFailure("OpenSSL has no Ed25519")
        }
        return key
    }
}
