// SPDX-License-Identifier: Apache-2.0

internal import CZlib

/// One direction of a stream that is compressed as RFC 1951 has it, without a header of zlib's or gzip's.
///
/// Its window is smaller than it could be: what a client says is short, and 32 KB for each connection are enough.
package struct DeflateStream: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>

    /// Nil where there is no memory.
    package init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard czlib_deflate_begin(stream, 12, 5) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Hands out what the octets become; all of them can be read from that (`Z_SYNC_FLUSH`).
    ///
    /// What `take` is given is valid only within it.
    package mutating func compress(_ octets: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) {
        guard !octets.isEmpty else { return }
        var rest = octets
        repeat {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: part.baseAddress?.assumingMemoryBound(to: UInt8.self)
            )
            stream.pointee.avail_in = UInt32(part.count)
            flush(take)
        } while !rest.isEmpty
        stream.pointee.next_in = nil
    }

    private func flush(_ take: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 16) { memory in
            repeat {
                stream.pointee.next_out = memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(memory.count)
                deflate(stream, Z_SYNC_FLUSH)
                let count = memory.count - Int(stream.pointee.avail_out)
                if count > 0 { take(UnsafeRawBufferPointer(rebasing: memory[..<count])) }
            } while stream.pointee.avail_out == 0
        }
    }
}

/// The stream is no RFC 1951, or ended though more came.
package struct BadDeflateStream: Error {}

/// The other direction.
package struct InflateStream: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>

    /// Nil where there is no memory.
    package init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard czlib_inflate_begin(stream) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Fills `memory` with what the octets stand for; says how many octets were used up, and how many came of them.
    ///
    /// Not all are used up where the memory is full: a few octets may stand for a thousand times as many. Nothing comes of
    /// too few.
    package mutating func decompress(
        _ octets: UnsafeRawBufferPointer,
        into memory: UnsafeMutableRawBufferPointer
    ) throws(BadDeflateStream) -> (used: Int, filled: Int) {
        let input = min(octets.count, 1 << 30)
        let room = min(memory.count, 1 << 30)
        guard room > 0 else { return (0, 0) }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: octets.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.pointee.avail_in = UInt32(input)
        stream.pointee.next_out = memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room)
        defer {
            stream.pointee.next_in = nil
            stream.pointee.next_out = nil
        }
        switch inflate(stream, Z_SYNC_FLUSH) {
        // Z_BUF_ERROR: nothing could be done without more input.
        case Z_OK, Z_BUF_ERROR: break
        default: throw BadDeflateStream()
        }
        return (input - Int(stream.pointee.avail_in), room - Int(stream.pointee.avail_out))
    }
}
