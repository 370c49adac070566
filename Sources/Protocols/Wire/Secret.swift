// SPDX-License-Identifier: Apache-2.0

/// Octets nobody may see: a password, a token.
///
/// It has no text form: printed, logged or reflected it is `‹redacted›`. The octets are overwritten when the last
/// holder lets go.
public final class Secret: Sendable {
    private let storage: Storage

    /// Takes the octets; the caller's own copy, if one remains, is the caller's to forget.
    public init(_ octets: consuming [UInt8]) { storage = Storage(octets) }

    public var count: Int { storage.octets.count }

    /// Lends the octets; what `body` copies out of them is no longer guarded.
    public func withOctets<R, E: Error>(_ body: ([UInt8]) throws(E) -> R) throws(E) -> R { try body(storage.octets) }

    private final class Storage: @unchecked Sendable {
        // Sound: written only here in init and when nobody can see it any more.
        var octets: [UInt8]
        init(_ octets: consuming [UInt8]) { self.octets = octets }
        deinit { for index in octets.indices { octets[index] = 0 } }
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "‹redacted›" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
