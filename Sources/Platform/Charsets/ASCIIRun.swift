// SPDX-License-Identifier: Apache-2.0

/// Runs of ASCII, which nearly all text is made of, eight octets at a time.
enum ASCIIRun {
    /// Appends the octets below 0x80 that `input` has from `start` on; returns the offset of the first other, or of the end.
    static func copy(_ input: Span<UInt8>, from start: Int, to output: inout [UInt8]) -> Int {
        let end = end(in: input, from: start)
        if end > start {
            input.extracting(start..<end).withUnsafeBufferPointer { output.append(contentsOf: $0) }
        }
        return end
    }

    private static func end(in input: Span<UInt8>, from start: Int) -> Int {
        input.withUnsafeBytes { octets in
            var index = start
            while index &+ 8 <= octets.count {
                let word = UInt64(littleEndian: octets.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let high = word & 0x8080_8080_8080_8080
                if high != 0 { return index &+ high.trailingZeroBitCount / 8 }
                index &+= 8
            }
            while index < octets.count, octets[index] < 0x80 { index &+= 1 }
            return index
        }
    }
}
