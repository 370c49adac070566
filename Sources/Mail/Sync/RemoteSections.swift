// SPDX-License-Identifier: Apache-2.0

import IMAP
package import Intake
package import MIME
import MailTypes
import Runtime
package import Storage
package import Wire

/// Reads one message at its server, by sections: its parts, or the whole, and of these a piece at a time.
///
/// Each piece is a command of its own: a reader who is slow keeps no connection, one who goes away leaves at most one piece
/// behind that nobody wanted, and where a connection breaks the next one goes on at the same place. What the server sends is
/// held against what it said: ``SectionMismatch``.
package final class RemoteSections: SectionSource {
    /// Sections of so many octets are fetched at once; parts of that size are kept, within the bound of all that is.
    package static let smallOctets: Int64 = 256 << 10
    /// Larger ones begin with a piece that is soon there.
    private static let firstOctets: Int64 = 64 << 10
    private static let pieceOctets: Int64 = 512 << 10
    /// What is said to be larger is not read.
    static let mostOctets: UInt64 = 1 << 40

    private struct State {
        /// Sections whose length was seen to be what the server says.
        var checked: Set<[UInt32]> = []
        /// Octets that were fetched already, of one section, from its beginning on.
        var beginning: (section: [UInt32], octets: [UInt8])?
    }

    private let mailbox: RemoteMailbox
    private let message: MessageRow
    private let state = Lock(State())

    init(_ mailbox: RemoteMailbox, _ message: MessageRow) {
        self.mailbox = mailbox
        self.message = message
    }

    // MARK: Parts

    /// Sees that a part is as long as the server says, and has its beginning here.
    package func prepare(_ part: MIMELayout.Part) async throws {
        guard let section = Self.section(of: part) else { throw SectionMismatch() }
        try await prepare(section, octets: part.bodyRange.upperBound, path: part.path)
    }

    package func read(_ part: MIMELayout.Part, _ range: Range<Int64>, into buffer: inout ByteBuffer) async throws {
        guard let section = Self.section(of: part) else { throw SectionMismatch() }
        try await read(section, octets: part.bodyRange.upperBound, path: part.path, range, into: &buffer)
    }

    /// By which FETCH names the part; nil for a multipart, of which a server does not say how long it is.
    static func section(of part: MIMELayout.Part) -> [UInt32]? {
        guard !part.contentType.hasPrefix("multipart/") else { return nil }
        var section: [UInt32] = []
        for number in part.path.utf8.split(separator: ASCII.dot) {
            guard let value = StrictInteger.decimal(number, maximum: UInt64(UInt32.max)), value > 0 else { return nil }
            section.append(UInt32(value))
        }
        return section.isEmpty ? nil : section
    }

    // MARK: The whole

    /// As ``prepare(_:)``, for the message as a whole.
    package func prepareWhole() async throws { try await prepare([], octets: message.size, path: nil) }

    /// As ``read(_:_:into:)``, for the message as a whole.
    package func readWhole(_ range: Range<Int64>, into buffer: inout ByteBuffer) async throws {
        try await read([], octets: message.size, path: nil, range, into: &buffer)
    }

    // MARK: Pieces

    private func prepare(_ section: [UInt32], octets total: Int64, path: String?) async throws {
        guard !state.withLock({ $0.checked.contains(section) }) else { return }
        guard UInt64(clamping: total) <= Self.mostOctets else { throw SectionMismatch() }
        let beginning: [UInt8]
        if total <= Self.smallOctets {
            beginning = try await small(section, octets: total, path: path)
        } else {
            beginning = try await fetch(section, 0..<Self.firstOctets, lastOctet: total - 1)
        }
        state.withLock { state in
            state.checked.insert(section)
            state.beginning = (section, beginning)
        }
    }

    private func read(
        _ section: [UInt32],
        octets total: Int64,
        path: String?,
        _ range: Range<Int64>,
        into buffer: inout ByteBuffer
    ) async throws {
        try await prepare(section, octets: total, path: path)
        guard !range.isEmpty else { return }
        let isKnown = state.withLock { state in
            guard let beginning = state.beginning, beginning.section == section,
                range.lowerBound < beginning.octets.count
            else {
                // Of a large section it is not read again.
                if total > Self.smallOctets { state.beginning = nil }
                return false
            }
            let known = range.clamped(to: 0..<Int64(beginning.octets.count))
            buffer.append(beginning.octets[Int(known.lowerBound)..<Int(known.upperBound)])
            return true
        }
        guard !isKnown else { return }
        if total <= Self.smallOctets {
            let octets = try await small(section, octets: total, path: path)
            buffer.append(octets[Int(range.lowerBound)..<Int(range.upperBound)])
            return
        }
        let end = min(range.upperBound, range.lowerBound + Self.pieceOctets)
        buffer.append(try await fetch(section, range.lowerBound..<end, lastOctet: nil))
    }

    /// A section that is fetched at once; one octet more is asked for, which must not be there.
    private func small(_ section: [UInt32], octets total: Int64, path: String?) async throws -> [UInt8] {
        let (content, account, store) = (message.content, message.account, mailbox.parts.store)
        if let path, let kept = try await store.read({ try $0.mirror.part(path, of: content, in: account) }),
            kept.count == Int(total)
        {
            return kept
        }
        let octets = try await mailbox.pieces(of: message, section, [SectionPiece(0..<total + 1)])[0]
        guard let octets, octets.count == Int(total) else { throw SectionMismatch() }
        if let path {
            try await store.write { try $0.mirror.lend(part: path, octets, to: content, of: account) }
        }
        return octets
    }

    /// Exactly these octets of a large section; with them it is asked for its last octet, behind which there must be no other.
    private func fetch(_ section: [UInt32], _ range: Range<Int64>, lastOctet: Int64?) async throws -> [UInt8] {
        var wanted = [SectionPiece(range)]
        if let lastOctet { wanted.append(SectionPiece(lastOctet..<lastOctet + 2)) }
        let pieces = try await mailbox.pieces(of: message, section, wanted)
        guard let octets = pieces[0], octets.count == range.count, lastOctet == nil || pieces[1]?.count == 1 else {
            throw SectionMismatch()
        }
        return octets
    }
}

extension SectionPiece {
    fileprivate init(_ range: Range<Int64>) {
        origin = UInt64(max(range.lowerBound, 0))
        length = UInt32(clamping: range.count)
    }
}

extension RemoteMailbox {
    /// Reads the message at the server.
    package func sections(of message: MessageRow) -> RemoteSections { RemoteSections(self, message) }

    /// Pieces of a section of the message, wherever that is by now.
    fileprivate func pieces(
        of message: MessageRow,
        _ section: [UInt32],
        _ wanted: [SectionPiece]
    ) async throws -> [[UInt8]?] {
        let (group, uid) = try await place(of: message)
        let octets = wanted.reduce(0) { $0 + Int64($1.length) }
        let lane = octets <= RemoteSections.smallOctets ? quick : bulk
        return try await lane.perform(isRepeatable: true) { session in
            try await session.pieces(of: uid, in: group.remote, section: IMAPSection(part: section), wanted)
        }
    }
}
