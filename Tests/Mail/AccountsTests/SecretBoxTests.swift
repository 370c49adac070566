// SPDX-License-Identifier: Apache-2.0

import Crypto
import Testing
import Wire

@testable import Accounts

@Suite struct SecretBoxTests {
    private let box = SecretBox(key: Secret([UInt8](repeating: 7, count: 32)))
    private let place = SecretBox.Place("webhooks.headers", row: [1, 2, 3])
    private let plaintext = Array("whsec".utf8)

    @Test func whatWasSealedComesOutWhereItBelongs() throws {
        let sealed = box.seal(plaintext, at: place)
        #expect(try box.open(sealed, at: place).withOctets { $0 } == plaintext)
        #expect(!sealed.contains(plaintext[...]))
    }

    @Test func theSameTwiceIsNotTheSame() {
        #expect(box.seal(plaintext, at: place) != box.seal(plaintext, at: place))
    }

    @Test func nothingOpensInAnotherRowOrField() {
        let sealed = box.seal(plaintext, at: place)
        #expect(throws: SecretBox.Failure.forged) {
            try box.open(sealed, at: SecretBox.Place("webhooks.headers", row: [1, 2, 4]))
        }
        #expect(throws: SecretBox.Failure.forged) {
            try box.open(sealed, at: SecretBox.Place("webhooks.header", row: [1, 2, 3]))
        }
    }

    @Test func everyChangedOctetIsNoticed() {
        let sealed = box.seal(plaintext, at: place)
        for index in sealed.indices {
            var forged = sealed
            forged[index] ^= 0x10
            #expect(throws: SecretBox.Failure.self) { try box.open(forged, at: place) }
        }
        for count in 0..<sealed.count {
            #expect(throws: SecretBox.Failure.self) { try box.open(Array(sealed.prefix(count)), at: place) }
        }
    }

    @Test func anotherKeySaysWhichOneItWas() {
        let other = SecretBox(key: Secret([UInt8](repeating: 8, count: 32)))
        #expect(other.keyID != box.keyID)
        #expect(throws: SecretBox.Failure.otherKey(box.keyID)) {
            try other.open(box.seal(plaintext, at: place), at: place)
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ other: ArraySlice<UInt8>) -> Bool {
        indices.contains { self[$0...].starts(with: other) }
    }
}
