// SPDX-License-Identifier: Apache-2.0

import HTTP
import Wire

/// The same head, whole and in pieces, must give the same verdict; everything said of it must be readable.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = [UInt8](UnsafeBufferPointer(start: data, count: size))
    let whole = verdict(octets, step: max(size, 1))
    precondition(whole == verdict(octets, step: 1 + size % 7))
    return 0
}

private func verdict(_ octets: [UInt8], step: Int) -> [UInt8] {
    var parser = HTTPRequestParser()
    var count = 0
    while count < octets.count {
        count = min(count + step, octets.count)
        do {
            guard let length = try parser.parse(octets.span.extracting(0..<count)) else { continue }
            precondition(length <= count)
            return read(parser.head) + [UInt8(truncatingIfNeeded: length)]
        } catch {
            parser.abandon()
            _ = read(parser.head)
            return [UInt8(truncatingIfNeeded: error.status.code)]
        }
    }
    return []
}

private func read(_ head: borrowing HTTPRequestHead) -> [UInt8] {
    var text = Array(head.methodName) + head.target + head.path + (head.query ?? []) + head.host
    precondition(!head.path.contains(0))
    for index in 0..<head.fields.count {
        text += head.fields.name(at: index) + head.fields.value(at: index)
    }
    if let query = head.query, let parameters = try? QueryParameters(parsing: query.span) {
        for index in 0..<parameters.count { text += parameters.name(at: index) + parameters.value(at: index) }
    }
    let conditions = try? Preconditions(head.fields)
    _ = conditions?.evaluate(head.outline.method, tag: EntityTag("1".utf8), modified: Timestamp(seconds: 0))
    _ = ByteRange(head.fields, length: 10, tag: EntityTag("1".utf8))
    _ = AcceptNegotiation.choose(among: ["a/b", "text/html"], head.fields)
    _ = try? head.fields.contentType(among: ["text/html"]).boundary
    return text
}
