// SPDX-License-Identifier: Apache-2.0

package import Accounts
import Crypto
package import MailTypes
package import Storage
package import Wire

/// A webhook's secret when it is made, in the forms of Standard Webhooks 1.0.
package struct WebhookSecret: Sendable {
    package let kind: WebhookSignatures
    /// 32 octets: the key of HMAC-SHA256, or the seed of an Ed25519 key.
    package let octets: Secret
    /// What checks signatures; of Ed25519 only.
    package let publicKey: [UInt8]?

    package static let octetCount = 32

    package static func random(_ kind: WebhookSignatures) -> WebhookSecret {
        let octets = RandomOctets.make(octetCount)
        return WebhookSecret(
            kind: kind,
            octets: Secret(octets),
            publicKey: kind == .ed25519 ? Ed25519.publicKey(of: octets) : nil
        )
    }

    /// What the receiver needs to check signatures: `whsec_` and the secret, or `whpk_` and the public key, in base64.
    package var receiversText: [UInt8] {
        if let publicKey { return Self.publicKeyText(publicKey) }
        return octets.withOctets { Array("whsec_".utf8) + Base64.encode($0) }
    }

    package static func publicKeyText(_ key: [UInt8]) -> [UInt8] { Array("whpk_".utf8) + Base64.encode(key) }
}

/// Signs as Standard Webhooks 1.0 asks: over `id.timestamp.body`, with every secret that is good just then.
package struct WebhookSigner: Sendable {
    private struct Key: Sendable {
        let kind: WebhookSignatures
        let octets: Secret
        let expires: Timestamp?
    }

    private let keys: [Key]

    /// - Parameter secrets: newest first.
    package init(_ secrets: [(kind: WebhookSignatures, octets: Secret, expires: Timestamp?)]) {
        keys = secrets.map { Key(kind: $0.kind, octets: $0.octets, expires: $0.expires) }
    }

    /// The value of `webhook-signature`: a signature of each kind wanted by each of its secrets, with spaces between them.
    ///
    /// - Parameter timestamp: as `webhook-timestamp` has it, to the second.
    package func signature(
        id: [UInt8],
        timestamp: Timestamp,
        body: [UInt8],
        kinds: WebhookSignatures
    ) -> [UInt8] {
        let message = id + [ASCII.dot] + Array("\(timestamp.seconds)".utf8) + [ASCII.dot] + body
        let signatures = keys.compactMap { key -> [UInt8]? in
            guard kinds.contains(key.kind), key.expires.map({ $0 > timestamp }) ?? true else { return nil }
            return key.octets.withOctets { octets in
                key.kind == .ed25519
                    ? Array("v1a,".utf8) + Base64.encode(Ed25519.signature(of: message, seed: octets))
                    : Array("v1,".utf8) + Base64.encode(HMACSHA256.code(of: message, key: octets))
            }
        }
        return Array(signatures.joined(separator: [ASCII.space]))
    }
}

/// How a webhook's secrets and header fields are kept.
package struct WebhookVault: Sendable {
    private let box: SecretBox

    package init(_ box: SecretBox) { self.box = box }

    package func seal(_ secret: WebhookSecret, of webhook: WebhookID) -> NewWebhookSecret {
        NewWebhookSecret(
            kind: secret.kind,
            sealed: secret.octets.withOctets { box.seal($0, at: Self.place(secret.kind, webhook)) },
            publicKey: secret.publicKey
        )
    }

    package func signer(_ secrets: [WebhookSecretRow], of webhook: WebhookID) throws -> WebhookSigner {
        WebhookSigner(
            try secrets.map { row in
                (row.kind, try box.open(row.sealed, at: Self.place(row.kind, webhook)), row.expires)
            }
        )
    }

    package func seal(_ headers: [WebhookHeader], of webhook: WebhookID) -> [UInt8]? {
        guard !headers.isEmpty else { return nil }
        let lines = headers.flatMap { Array($0.name.utf8) + [ASCII.colon] + $0.value + [ASCII.lf] }
        return box.seal(lines, at: SecretBox.Place("webhooks.headers", row: webhook.octets))
    }

    package func headers(_ sealed: [UInt8]?, of webhook: WebhookID) throws -> [WebhookHeader] {
        guard let sealed else { return [] }
        let lines = try box.open(sealed, at: SecretBox.Place("webhooks.headers", row: webhook.octets))
        return lines.withOctets { octets in
            octets.split(separator: ASCII.lf).compactMap { line in
                guard let colon = line.firstIndex(of: ASCII.colon) else { return nil }
                let name = Array(line[..<colon])
                return WebhookHeader(name: name.span.repairedUTF8String(), value: Array(line[(colon + 1)...]))
            }
        }
    }

    private static func place(_ kind: WebhookSignatures, _ webhook: WebhookID) -> SecretBox.Place {
        SecretBox.Place("webhook_secrets.sealed", row: webhook.octets + [kind.rawValue])
    }
}
