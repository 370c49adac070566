// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import Wire

/// Where a message went that was appended.
package struct IMAPAppended: Hashable, Sendable {
    package let uidValidity: UInt32
    package let uid: UInt32
}

extension IMAPClientSession {
    /// Appends the next octets of a message; false when they were the last.
    package typealias Text = (inout ByteBuffer) async throws -> Bool

    /// What a piece of a message is before it is sent.
    private static var pieceOctets: Int { 32 << 10 }

    /// Appends a message.
    ///
    /// - Parameter text: gives the message, with CRLF at the ends of its lines: exactly as many octets as `append` says, or
    ///   the connection is closed, nothing appended, and `wrongSize` thrown.
    /// - Returns: nil where the server has no UIDPLUS.
    ///
    /// What `text` throws, the call throws, with the connection closed and nothing appended.
    @discardableResult
    package func append(_ append: IMAPAppend, text: Text) async throws -> IMAPAppended? {
        if let limit = capabilities.appendLimit, append.octets > limit {
            throw IMAPSessionError.refused(IMAPStatus(.no, .tooBig, "APPENDLIMIT=\(limit)"))
        }
        let status = try await perform(.append(append)) { told in
            switch told {
            case .wantsOctets: try await supplyAll(text)
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .message(let message): onUpdate(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .timeIsUp: break
            }
        }
        guard case .appendUID(let validity, let uids) = status.code, let uid = uids.number(at: 0) else { return nil }
        return IMAPAppended(uidValidity: validity, uid: uid)
    }

    private func supplyAll(_ text: Text) async throws {
        var piece = ByteBuffer()
        var isMore = true
        while isMore {
            while isMore, piece.count < Self.pieceOctets { isMore = try await text(&piece) }
            guard UInt64(piece.count) <= wantedOctets else { throw IMAPSessionError.wrongSize }
            try await supply(piece.bytes)
            piece.removeAll()
        }
        guard wantedOctets == 0 else { throw IMAPSessionError.wrongSize }
    }
}
