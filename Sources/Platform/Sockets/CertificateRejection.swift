// SPDX-License-Identifier: Apache-2.0

/// SHA-256 of a certificate in DER, as people compare it.
package struct CertificateFingerprint: Hashable, Sendable {
    package static let octetCount = 32

    /// 32 octets.
    package let octets: [UInt8]

    /// Nil for any other number of octets than 32.
    package init?(octets: [UInt8]) {
        guard octets.count == Self.octetCount else { return nil }
        self.octets = octets
    }

    /// Reads 64 hexadecimal digits of either case, with or without colons between the pairs; nil for anything else.
    package init?(_ text: some Collection<UInt8>) {
        let octets = Array(text)
        let colon: UInt8 = 0x3A
        let isSeparated = octets.count == Self.octetCount * 3 - 1
        guard isSeparated || octets.count == Self.octetCount * 2 else { return nil }
        let step = isSeparated ? 3 : 2
        var found: [UInt8] = []
        for index in 0..<Self.octetCount {
            guard let high = Self.digit(octets[index * step]), let low = Self.digit(octets[index * step + 1]),
                !isSeparated || index + 1 == Self.octetCount || octets[index * step + 2] == colon
            else { return nil }
            found.append(high << 4 | low)
        }
        self.octets = found
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter + 10 : nil
    }
}

extension CertificateFingerprint: CustomStringConvertible {
    /// Pairs of capital hexadecimal digits with colons between them.
    package var description: String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: ":")
    }
}

/// Why a server's certificate was not accepted.
package struct CertificateRejection: Error, Hashable, Sendable {
    /// The raw value is the word that logs and the API use.
    package enum Reason: String, CaseIterable, Sendable {
        /// Signed by nobody but itself.
        case selfSigned = "self_signed"
        /// Signed by nobody we trust, or intermediate certificates are missing.
        case untrusted
        case expired
        case notYetValid = "not_yet_valid"
        /// For other names than the server's.
        case wrongName = "wrong_name"
        case revoked
        /// A key or a signature that is no longer safe.
        case weak
        /// Another certificate than the pinned one.
        case notPinned = "not_pinned"
        case other
    }

    package let reason: Reason
    /// The library's words.
    package let words: String
    /// Of the certificate that was shown, where one was.
    package let fingerprint: CertificateFingerprint?

    package init(_ reason: Reason, words: String, fingerprint: CertificateFingerprint?) {
        self.reason = reason
        self.words = words
        self.fingerprint = fingerprint
    }
}

extension CertificateRejection: CustomStringConvertible {
    package var description: String {
        "certificate not accepted: \(words)" + (fingerprint.map { " (SHA-256 \($0))" } ?? "")
    }
}
