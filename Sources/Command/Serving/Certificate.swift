// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Files
internal import Logging
internal import TLS

/// The certificate that the listeners show: the operator's, or one of our own making, which is enough for STARTTLS between
/// mail servers and for trying things out.
enum Certificate {
    /// Nil where no listener is on that could use one.
    static func context(_ settings: Settings, logger: Logger) throws -> TLSServerContext? {
        let listeners = settings.listeners
        let users = [
            listeners.https, listeners.smtp, listeners.submission, listeners.submissions, listeners.pop3,
            listeners.pop3s, listeners.imap, listeners.imaps,
        ]
        guard users.contains(where: { !$0.isEmpty }) else { return nil }
        guard settings.tls.certificate.isEmpty else {
            return try TLSServerContext(
                certificateChainPath: settings.tls.certificate,
                privateKeyPath: settings.tls.key
            )
        }
        let folder = "\(settings.data)/tls"
        let (certificate, key) = ("\(folder)/certificate.pem", "\(folder)/key.pem")
        if !Files.exists(certificate) || !Files.exists(key) {
            try Files.makeDirectories(folder)
            var names = TLSServerContext.localHostnames
            if !names.contains(settings.ownName) { names.append(settings.ownName) }
            let made = try TLSServerContext.makeSelfSigned(hostnames: names)
            try Files.replaceContents(of: key, with: made.keyPEM)
            try Files.replaceContents(of: certificate, with: made.certificatePEM)
            logger.notice("made a certificate that vouches for itself", metadata: ["path": "\(certificate)"])
        }
        return try TLSServerContext(certificateChainPath: certificate, privateKeyPath: key)
    }
}
