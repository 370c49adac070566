// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import Runtime

/// What a listener presents to its clients: a certificate chain, its key, the application protocols.
///
/// TLS 1.2 and 1.3 with the cipher suites of Mozilla's "intermediate" profile; no renegotiation, no compression.
package final class TLSServerContext: Sendable {
    private enum Source {
        case files(certificateChain: String, privateKey: String)
        case memory(PEM.Pair)
    }

    /// One `SSL_CTX` and what is told about its certificate.
    fileprivate final class Generation: @unchecked Sendable {
        // Sound: OpenSSL counts references to an SSL_CTX with atomics and lets threads make connections from it at once.
        let context: OpaquePointer
        let expiry: Int64

        init(context: OpaquePointer, expiry: Int64) {
            self.context = context
            self.expiry = expiry
        }

        deinit { SSL_CTX_free(context) }
    }

    private let source: Source
    private let protocols: ApplicationProtocols
    private let current: Lock<Generation>

    /// Reads PEM files: the server's certificate first, then its intermediates.
    ///
    /// `applicationProtocols` are offered by ALPN (RFC 7301), best first; a client that offers only others is refused.
    /// None given: ALPN is not answered.
    package init(
        certificateChainPath: String,
        privateKeyPath: String,
        applicationProtocols: [String] = []
    ) throws(TLSConfigurationError) {
        source = .files(certificateChain: certificateChainPath, privateKey: privateKeyPath)
        protocols = ApplicationProtocols(applicationProtocols)
        current = Lock(try Self.load(source, protocols))
    }

    /// The same from memory.
    package init(
        certificateChainPEM: [UInt8],
        privateKeyPEM: [UInt8],
        applicationProtocols: [String] = []
    ) throws(TLSConfigurationError) {
        source = .memory(
            PEM.Pair(certificate: certificateChainPEM, key: privateKeyPEM, certificatePath: "memory", keyPath: "memory")
        )
        protocols = ApplicationProtocols(applicationProtocols)
        current = Lock(try Self.load(source, protocols))
    }

    /// Reads the files again, for connections to come; those that exist keep what they have.
    ///
    /// On an error nothing changes.
    package func reload() throws(TLSConfigurationError) {
        let fresh = try Self.load(source, protocols)
        current.withLock { $0 = fresh }
    }

    /// When the server's certificate expires, in seconds since 1970.
    package var certificateExpiry: Int64 { current.withLock { $0.expiry } }

    /// A connection's state, made from the present certificate.
    ///
    /// The caller frees it, and keeps us so long.
    func makeConnection() -> OpaquePointer? {
        let generation = current.withLock { $0 }
        return SSL_new(generation.context)
    }

    private static func load(
        _ source: Source,
        _ protocols: ApplicationProtocols
    ) throws(TLSConfigurationError) -> Generation {
        let pair =
            switch source {
            case .memory(let pair): pair
            case .files(let certificate, let key):
                PEM.Pair(
                    certificate: try PEM.read(certificate),
                    key: try PEM.read(key),
                    certificatePath: certificate,
                    keyPath: key
                )
            }
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw .refused(OpenSSLError.takeReason(or: "out of memory"))
        }
        do throws(TLSConfigurationError) {
            ContextSettings.apply(to: context)
            protocols.selectAsServer(in: context)
            return Generation(context: context, expiry: try install(pair, in: context))
        } catch {
            SSL_CTX_free(context)
            throw error
        }
    }

    /// Gives the context its certificates and key; returns when the first certificate expires.
    private static func install(_ pair: PEM.Pair, in context: OpaquePointer) throws(TLSConfigurationError) -> Int64 {
        OpenSSLError.clear()
        let certificates = try PEM.certificates(pair)
        defer { for certificate in certificates { X509_free(certificate) } }
        let key = try PEM.privateKey(pair)
        defer { EVP_PKEY_free(key) }
        guard X509_check_private_key(certificates[0], key) == 1 else {
            OpenSSLError.clear()
            throw .keyMismatch(certificatePath: pair.certificatePath, privateKeyPath: pair.keyPath)
        }
        guard SSL_CTX_use_certificate(context, certificates[0]) == 1, SSL_CTX_use_PrivateKey(context, key) == 1,
            certificates.dropFirst().allSatisfy({ copenssl_add_chain_certificate(context, $0) == 1 })
        else { throw .refused(OpenSSLError.takeReason(or: "unknown reason")) }
        return CertificateExpiry.seconds(of: certificates[0])
    }
}
