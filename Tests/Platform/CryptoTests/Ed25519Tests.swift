// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Crypto

@Suite struct Ed25519Tests {
    struct Vector: Sendable {
        let seed: String
        let publicKey: String
        let message: String
        let signature: String
    }

    /// RFC 8032 §7.1: tests 1, 2 and 3.
    static let vectors = [
        Vector(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            message: "",
            signature:
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                + "d25bf5f0595bbe24655141438e7a100b"
        ),
        Vector(
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            message: "72",
            signature:
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                + "387b2eaeb4302aeeb00d291612bb0c00"
        ),
        Vector(
            seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            message: "af82",
            signature:
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                + "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    private func octets(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
        }
    }

    @Test(arguments: vectors) func signsAsTheRFCDoes(_ vector: Vector) {
        let (seed, message) = (octets(vector.seed), octets(vector.message))
        #expect(Ed25519.publicKey(of: seed) == octets(vector.publicKey))
        #expect(Ed25519.signature(of: message, seed: seed) == octets(vector.signature))
        #expect(
            Ed25519.isValid(octets(vector.signature), of: message, publicKey: octets(vector.publicKey))
        )
    }

    @Test func everyChangedOctetIsNoticed() {
        let seed = RandomOctets.make(32)
        let (key, message) = (Ed25519.publicKey(of: seed), Array("an event".utf8))
        let signature = Ed25519.signature(of: message, seed: seed)
        for index in signature.indices {
            var forged = signature
            forged[index] ^= 1
            #expect(!Ed25519.isValid(forged, of: message, publicKey: key))
        }
        #expect(!Ed25519.isValid(signature, of: message + [0], publicKey: key))
        #expect(!Ed25519.isValid(signature, of: message, publicKey: Ed25519.publicKey(of: RandomOctets.make(32))))
        #expect(!Ed25519.isValid([], of: message, publicKey: key))
        #expect(!Ed25519.isValid(signature, of: message, publicKey: []))
    }
}
