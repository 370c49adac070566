// SPDX-License-Identifier: Apache-2.0

import Accounts
import Crypto
import MailTypes
import Storage
import Testing
import Wire

@testable import Webhooks

@Suite struct WebhookSignerTests {
    private let time = Timestamp(seconds: 1_614_265_330)

    /// The example of the Standard Webhooks documentation.
    @Test func signsAsTheSpecificationsExample() throws {
        let text = Array("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8)
        let decoded = Base64.decode(text.span)
        let key = try #require(decoded)
        let signer = WebhookSigner([(.hmac, Secret(key), nil)])
        let signature = signer.signature(
            id: Array("msg_p5jXN8AQM9LWM0D4loKWxJek".utf8),
            timestamp: time,
            body: Array(#"{"test": 2432232314}"#.utf8),
            kinds: .hmac
        )
        #expect(String(decoding: signature, as: UTF8.self) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test func ed25519SignsTheSameOctets() throws {
        let secret = WebhookSecret.random(.ed25519)
        let signer = WebhookSigner([(.ed25519, secret.octets, nil)])
        let signature = signer.signature(id: [0x61], timestamp: time, body: [0x62], kinds: [.hmac, .ed25519])
        #expect(signature.starts(with: "v1a,".utf8))
        let text = Array(signature.dropFirst(4))
        let decoded = Base64.decode(text.span)
        let octets = try #require(decoded)
        let key = try #require(secret.publicKey)
        #expect(Ed25519.isValid(octets, of: Array("a.1614265330.b".utf8), publicKey: key))
        #expect(secret.receiversText == Array("whpk_".utf8) + Base64.encode(key))
    }

    @Test func whileTheyChangeOverBothSecretsSign() {
        let (new, old) = (WebhookSecret.random(.hmac), WebhookSecret.random(.hmac))
        let signer = WebhookSigner([(.hmac, new.octets, nil), (.hmac, old.octets, Timestamp(seconds: 1_614_265_331))])
        func count(_ time: Timestamp) -> Int {
            signer.signature(id: [1], timestamp: time, body: [], kinds: .hmac).split(separator: ASCII.space).count
        }
        #expect(count(time) == 2)
        #expect(count(Timestamp(seconds: 1_614_265_331)) == 1)
    }

    @Test func aVaultGivesBackWhatItTookForThisWebhookAlone() throws {
        let vault = WebhookVault(SecretBox(key: Secret(RandomOctets.make(32))))
        let (id, other) = (WebhookID.random(), WebhookID.random())
        let header = try WebhookHeader(checking: Array("Authorization".utf8), Array("Bearer x: y".utf8))
        let sealed = try #require(vault.seal([header], of: id))
        #expect(try vault.headers(sealed, of: id) == [header])
        #expect(throws: SecretBox.Failure.forged) { try vault.headers(sealed, of: other) }
        #expect(vault.seal([], of: id) == nil)
    }
}
