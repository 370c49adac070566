// SPDX-License-Identifier: Apache-2.0

import IMAP
import Wire

/// The first octet chooses the limits and the size of pieces; the rest is what a client sends.
///
/// What must hold: the reader ends its turn and holds no more than it may, and what it gives is parsed.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    var limits = IMAPCommandReader.Limits()
    if bytes[0] & 1 == 0 {
        limits.lineOctets = 200
        limits.literalOctets = 50
        limits.commandOctets = 300
    }
    let piece = [1, 3, 17, 1 << 20][Int(bytes[0] >> 1 & 3)]
    var reader = IMAPCommandReader(limits)
    var input = ByteBuffer()
    var messageLeft: UInt64 = 0
    var start = 1
    while start < bytes.count {
        input.append(Array(bytes[start..<min(start + piece, bytes.count)]))
        start += piece
        var steps = 0
        while true {
            steps += 1
            precondition(steps < 10_000 + bytes.count, "the reader does not end its turn")
            let count = Int(min(messageLeft, UInt64(input.count)))
            input.consume(count)
            messageLeft -= UInt64(count)
            if messageLeft > 0 { break }
            let next = reader.next(&input)
            if case .incomplete = next { break }
            switch next {
            case .incomplete, .continuation, .appendEnds, .refused, .command: break
            case .failed: return 0
            case .message(_, let append, _): messageLeft = append.octets
            }
        }
    }
    return 0
}
