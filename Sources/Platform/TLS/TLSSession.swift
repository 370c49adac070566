// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import CLinux
internal import Glibc
package import Sockets

/// TLS over one connected, non-blocking descriptor that somebody else owns.
///
/// No call waits: each says what it needs first. Used by one thread at a time.
package final class TLSSession {
    /// How far a call got.
    package enum Progress: Equatable {
        /// So many octets; 0 is the end of the stream, said by the peer in so many words (`close_notify`).
        case octets(Int)
        /// Call again when the descriptor can be read.
        case wantsRead
        /// Call again when the descriptor can be written.
        case wantsWrite
    }

    private let ssl: OpaquePointer
    /// Keeps what `ssl` points into.
    private let context: AnyObject
    /// After a fatal error OpenSSL must not even be asked to say good-bye.
    private var isBroken = false
    /// A client's judgement of its server; `ssl` points there.
    private let judgement: UnsafeMutablePointer<copenssl_peer>?

    /// The server's side.
    package init(_ context: TLSServerContext, descriptor: Int32) throws(IOError) {
        OpenSSLError.clear()
        guard let ssl = context.makeConnection(), SSL_set_fd(ssl, descriptor) == 1 else {
            throw .tls(OpenSSLError.takeReason(or: "out of memory"))
        }
        SSL_set_accept_state(ssl)
        self.ssl = ssl
        self.context = context
        judgement = nil
    }

    /// The client's side, to a server that must prove to be `serverName`, a DNS name or an IP address.
    ///
    /// With a pin it must show that very certificate instead, whoever signed it, whatever names and dates it has.
    package init(
        _ context: TLSClientContext,
        serverName: String,
        pin: CertificateFingerprint? = nil,
        descriptor: Int32
    ) throws(IOError) {
        OpenSSLError.clear()
        guard let ssl = context.makeConnection(serverName: serverName), SSL_set_fd(ssl, descriptor) == 1 else {
            throw .tls(OpenSSLError.takeReason(or: "not a server name"))
        }
        let judgement = UnsafeMutablePointer<copenssl_peer>.allocate(capacity: 1)
        judgement.initialize(to: copenssl_peer())
        if let pin {
            withUnsafeMutableBytes(of: &judgement.pointee.wanted) { $0.copyBytes(from: pin.octets) }
            judgement.pointee.has_wanted = 1
        }
        guard copenssl_watch_peer(ssl, judgement) == 1 else {
            SSL_free(ssl)
            judgement.deallocate()
            throw .tls(OpenSSLError.takeReason(or: "out of memory"))
        }
        SSL_set_connect_state(ssl)
        self.ssl = ssl
        self.context = context
        self.judgement = judgement
    }

    deinit {
        SSL_free(ssl)
        judgement?.deallocate()
    }

    /// Goes on with the handshake; `.octets(0)` when it is complete.
    package func handshake() throws(IOError) -> Progress {
        OpenSSLError.clear()
        let result = SSL_do_handshake(ssl)
        return result == 1 ? .octets(0) : try explain(result)
    }

    /// Reads at least one octet into `memory`, which is not empty.
    package func read(into memory: UnsafeMutableRawBufferPointer) throws(IOError) -> Progress {
        OpenSSLError.clear()
        var count = 0
        let result = SSL_read_ex(ssl, memory.baseAddress, memory.count, &count)
        return result == 1 ? .octets(count) : try explain(result)
    }

    /// Whether a read would give something: `.octets(1)` if so, without taking it.
    package func peek() throws(IOError) -> Progress {
        if SSL_pending(ssl) > 0 { return .octets(1) }
        OpenSSLError.clear()
        var octet: UInt8 = 0
        var count = 0
        let result = SSL_peek_ex(ssl, &octet, 1, &count)
        return result == 1 ? .octets(count) : try explain(result)
    }

    /// Writes some of the octets, which are not none.
    ///
    /// After `.wants…` the same octets (or those and more) must come again.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(IOError) -> Progress {
        OpenSSLError.clear()
        var count = 0
        let result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count)
        return result == 1 ? .octets(count) : try explain(result)
    }

    /// Says `close_notify` if that can be done at once.
    package func sayGoodbye() {
        guard !isBroken, SSL_is_init_finished(ssl) == 1 else { return }
        OpenSSLError.clear()
        SSL_shutdown(ssl)
        OpenSSLError.clear()
    }

    private func explain(_ result: Int32) throws(IOError) -> Progress {
        let number = errno
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .octets(0)
        case SSL_ERROR_SYSCALL:
            isBroken = true
            OpenSSLError.clear()
            throw number == 0 ? .endOfStream : .errno(number)
        default:
            isBroken = true
            throw error(verification: SSL_get_verify_result(ssl))
        }
    }

    private func error(verification: Int) -> IOError {
        let reason = copenssl_reason(ERR_peek_error())
        if reason == SSL_R_UNEXPECTED_EOF_WHILE_READING {
            OpenSSLError.clear()
            return .endOfStream
        }
        let words = OpenSSLError.takeReason(or: "protocol error")
        guard reason == SSL_R_CERTIFICATE_VERIFY_FAILED, let why = X509_verify_cert_error_string(verification) else {
            return .tls(words)
        }
        let rejected = CertificateRejection.Reason(verification: Int32(clamping: verification))
        let isPinned = rejected == .notPinned
        return .certificate(
            CertificateRejection(
                rejected,
                words: isPinned ? "not the pinned certificate" : String(cString: why),
                fingerprint: peerFingerprint
            )
        )
    }
}

