// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct ByteBufferTests {
    @Test func appendsAndConsumesAcrossGrowth() {
        var buffer = ByteBuffer()
        var model: [UInt8] = []
        for round in 0..<5000 {
            let chunk = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: round % 97)
            buffer.append(chunk)
            model += chunk
            let drop = min(model.count, round % 89)
            buffer.consume(drop)
            model.removeFirst(drop)
        }
        #expect(buffer.array() == model)
        #expect(buffer.bytes.array() == model)
    }

    @Test(arguments: [0, 7, -7, 1_234_567_890, Int.max, Int.min])
    func decimal(_ value: Int) {
        var buffer = ByteBuffer()
        buffer.append(decimal: value)
        buffer.append(ASCII.space)
        buffer.append(decimal: UInt64(value.magnitude))
        buffer.append(ASCII.space)
        buffer.append(decimal: Int32(truncatingIfNeeded: value))
        let expected = "\(value) \(value.magnitude) \(Int32(truncatingIfNeeded: value))"
        #expect(buffer.array() == Array(expected.utf8))
    }

    @Test func base64RoundTripsAndIsStrict() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8($0 * 37 & 255) }
            #expect(Base64.decode(Base64.encode(bytes).span) == bytes)
        }
        for bad in ["A", "AA", "AAA", "AA=A", "AB==", "AAB=", "A A=", "====", "AAAA=", "AA\r\n"] {
            #expect(Base64.decode(Array(bad.utf8).span) == nil, "\(bad)")
            #expect(decodeByByte(Array(bad.utf8)) == nil, "\(bad)")
        }
    }

    @Test func base64InPiecesIsBase64AsAWhole() {
        for count in 0..<70 {
            let text = Base64.encode((0..<count).map { UInt8($0 * 91 & 255) })
            #expect(decodeByByte(text) == Base64.decode(text.span))
        }
    }

    private func decodeByByte(_ text: [UInt8]) -> [UInt8]? {
        var decoder = Base64Decoder()
        var buffer = ByteBuffer()
        for byte in text { _ = decoder.decode([byte].span, into: &buffer) }
        return decoder.finish(into: &buffer) ? buffer.array() : nil
    }
}
