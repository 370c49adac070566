// SPDX-License-Identifier: Apache-2.0

package import Sockets
package import Wire

/// Buffers that a loop's connections share: taken when something is there to be read or written, given back when it is done,
/// so that an idle connection holds none and a busy one allocates none.
final class BufferPool {
    private static let buffersKept = 64
    /// Smaller buffers are not worth keeping, larger ones not worth holding.
    private static let keptCapacities = 4096...262_144
    static let freshCapacity = 16_384

    private var buffers = InlineArray<64, ByteBuffer> { _ in ByteBuffer() }
    private var count = 0

    func take() -> ByteBuffer {
        guard count > 0 else { return ByteBuffer(capacity: Self.freshCapacity) }
        count -= 1
        var buffer = ByteBuffer()
        swap(&buffer, &buffers[count])
        return buffer
    }

    func give(_ buffer: consuming ByteBuffer) {
        guard count < Self.buffersKept, Self.keptCapacities.contains(buffer.capacity) else { return }
        buffer.removeAll()
        swap(&buffer, &buffers[count])
        count += 1
    }
}

extension EventLoop {
    private static let bufferPools = LoopLocal { _ in BufferPool() }

    /// An empty buffer with room for at least 4 KiB, from this loop's pool.
    ///
    /// On the loop's thread.
    package func takeBuffer() -> ByteBuffer { Self.bufferPools[self].take() }

    /// Gives a buffer, wherever it came from, to this loop's pool; what it holds is forgotten.
    ///
    /// On the loop's thread.
    package func giveBuffer(_ buffer: consuming ByteBuffer) { Self.bufferPools[self].give(buffer) }
}
