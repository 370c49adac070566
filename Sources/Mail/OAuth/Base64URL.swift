// SPDX-License-Identifier: Apache-2.0

import Wire

/// `base64url` without padding (RFC 4648 §5, RFC 7636 appendix A).
enum Base64URL {
    static func encode(_ octets: [UInt8]) -> [UInt8] {
        Base64.encode(octets).filter { $0 != ASCII.equals }.map { octet in
            switch octet {
            case ASCII.plus: ASCII.hyphen
            case ASCII.slash: ASCII.underscore
            default: octet
            }
        }
    }

    static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard !text.contains(where: { $0 == ASCII.plus || $0 == ASCII.slash || $0 == ASCII.equals }) else { return nil }
        let usual = text.map { octet in
            switch octet {
            case ASCII.hyphen: ASCII.plus
            case ASCII.underscore: ASCII.slash
            default: octet
            }
        }
        let padded = usual + [UInt8](repeating: ASCII.equals, count: (4 - usual.count % 4) % 4)
        return Base64.decode(padded.span)
    }
}
