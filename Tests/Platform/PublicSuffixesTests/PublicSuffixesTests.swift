// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import PublicSuffixes

@Suite struct PublicSuffixesTests {
    @Test(
        arguments: [
            ("example.com", "example.com"), ("mx1.mail.example.com", "example.com"),
            ("aspmx.l.google.com", "google.com"), ("mx.example.co.uk", "example.co.uk"), ("co.uk", nil), ("com", nil),
            ("", nil), ("mx.example.nowhere", "example.nowhere"), ("MX.example.com", nil), ("a b.example.com", nil),
        ] as [(String, String?)]
    )
    func whatSomebodyRegistered(_ name: String, _ expected: String?) {
        #expect(PublicSuffixes.registrableDomain(of: name) == expected)
    }
}
