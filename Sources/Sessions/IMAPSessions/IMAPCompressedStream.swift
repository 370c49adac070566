// SPDX-License-Identifier: Apache-2.0

import Compression
import Wire

/// Both directions of a connection behind COMPRESS (RFC 4978).
final class IMAPCompressedStream {
    private var deflate: DeflateStream
    private var inflate: InflateStream
    /// Received, and not decompressed yet.
    private var received: ByteBuffer
    /// The last time there was not room enough for all that could come.
    private var hasMore = false

    private static let pieceOctets = 32 * 1024

    /// What is in `input` is the beginning of the compressed stream.
    init?(_ input: inout ByteBuffer) {
        guard let deflate = DeflateStream(), let inflate = InflateStream() else { return nil }
        self.deflate = deflate
        self.inflate = inflate
        received = ByteBuffer()
        received.append(input.bytes)
        input.removeAll(keepingCapacity: false)
    }

    func received(_ octets: borrowing ByteBuffer) { received.append(octets.bytes) }

    /// A piece of what was received is added to `input`; false where there is none.
    func decompress(into input: inout ByteBuffer) throws(BadDeflateStream) -> Bool {
        guard !received.isEmpty || hasMore else { return false }
        var used = 0
        let filled = try received.withUnsafeBytes { octets throws(BadDeflateStream) in
            try input.fill(atLeast: Self.pieceOctets) { memory throws(BadDeflateStream) in
                let room = UnsafeMutableRawBufferPointer(rebasing: memory[..<Self.pieceOctets])
                let result = try inflate.decompress(octets, into: room)
                used = result.used
                return result.filled
            }
        }
        received.consume(used)
        if received.isEmpty { received.removeAll(keepingCapacity: false) }
        hasMore = filled == Self.pieceOctets
        return filled > 0
    }

    /// What is to be sent becomes what is sent.
    func compress(_ output: inout ByteBuffer) {
        var compressed = ByteBuffer()
        output.withUnsafeBytes { octets in
            deflate.compress(octets) { compressed.append($0) }
        }
        output = compressed
    }
}
