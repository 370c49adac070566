// SPDX-License-Identifier: Apache-2.0

import MIME
import Wire

/// Any octets are a message: parts lie inside each other, in whatever pieces it came, and the layout survives its coding.
@_cdecl("LLVMFuzzerTestOneInput") func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: data == nil ? 0 : size))
    let message = MIMEParser.parse(octets)
    for part in message.parts {
        precondition(part.headerRange.upperBound <= part.bodyRange.lowerBound)
        let around = part.container.map { message.parts[$0].decodedSize } ?? Int64(octets.count)
        precondition(part.bodyRange.upperBound <= around)
        precondition(!part.safeFilename.isEmpty && part.safeFilename.utf8.count <= SafeFilename.maximumOctets)
        let body = message.body(of: part, in: octets)
        let content = BodyDecoder.decode(body.span, part.transferEncoding)
        if part.isLeaf || !part.transferEncoding.isIdentity { precondition(content.count == Int(part.decodedSize)) }
    }
    let layout = message.layout()
    let encoded = layout.encoded()
    precondition(MIMELayout(encoded: encoded.span) == layout)
    var parser = MIMEParser()
    var start = 0
    var step = 1
    while start < octets.count {
        let end = min(start + step, octets.count)
        parser.consume(octets.span.extracting(start..<end))
        start = end
        step = step % 7 + 1
    }
    let pieces = parser.finish()
    precondition(pieces.layout() == layout)
    precondition(pieces.defects == message.defects)
    return 0
}