extension TLSSession {
    /// `TLSv1.3` or `TLSv1.2`.
    package var version: String { String(cString: SSL_get_version(ssl)) }

    /// As OpenSSL names it, `TLS_AES_128_GCM_SHA256` for example.
    package var cipher: String {
        guard let cipher = SSL_get_current_cipher(ssl), let name = SSL_CIPHER_get_name(cipher) else { return "none" }
        return String(cString: name)
    }

    /// What was agreed on by ALPN.
    package var applicationProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        guard let name, count > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
    }
}

extension TLSSession {
    /// Of the certificate that the server showed, on the client's side.
    package var peerFingerprint: CertificateFingerprint? {
        guard let judgement, judgement.pointee.has_shown != 0 else { return nil }
        return CertificateFingerprint(octets: withUnsafeBytes(of: judgement.pointee.shown) { [UInt8]($0) })
    }

    /// The channel binding `tls-exporter` (RFC 9266); nil below TLS 1.3, where it does not hold in every case.
    package var exporterBinding: [UInt8]? {
        guard SSL_version(ssl) >= TLS1_3_VERSION else { return nil }
        OpenSSLError.clear()
        let label = "EXPORTER-Channel-Binding"
        var octets = [UInt8](repeating: 0, count: 32)
        let status = SSL_export_keying_material(ssl, &octets, octets.count, label, label.utf8.count, nil, 0, 1)
        OpenSSLError.clear()
        return status == 1 ? octets : nil
    }

    /// The channel binding `tls-server-end-point` (RFC 5929 §4), on the client's side; nil where the certificate's signature
    /// has none.
    package var serverEndPointBinding: [UInt8]? {
        OpenSSLError.clear()
        var octets = [UInt8](repeating: 0, count: 64)
        let count = copenssl_end_point(ssl, &octets)
        OpenSSLError.clear()
        return count == 0 ? nil : Array(octets.prefix(Int(count)))
    }
}

extension CertificateRejection.Reason {
    /// What OpenSSL's result of a verification means.
    init(verification: Int32) {
        switch verification {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .selfSigned
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_CERT_REJECTED, X509_V_ERR_INVALID_CA:
            self = .untrusted
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .wrongName
        case X509_V_ERR_CERT_REVOKED: self = .revoked
        case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_MD_TOO_WEAK: self = .weak
        case X509_V_ERR_APPLICATION_VERIFICATION: self = .notPinned
        default: self = .other
        }
    }
}
