// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Crypto

/// The octets that hexadecimal digits stand for.
private func octets(_ digits: String) -> [UInt8] {
    let values = digits.compactMap { $0.hexDigitValue.map { UInt8($0) } }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
}

@Suite struct SHA256Tests {
    /// FIPS 180-2, appendix B, and the empty message.
    static let vectors: [([UInt8], String)] = [
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            [UInt8](repeating: 0x61, count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test(arguments: vectors) func digestsAtOnce(_ message: [UInt8], _ expected: String) {
        #expect(Digest.sha256(message) == octets(expected))
        #expect(Digest.sha256(message.span) == octets(expected))
    }

    @Test(arguments: vectors, [63, 64, 65, 4096]) func digestsPieceByPiece(_ vector: ([UInt8], String), _ size: Int) {
        var digest = SHA256()
        var rest = vector.0[...]
        while !rest.isEmpty {
            digest.update(Array(rest.prefix(size)).span)
            rest = rest.dropFirst(size)
        }
        #expect(digest.finalize() == octets(vector.1))
    }
}

@Suite struct HMACSHA256Tests {
    /// RFC 4231 §4.2 to §4.7 (without the truncated one), and an empty key and message.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), [UInt8](repeating: 0xCD, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        ([], [], "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
    func authenticates(_ key: [UInt8], _ message: [UInt8], _ expected: String) {
        #expect(HMACSHA256.code(of: message, key: key) == octets(expected))
    }
}

@Suite struct PBKDF2Tests {
    /// RFC 7914 §11 has 64 octets of each; these are the first 32.
    @Test(arguments: [
        ("passwd", "salt", UInt32(1), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
        ("Password", "NaCl", 80_000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"),
    ])
    func derives(_ password: String, _ salt: String, _ rounds: UInt32, _ expected: String) {
        #expect(
            PBKDF2.sha256(password: Array(password.utf8), salt: Array(salt.utf8), rounds: rounds) == octets(expected)
        )
    }
}

@Suite struct AESGCMTests {
    struct Vector: Sendable {
        var key: String, nonce: String, plaintext: String, data: String, sealed: String
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16: ciphertext, then tag.
    static let vectors = [
        Vector(
            key: String(repeating: "0", count: 64),
            nonce: String(repeating: "0", count: 24),
            plaintext: "",
            data: "",
            sealed: "530f8afbc74536b9a963b4f1c4cb738b"
        ),
        Vector(
            key: String(repeating: "0", count: 64),
            nonce: String(repeating: "0", count: 24),
            plaintext: String(repeating: "0", count: 32),
            data: "",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
        ),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            plaintext: """
                d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255
                """,
            data: "",
            sealed: """
                522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad\
                b094dac5d93471bdec1a502270e3cc6c
                """
        ),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            plaintext: """
                d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39
                """,
            data: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            sealed: """
                522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                76fc6ece0f4e1768cddf8853bb2d551b
                """
        ),
    ]

    @Test(arguments: vectors) func sealsAndOpens(_ vector: Vector) throws {
        let (key, nonce, data) = (octets(vector.key), octets(vector.nonce), octets(vector.data))
        let plaintext = octets(vector.plaintext)
        let sealed = AESGCM.seal(plaintext.span, key: key, nonce: nonce, authenticating: data.span)
        #expect(sealed == octets(vector.sealed))
        #expect(try AESGCM.open(sealed.span, key: key, nonce: nonce, authenticating: data.span) == plaintext)
    }

    @Test func anyChangedBitIsNoticed() {
        let vector = Self.vectors[3]
        let (key, nonce, data) = (octets(vector.key), octets(vector.nonce), octets(vector.data))
        let sealed = octets(vector.sealed)
        func opens(_ sealed: [UInt8], _ key: [UInt8], _ nonce: [UInt8], _ data: [UInt8]) -> Bool {
            (try? AESGCM.open(sealed.span, key: key, nonce: nonce, authenticating: data.span)) != nil
        }
        func changes(_ original: [UInt8]) -> [[UInt8]] {
            original.indices.flatMap { index in
                (0..<8).map { bit in
                    var changed = original
                    changed[index] ^= 1 << bit
                    return changed
                }
            }
        }
        #expect(opens(sealed, key, nonce, data))
        #expect(!changes(sealed).contains { opens($0, key, nonce, data) })
        #expect(!changes(key).contains { opens(sealed, $0, nonce, data) })
        #expect(!changes(nonce).contains { opens(sealed, key, $0, data) })
        #expect(!changes(data).contains { opens(sealed, key, nonce, $0) })
        #expect(!(0..<sealed.count).contains { opens(Array(sealed.prefix($0)), key, nonce, data) })
    }
}

@Suite struct ConstantTimeTests {
    @Test(
        arguments: [
            ([], [], true), ([1], [], false), ([1, 2, 3], [1, 2, 3], true), ([1, 2, 3], [1, 2, 4], false),
            ([0, 2, 3], [1, 2, 3], false), ([1, 2], [1, 2, 3], false),
        ] as [([UInt8], [UInt8], Bool)]
    )
    func equals(_ a: [UInt8], _ b: [UInt8], _ expected: Bool) {
        #expect(ConstantTime.equals(a, b) == expected)
    }

    @Test func randomOctetsDiffer() {
        #expect(Set((0..<100).map { _ in RandomOctets.make(16) }).count == 100)
        #expect(RandomOctets.make(0).isEmpty)
        #expect(RandomOctets.make(1000).count == 1000)
    }
}
