// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// What all our contexts have in common.
enum ContextSettings {
    /// The TLS 1.2 suites of Mozilla's "intermediate" profile that use elliptic curves: all with forward secrecy and
    /// AEAD.
    ///
    /// Those of TLS 1.3 are OpenSSL's own.
    private static let ciphers = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
        """

    static func apply(to context: OpaquePointer) {
        // These fail only for words OpenSSL does not know.
        precondition(copenssl_set_tls12_or_later(context) == 1)
        precondition(SSL_CTX_set_cipher_list(context, ciphers) == 1)
        precondition(copenssl_set_groups(context) == 1)
        copenssl_set_options(context)
        copenssl_set_modes(context)
    }
}

/// The protocols to agree on by ALPN (RFC 7301), best first.
final class ApplicationProtocols: @unchecked Sendable {
    // Sound: the memory is written here and only read afterwards. Contexts point to it, so whoever has a connection of
    // such a context keeps this object.
    private let wire: UnsafeMutableBufferPointer<UInt8>

    init(_ names: [String]) {
        precondition(names.allSatisfy { (1...255).contains($0.utf8.count) })
        let octets = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        wire = .allocate(capacity: octets.count)
        _ = wire.initialize(from: octets)
    }

    deinit { wire.deallocate() }

    /// Answers a client's offer with our best that it has, and refuses it when it has none.
    func selectAsServer(in context: OpaquePointer) {
        guard !wire.isEmpty else { return }
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, chosen, chosenCount, offered, offeredCount, argument in
                guard let argument else { return SSL_TLSEXT_ERR_NOACK }
                let own = Unmanaged<ApplicationProtocols>.fromOpaque(argument).takeUnretainedValue()
                var found: UnsafeMutablePointer<UInt8>?
                let result = SSL_select_next_proto(
                    &found,
                    chosenCount,
                    own.wire.baseAddress,
                    UInt32(own.wire.count),
                    offered,
                    offeredCount
                )
                guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                chosen?.pointee = found.map { UnsafePointer($0) }
                return SSL_TLSEXT_ERR_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// What we offer as a client.
    func offerAsClient(in context: OpaquePointer) {
        guard !wire.isEmpty else { return }
        precondition(SSL_CTX_set_alpn_protos(context, wire.baseAddress, UInt32(wire.count)) == 0)
    }
}
