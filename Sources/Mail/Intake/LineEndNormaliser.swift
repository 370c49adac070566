// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Turns bare LF and bare CR into CRLF, in pieces as they come: mail is stored with CRLF only.
package struct LineEndNormaliser: Sendable {
    /// Whether the last octet was a CR whose LF may still come.
    private var endsWithCR = false
    /// Whether anything was changed.
    package private(set) var changed = false

    package init() {}

    package mutating func normalise(_ input: Span<UInt8>, into output: inout ByteBuffer) {
        var start = 0
        var index = 0
        while index < input.count {
            let byte = input[index]
            if endsWithCR {
                endsWithCR = false
                if byte == ASCII.lf {
                    output.append(ASCII.lf)
                    index += 1
                    start = index
                    continue
                }
                changed = true
                output.append(ASCII.lf)
            }
            if byte == ASCII.cr {
                output.append(input.extracting(start..<index + 1))
                start = index + 1
                endsWithCR = true
            } else if byte == ASCII.lf {
                output.append(input.extracting(start..<index))
                output.appendLineEnd()
                start = index + 1
                changed = true
            }
            index += 1
        }
        output.append(input.extracting(min(start, input.count)..<input.count))
    }

    package mutating func finish(into output: inout ByteBuffer) {
        guard endsWithCR else { return }
        endsWithCR = false
        changed = true
        output.append(ASCII.lf)
    }
}
