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

    /// The server's side.
    package init(_ context: TLSServerContext, descriptor: Int32) throws(IOError) {
        OpenSSLError.clear()
        guard let ssl = context.makeConnection(), SSL_set_fd(ssl, descriptor) == 1 else {
            throw .tls(OpenSSLError.takeReason(or: "out of memory"))
        }
        SSL_set_accept_state(ssl)
        self.ssl = ssl
        self.context = context
    }

    /// The client's side, to a server that must prove to be `serverName`, a DNS name or an IP address.
    package init(_ context: TLSClientContext, serverName: String, descriptor: Int32) throws(IOError) {
        OpenSSLError.clear()
        guard let ssl = context.makeConnection(serverName: serverName), SSL_set_fd(ssl, descriptor) == 1 else {
            throw .tls(OpenSSLError.takeReason(or: "not a server name"))
        }
        SSL_set_connect_state(ssl)
        self.ssl = ssl
        self.context = context
    }

    deinit { SSL_free(ssl) }

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
            throw Self.error(verification: SSL_get_verify_result(ssl))
        }
    }

    private static func error(verification: Int) -> IOError {
        let reason = copenssl_reason(ERR_peek_error())
        if reason == SSL_R_UNEXPECTED_EOF_WHILE_READING {
            OpenSSLError.clear()
            return .endOfStream
        }
        let words = OpenSSLError.takeReason(or: "protocol error")
        guard reason == SSL_R_CERTIFICATE_VERIFY_FAILED, let why = X509_verify_cert_error_string(verification) else {
            return .tls(words)
        }
        return .tls("\(words): \(String(cString: why))")
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
