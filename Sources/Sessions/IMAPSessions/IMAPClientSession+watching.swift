// SPDX-License-Identifier: Apache-2.0

package import IMAP

/// Being told what is new.
extension IMAPClientSession {
    /// Ends an IDLE from wherever one is.
    package var idleInterruption: IMAPInterruption { interruption }

    /// Has the server tell what is new in the selected mailbox, and with NOTIFY in others, until ``idleInterruption`` or for
    /// as long as `milliseconds`, at most ``IMAPClientPatience/idle``.
    ///
    /// - Parameter update: is told; while it takes that, no more is read. Returns false to have the IDLE end.
    package func idle(
        milliseconds: Int = .max,
        _ update: (IMAPUpdate) async throws -> Bool
    ) async throws {
        guard capabilities.contains(.idle) else { throw IMAPSessionError.unsupported(.idle) }
        var id: IMAPClientMachine.CommandID?
        // What is told before the server agrees to IDLE may be enough already.
        var isEnough = false
        func end() {
            isEnough = true
            if let ending = id { endIdle(ending) }
            id = nil
        }
        try await perform(.idle) { told in
            switch told {
            case .idling(let begun):
                id = begun
                beginIdle(milliseconds: min(milliseconds, patience.idle))
                if isEnough { end() }
            case .timeIsUp: end()
            case .response(let response): if try await !update(IMAPUpdate(response)) { end() }
            case .message(let message): if try await !update(.message(message)) { end() }
            case .sectionBegins, .sectionOctets, .sectionEnds, .wantsOctets: break
            }
        }
        interruption.settle()
    }

    /// Says what shall be told of which mailboxes (RFC 5465); nil for nothing.
    ///
    /// - Parameter update: is told what the server says at once, where `wantsStatus`.
    package func notify(
        _ request: IMAPNotifyRequest?,
        _ update: (IMAPUpdate) async throws -> Void = { _ in }
    ) async throws {
        guard capabilities.contains(.notify) else { throw IMAPSessionError.unsupported(.notify) }
        try await perform(.notify(request)) { told in
            switch told {
            case .response(let response): try await update(IMAPUpdate(response))
            case .message(let message): try await update(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
    }
}
