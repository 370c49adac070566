// SPDX-License-Identifier: Apache-2.0

/// `status-code` of RFC 3463 §2: class "." subject "." detail.
public struct EnhancedStatusCode: Hashable, Sendable, CustomStringConvertible {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    public let statusClass: UInt8
    /// 0…999.
    public let subject: UInt16
    /// 0…999.
    public let detail: UInt16

    public init(_ statusClass: UInt8, _ subject: UInt16, _ detail: UInt16) {
        self.statusClass = statusClass
        self.subject = subject
        self.detail = detail
    }

    public var description: String { "\(statusClass).\(subject).\(detail)" }
}
