// SPDX-License-Identifier: Apache-2.0

/// Why a certificate and its key could not be taken into use.
package enum TLSConfigurationError: Error, Equatable, Sendable {
    /// The file could not be read; `errno`.
    case unreadable(path: String, errno: Int32)
    /// No certificate in PEM form in it, or one that is damaged.
    case badCertificate(path: String)
    /// No private key in PEM form in it, or a damaged or encrypted one.
    case badPrivateKey(path: String)
    /// The key is not that of the first certificate.
    case keyMismatch(certificatePath: String, privateKeyPath: String)
    /// OpenSSL refused them, in its words: a key too small, a signature too weak.
    case refused(String)
}

extension TLSConfigurationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let path, let number): "cannot read \(path) (errno \(number))"
        case .badCertificate(let path): "no usable PEM certificate in \(path)"
        case .badPrivateKey(let path): "no usable unencrypted PEM private key in \(path)"
        case .keyMismatch(let certificate, let key):
            "the key in \(key) does not belong to the certificate in \(certificate)"
        case .refused(let reason): "OpenSSL refuses the certificate or key: \(reason)"
        }
    }
}
