// SPDX-License-Identifier: Apache-2.0

import TestSupport
package import Wire

extension ByteBuffer {
    /// Takes one line that was sent, without its CR LF; one that has none says so.
    package mutating func takeLine() -> String {
        guard let end = bytes.firstIndex(of: 10) else { return takeRest() + Dialogue.unended }
        let line = bytes.extracting(0..<end).repairedUTF8String()
        consume(end + 1)
        return line.utf8.last == 13 ? String(decoding: line.utf8.dropLast(), as: UTF8.self) : "\(line) (without CR)"
    }

    /// Takes all that was sent.
    package mutating func takeRest() -> String {
        defer { removeAll() }
        return bytes.repairedUTF8String()
    }
}
