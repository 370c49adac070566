// SPDX-License-Identifier: Apache-2.0

/// Where Postern may connect to: asked with the very address that a socket is about to be connected to, for every
/// connection that goes out.
///
/// The Internet is allowed, at the ports of the purpose. This machine, private networks and everything else that a stranger
/// must not reach through us is not, unless the operator names it; a cloud's metadata service never is.
package struct EgressPolicy: Sendable, Equatable {
    /// What a connection is for.
    package enum Purpose: CaseIterable, Sendable {
        /// HTTP requests that users ask for: webhooks.
        case web
        /// Other people's mail servers: submission, IMAP, POP3.
        case mail
    }

    /// Networks allowed besides the Internet.
    package var allowed: [IPNetwork] = []
    /// Networks denied, even if they are in ``allowed``.
    package var denied: [IPNetwork] = []
    /// Ports a purpose may use; one without an entry may use every port.
    package var ports: [Purpose: [ClosedRange<UInt16>]] = [.web: Self.webPorts, .mail: Self.mailPorts]

    /// HTTP's own ports, and the two that stand in for them where those cannot be had.
    package static let webPorts: [ClosedRange<UInt16>] = [80...80, 443...443, 8080...8080, 8443...8443]

    /// SMTP, submission, POP3 and IMAP, with TLS from the start and without.
    package static let mailPorts: [ClosedRange<UInt16>] = [
        25...25, 110...110, 143...143, 465...465, 587...587, 993...993, 995...995,
    ]

    package init() {}

    /// Why a connection to this address and port is not made; nil when it may be.
    package func refusal(to address: IPAddress, port: UInt16, for purpose: Purpose) -> EgressRefusal? {
        let inner = SpecialAddresses.inner(of: address)
        let all = [address] + inner
        if all.contains(where: { contains(SpecialAddresses.metadata, $0) }) { return .metadata }
        if all.contains(where: { contains(denied, $0) }) { return .denied }
        if let ports = ports[purpose], !ports.contains(where: { $0.contains(port) }) { return .port }
        if contains(allowed, address) { return nil }
        if let refusal = inner.lazy.compactMap({ contains(allowed, $0) ? nil : SpecialAddresses.reason($0) }).first {
            return refusal
        }
        return SpecialAddresses.isOnlyWrapping(address) ? nil : SpecialAddresses.reason(address)
    }

    private func contains(_ networks: [IPNetwork], _ address: IPAddress) -> Bool {
        networks.contains { $0.contains(address) }
    }
}

extension EgressPolicy {
    /// Reads `443`, `8000-8999`, or `any`; nil for anything else.
    package static func ports(_ text: some Collection<UInt8>) -> ClosedRange<UInt16>? {
        if text.elementsEqual("any".utf8) { return 1...65_535 }
        let parts = Array(text).split(separator: 0x2D, maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first.flatMap(port), let last = parts.last.flatMap(port), first <= last else {
            return nil
        }
        return first...last
    }

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard (1...5).contains(digits.count), digits.first != 0x30 else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard digit &- 0x30 < 10 else { return nil }
            value = value * 10 + UInt32(digit &- 0x30)
        }
        return UInt16(exactly: value)
    }
}
