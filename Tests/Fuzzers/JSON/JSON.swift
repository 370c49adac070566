// SPDX-License-Identifier: Apache-2.0

import JSON
import Wire

/// Reads the input whole and cut in two: both give the same value or the same error, and a value is written so that it reads back as
/// itself.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
    let whole = parse(input, cutAt: input.count)
    let cut = parse(input, cutAt: Int(input.first ?? 0) % (input.count + 1))
    precondition(whole == cut)
    if case .success(let value) = whole {
        var writer = JSONWriter()
        writer.value(value)
        let written = writer.finish().array()
        precondition(parse(written, cutAt: 0) == .success(value))
    }
    var writer = JSONWriter()
    writer.string(input)
    let repaired = [UInt8](String(decoding: input, as: UTF8.self).utf8)
    var limits = JSONLimits()
    limits.octets = 1 << 24
    let escaped = writer.finish().array()
    precondition((try? JSONValue(parsing: escaped.span, limits: limits)) == .string(repaired))
    return 0
}

private func parse(_ text: [UInt8], cutAt cut: Int) -> Result<JSONValue, JSONError> {
    var parser = JSONDocumentParser()
    do throws(JSONError) {
        try parser.consume(text.span.extracting(0..<cut))
        try parser.consume(text.span.extracting(cut..<text.count))
        return .success(try parser.finish())
    } catch {
        return .failure(error)
    }
}
