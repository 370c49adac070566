// SPDX-License-Identifier: Apache-2.0

/// A character set that mail may be written in: one of a closed table, found by the labels that mail gives it.
///
/// Labels are read as browsers read them (WHATWG Encoding Standard §4.2) where that is what writers mean: `iso-8859-1` and
/// `us-ascii` are windows-1252, `gb2312` is GB 18030, `shift_jis` is windows-31j. Beyond that table a few old sets of mail
/// are known under exactly their own names. Nothing is ever guessed to be UTF-7 or ISO-2022: those need their label.
package struct Charset: Hashable, Sendable, CustomStringConvertible {
    /// How its octets are read.
    enum Method: Sendable {
        case utf8
        /// UTF-8 if the first octets beyond ASCII are that, else windows-1252: for text that does not say, or lies.
        case guess
        case table([UInt16])
        /// ICU's name of a converter.
        case converter(String)
    }

    /// The place in the table.
    let index: Int

    private init(index: Int) { self.index = index }

    /// The set that a label names; nil for a label not in the table.
    ///
    /// ASCII case, blanks around and quotes do not matter.
    package init?(label: some Collection<UInt8>) {
        guard label.count <= 64 else { return nil }
        let folded = label.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
        let ignored: Set<UInt8> = [0x20, 0x09, 0x22, 0x27]
        let start = folded.firstIndex { !ignored.contains($0) } ?? folded.endIndex
        let end = folded.lastIndex { !ignored.contains($0) }.map { $0 + 1 } ?? start
        guard let index = Self.byLabel[Array(folded[start..<end])] else { return nil }
        self.index = index
    }

    package init?(_ label: String) {
        if label == "utf-8" { self = .utf8 } else { self.init(label: Array(label.utf8)) }
    }

    package static let utf8 = Charset(index: 0)
    /// For text without a label or with an unknown one: UTF-8 if the first octets beyond ASCII are that, else windows-1252.
    package static let unlabelled = Charset(index: 1)
    package static let windows1252 = Charset(index: 2)

    /// The name to show, lower case; itself a label, except for ``unlabelled``.
    package var name: String { CharsetTable.rows[index].name }
    package var description: String { name }
    var method: Method { CharsetTable.rows[index].method }

    private static let byLabel: [[UInt8]: Int] = {
        var map: [[UInt8]: Int] = [:]
        for (index, row) in CharsetTable.rows.enumerated() {
            for label in row.labels { map[Array(label.utf8)] = index }
        }
        return map
    }()
}
