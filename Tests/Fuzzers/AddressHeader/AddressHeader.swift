// SPDX-License-Identifier: Apache-2.0

import MIME
import Wire

/// Any octets can stand behind `From:`, `Content-Type:`, `Date:` or `References:`.
@_cdecl("LLVMFuzzerTestOneInput") func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: data == nil ? 0 : size))
    let parsed = AddressParser.parse(octets[...])
    precondition(parsed.addresses.count <= 1_000)
    for address in parsed.addresses { precondition(!address.address.utf8.contains { ASCII.isControl($0) }) }
    precondition(ParameterParser(octets[...]).parameters.count <= 100)
    _ = DateParser.parse(octets[...])
    for id in MessageIDParser.parse(octets[...]) { precondition(id.hasPrefix("<") && id.hasSuffix(">")) }
    return 0
}
