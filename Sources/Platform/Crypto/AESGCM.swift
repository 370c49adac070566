// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D): encryption that notices change, bound to `authenticating` data
/// that stay outside.
///
/// A nonce must not be used twice with one key; at most 2^32 random ones.
package enum AESGCM {
    package static let keyOctets = 32
    package static let nonceOctets = 12
    package static let tagOctets = 16

    /// Not sealed with this key, nonce and authenticated data, or changed since.
    package struct Forged: Error {}

    /// The ciphertext followed by the tag: 16 octets more than `plaintext`.
    package static func seal(
        _ plaintext: Span<UInt8>,
        key: [UInt8],
        nonce: [UInt8],
        authenticating data: Span<UInt8>
    ) -> [UInt8] {
        let context = begin(key, nonce, data, sealing: true)
        defer { EVP_CIPHER_CTX_free(context) }
        return [UInt8](unsafeUninitializedCapacity: plaintext.count + tagOctets) { memory, count in
            var written: Int32 = 0
            plaintext.withUnsafeBufferPointer { input in
                precondition(
                    EVP_EncryptUpdate(context, memory.baseAddress, &written, input.baseAddress, Int32(input.count)) == 1
                )
            }
            precondition(Int(written) == plaintext.count)
            let end = memory.baseAddress.map { $0 + plaintext.count }
            precondition(EVP_EncryptFinal_ex(context, end, &written) == 1)
            precondition(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagOctets), end) == 1)
            count = plaintext.count + tagOctets
        }
    }

    /// The plaintext of what ``seal(_:key:nonce:authenticating:)`` gave.
    package static func open(
        _ sealed: Span<UInt8>,
        key: [UInt8],
        nonce: [UInt8],
        authenticating data: Span<UInt8>
    ) throws(Forged) -> [UInt8] {
        guard sealed.count >= tagOctets else { throw Forged() }
        let context = begin(key, nonce, data, sealing: false)
        defer { EVP_CIPHER_CTX_free(context) }
        let length = sealed.count - tagOctets
        var isGenuine = false
        let plaintext = [UInt8](unsafeUninitializedCapacity: max(length, 1)) { memory, count in
            isGenuine = sealed.withUnsafeBufferPointer { decrypt($0, length, context, into: memory) }
            count = isGenuine ? length : 0
        }
        guard isGenuine else { throw Forged() }
        return plaintext
    }

    private static func decrypt(
        _ sealed: UnsafeBufferPointer<UInt8>,
        _ length: Int,
        _ context: OpaquePointer,
        into memory: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        var tag = [UInt8](sealed[length...])
        var written: Int32 = 0
        guard EVP_DecryptUpdate(context, memory.baseAddress, &written, sealed.baseAddress, Int32(length)) == 1,
            Int(written) == length,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagOctets), &tag) == 1
        else { return false }
        return EVP_DecryptFinal_ex(context, memory.baseAddress.map { $0 + length }, &written) == 1
    }

    private static func begin(_ key: [UInt8], _ nonce: [UInt8], _ data: Span<UInt8>, sealing: Bool) -> OpaquePointer {
        precondition(key.count == keyOctets && nonce.count == nonceOctets)
        guard let context = EVP_CIPHER_CTX_new(),
            EVP_CipherInit_ex(context, Algorithms.aes256GCM, nil, key, nonce, sealing ? 1 : 0) == 1
        else { preconditionFailure("AES-256-GCM failed") }
        guard !data.isEmpty else { return context }
        var written: Int32 = 0
        data.withUnsafeBufferPointer { data in
            precondition(EVP_CipherUpdate(context, nil, &written, data.baseAddress, Int32(data.count)) == 1)
        }
        return context
    }
}

/// OpenSSL's cipher, looked up once.
private enum Algorithms {
    // Sound: an algorithm fetched is immutable; it lives as long as the process.
    nonisolated(unsafe) static let aes256GCM: OpaquePointer = {
        guard let algorithm = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else {
            preconditionFailure("OpenSSL has no AES-256-GCM")
        }
        return algorithm
    }()
}
