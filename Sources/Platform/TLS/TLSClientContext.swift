// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// Whom we trust when we connect.
///
/// Certificates and names are always verified (RFC 9525; never by common name).
package final class TLSClientContext: @unchecked Sendable {
    // Sound: OpenSSL counts references to an SSL_CTX with atomics and lets threads make connections from it at once.
    private let context: OpaquePointer
    private let protocols: ApplicationProtocols

    /// Trusts the system's authorities, or exactly these certificates.
    package init(
        trustedCertificatesPEM: [UInt8]? = nil,
        applicationProtocols: [String] = []
    ) throws(TLSConfigurationError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw .refused(OpenSSLError.takeReason(or: "out of memory"))
        }
        self.context = context
        protocols = ApplicationProtocols(applicationProtocols)
        ContextSettings.apply(to: context)
        protocols.offerAsClient(in: context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        try trust(trustedCertificatesPEM)
    }

    /// Trusts exactly the authorities in a PEM file.
    package convenience init(authoritiesPath: String) throws(TLSConfigurationError) {
        try self.init(trustedCertificatesPEM: try PEM.read(authoritiesPath))
    }

    deinit { SSL_CTX_free(context) }

    private func trust(_ pem: [UInt8]?) throws(TLSConfigurationError) {
        OpenSSLError.clear()
        guard let pem else {
            guard SSL_CTX_set_default_verify_paths(context) == 1 else {
                throw .refused(OpenSSLError.takeReason(or: "no system certificates"))
            }
            return
        }
        let pair = PEM.Pair(certificate: pem, key: [], certificatePath: "memory", keyPath: "memory")
        let certificates = try PEM.certificates(pair)
        defer { for certificate in certificates { X509_free(certificate) } }
        let store = SSL_CTX_get_cert_store(context)
        for certificate in certificates where X509_STORE_add_cert(store, certificate) != 1 {
            throw .refused(OpenSSLError.takeReason(or: "certificate not accepted"))
        }
    }

    /// A connection's state for a server of this name or address.
    ///
    /// The caller frees it, and keeps us so long.
    func makeConnection(serverName: String) -> OpaquePointer? {
        guard let ssl = SSL_new(context), let parameters = SSL_get0_param(ssl) else { return nil }
        // An address is no server name (RFC 6066 §3), but may be in the certificate.
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, serverName) == 1 { return ssl }
        X509_VERIFY_PARAM_set_hostflags(
            parameters,
            UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
        )
        if copenssl_set_server_name(ssl, serverName) == 1, SSL_set1_host(ssl, serverName) == 1 { return ssl }
        SSL_free(ssl)
        return nil
    }
}
