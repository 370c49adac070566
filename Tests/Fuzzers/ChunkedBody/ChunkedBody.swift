// SPDX-License-Identifier: Apache-2.0

import HTTP
import Wire

/// The same body, whole and in pieces, must decode to the same octets and end at the same place.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = [UInt8](UnsafeBufferPointer(start: data, count: size))
    precondition(decode(octets, step: max(size, 1)) == decode(octets, step: 1 + size % 5))
    return 0
}

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var trailers: [UInt8] = []
    /// Where it ended; -1: refused; -2: incomplete.
    var end = -2
}

private func decode(_ octets: [UInt8], step: Int) -> Decoded {
    var decoder = ChunkedDecoder()
    var decoded = Decoded()
    var offset = 0
    var count = 0
    do {
        while true {
            switch try decoder.next(octets.span.extracting(0..<count), &offset) {
            case .data(let range): decoded.body += octets[range]
            case .end:
                decoded.end = offset
                for index in 0..<decoder.trailers.count { decoded.trailers += decoder.trailers.value(at: index) }
                return decoded
            case .needsInput:
                guard count < octets.count else { return decoded }
                count = min(count + step, octets.count)
            }
        }
    } catch {
        decoded.end = -1
        return decoded
    }
}
