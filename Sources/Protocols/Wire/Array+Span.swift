// SPDX-License-Identifier: Apache-2.0

extension [UInt8] {
    /// The octets of a borrowed view, added at the end with one copy.
    @inlinable public mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}
