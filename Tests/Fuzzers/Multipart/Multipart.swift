// SPDX-License-Identifier: Apache-2.0

import HTTP
import Wire

/// The same form, whole and in pieces, must give the same parts, and never more octets than came.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = [UInt8](UnsafeBufferPointer(start: data, count: size))
    precondition(parse(octets, step: max(size, 1)) == parse(octets, step: 1 + size % 5))
    return 0
}

private func parse(_ octets: [UInt8], step: Int) -> [[UInt8]]? {
    var parser = MultipartParser(boundary: "X-".utf8)
    var input = ByteBuffer()
    var body = ByteBuffer()
    var parts: [[UInt8]] = []
    var count = 0
    do {
        while true {
            switch try parser.next(&input, body: &body) {
            case .part(let part): parts.append(Array(part.name.utf8) + Array((part.filename ?? "-").utf8))
            case .body: precondition(body.count <= count)
            case .partEnd:
                parts.append(body.array())
                body.removeAll()
            case .end: break
            case .needsInput:
                precondition(input.isEmpty)
                guard count < octets.count else {
                    try parser.finish()
                    return parts
                }
                let end = min(count + step, octets.count)
                input.append(octets[count..<end])
                count = end
            }
        }
    } catch {
        return nil
    }
}
