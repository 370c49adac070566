// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import CLinux
internal import Glibc

/// Reading and writing PEM (RFC 7468) through OpenSSL.
enum PEM {
    /// A certificate chain and its key, as octets with the names to tell them by.
    struct Pair {
        var certificate: [UInt8]
        var key: [UInt8]
        var certificatePath: String
        var keyPath: String
    }

    /// At most 1 MiB of a file.
    static func read(_ path: String) throws(TLSConfigurationError) -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { Glibc.close(descriptor) }
        var octets: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while octets.count < 1 << 20 {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(path: path, errno: errno) }
            if count == 0 { return octets }
            octets += piece[..<count]
        }
        throw .unreadable(path: path, errno: EFBIG)
    }

    /// Calls with a memory BIO over the octets.
    static func withReader<R>(_ octets: [UInt8], _ body: (OpaquePointer) -> R?) -> R? {
        octets.withUnsafeBytes { memory in
            guard let bio = BIO_new_mem_buf(memory.baseAddress, Int32(memory.count)) else { return nil }
            defer { BIO_free(bio) }
            return body(bio)
        }
    }

    /// The octets that `body` writes into a memory BIO.
    static func write(_ body: (OpaquePointer) -> Bool) -> [UInt8]? {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(bio) }
        guard body(bio) else { return nil }
        var octets = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(bio)))
        guard BIO_read(bio, &octets, Int32(octets.count)) == Int32(octets.count) else { return nil }
        return octets
    }

    /// Every certificate in the file, at least one.
    ///
    /// The caller frees them.
    static func certificates(_ pair: Pair) throws(TLSConfigurationError) -> [OpaquePointer] {
        var found: [OpaquePointer] = []
        _ = withReader(pair.certificate) { bio -> Void? in
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { found.append(certificate) }
            return ()
        }
        // Reading stops with "no start line" at the end of the file; anything else is damage.
        let reason = copenssl_reason(ERR_peek_last_error())
        OpenSSLError.clear()
        guard !found.isEmpty, reason == PEM_R_NO_START_LINE else {
            for certificate in found { X509_free(certificate) }
            throw .badCertificate(path: pair.certificatePath)
        }
        return found
    }

    /// The private key; the caller frees it.
    ///
    /// An encrypted one counts as bad: there is nobody to ask for a password.
    static func privateKey(_ pair: Pair) throws(TLSConfigurationError) -> OpaquePointer {
        defer { OpenSSLError.clear() }
        guard let key = withReader(pair.key, { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }) else {
            throw .badPrivateKey(path: pair.keyPath)
        }
        return key
    }
}
