// SPDX-License-Identifier: Apache-2.0

import MIME
import Wire

/// Any header value becomes text without controls, of a length bounded by its own.
@_cdecl("LLVMFuzzerTestOneInput") func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: data == nil ? 0 : size))
    let text = HeaderText.decode(octets)
    precondition(text.utf8.count <= octets.count * 4 + 16)
    precondition(!text.utf8.contains { ASCII.isControl($0) })
    return 0
}
