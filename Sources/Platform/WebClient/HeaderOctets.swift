// SPDX-License-Identifier: Apache-2.0

/// What a header section is made of; `Wire`, which knows too, is above us.
enum HeaderOctets {
    /// `tchar` of RFC 9110 §5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// A–Z become a–z; every other octet stays.
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    static func equal(_ name: some Sequence<UInt8>, _ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { name.lazy.map(lowercased).elementsEqual($0.lazy.map(lowercased)) }
    }
}
