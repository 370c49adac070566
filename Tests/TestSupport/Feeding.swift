// SPDX-License-Identifier: Apache-2.0

/// In what pieces octets arrive.
package enum Feeding: String, CaseIterable, Sendable {
    case whole, byLine, byOctet

    package func pieces(_ octets: [UInt8]) -> [[UInt8]] {
        switch self {
        case .whole: [octets]
        case .byOctet: octets.map { [$0] }
        case .byLine:
            octets.split(separator: 10, omittingEmptySubsequences: false).enumerated().map { index, line in
                index == 0 ? Array(line) : [10] + Array(line)
            }
        }
    }
}
