// SPDX-License-Identifier: Apache-2.0

import Backends
import Intake
import POP3
import POP3Sessions
import Storage
import Transport
import Wire

/// A message as a POP3 server lists it.
struct ListedMessage: Hashable, Sendable {
    /// In this session.
    let number: UInt32
    /// Octets, about.
    let size: Int64
    /// Its unique-id.
    let uid: [UInt8]
}

/// What a POP3 server has.
struct MaildropListing: Sendable {
    /// By number, ascending.
    var messages: [ListedMessage] = []
    /// The server has UIDL; without it ``ListedMessage/uid`` is empty.
    var hasUniqueIDs = true
}

/// One session at an account's POP3 server in the words of the mirror.
///
/// It belongs to the one task that uses it. What it throws is a ``RemoteError``, but for ``retrieve(_:into:)``.
final class MaildropSession {
    private let pop3: POP3ClientSession
    private var whenOver: (() -> Void)?

    init(_ pop3: POP3ClientSession, whenOver: @escaping () -> Void) {
        self.pop3 = pop3
        self.whenOver = whenOver
    }

    deinit { noteEnd() }

    /// Whether another command can be given.
    var isUsable: Bool { whenOver != nil && pop3.isUsable }

    /// Seconds that the server wants between two logins (RFC 2449 §6.5).
    var loginDelaySeconds: Int { Int(pop3.capabilities.loginDelaySeconds ?? 0) }

    /// All messages, if there are no more than so many, with so many octets in their unique-ids.
    func list(limit: Int, nameOctets: Int) async throws -> MaildropListing {
        do {
            return try await listAll(limit: limit, nameOctets: nameOctets)
        } catch let error as POP3SessionError {
            throw RemoteError(opening: error)
        }
    }

    private func listAll(limit: Int, nameOctets: Int) async throws -> MaildropListing {
        var listing = MaildropListing()
        guard try await pop3.status().messages > 0 else { return listing }
        var sizes: [UInt32: Int64] = [:]
        try await pop3.sizes { if sizes.count <= limit { sizes[$0] = Int64(clamping: $1) } }
        guard sizes.count <= limit else {
            throw RemoteError.unsupported("The server has more than \(limit) messages: too many for POP3.")
        }
        let found = sizes
        guard let names = try await uniqueIDs(limit: limit, octets: nameOctets) else {
            listing.hasUniqueIDs = false
            listing.messages = found.map { ListedMessage(number: $0.key, size: $0.value, uid: []) }
            listing.messages.sort { $0.number < $1.number }
            return listing
        }
        listing.messages = names.map { ListedMessage(number: $0.key, size: found[$0.key] ?? 0, uid: $0.value) }
        listing.messages.sort { $0.number < $1.number }
        return listing
    }

    /// Nil where the server has no UIDL, which RFC 1939 §7 leaves to it.
    private func uniqueIDs(limit: Int, octets: Int) async throws -> [UInt32: [UInt8]]? {
        var names: [UInt32: [UInt8]] = [:]
        var room = octets
        do {
            try await pop3.uniqueIDs { number, name in
                room -= name.count
                if names.count < limit, room >= 0 { names[number] = name }
            }
        } catch POP3SessionError.refused(let reply) {
            // One that says it has UIDL has it another time.
            guard !reply.isPassing, !pop3.capabilities.uidl else { throw RemoteError(reply) }
            return nil
        }
        guard room >= 0 else {
            throw RemoteError.unsupported("The server's unique-ids are longer than can be kept.")
        }
        return names
    }

    /// Whether the server says what names messages across sessions.
    func hasUniqueIDs() async throws -> Bool {
        do {
            return try await uniqueIDs(limit: 0, octets: .max) != nil
        } catch let error as POP3SessionError {
            throw RemoteError(opening: error)
        }
    }

    /// Throws what `message` throws too, by which the session is over.
    func retrieve(_ number: UInt32, into message: IncomingMessage) async throws {
        try await pop3.retrieve(number) { piece in
            try message.append(piece.bytes)
            piece.removeAll()
        }
    }

    /// Marks messages to be deleted by ``end()``; those that were.
    func delete(_ numbers: [UInt32]) async throws -> Set<UInt32> {
        do throws(POP3SessionError) {
            let refused = try await pop3.delete(numbers)
            return Set(numbers).subtracting(refused.keys)
        } catch {
            throw RemoteError(opening: error)
        }
    }

    /// Ends the session in order, by which what was marked is deleted.
    ///
    /// Where this throws, nobody knows whether it was (RFC 1939 §6).
    func end() async throws {
        defer { noteEnd() }
        do throws(POP3SessionError) {
            try await pop3.quit()
        } catch {
            throw RemoteError(opening: error)
        }
    }

    /// Ends the session at once, by which nothing is deleted.
    func close() {
        pop3.close()
        noteEnd()
    }

    private func noteEnd() {
        if let whenOver = whenOver.take() { whenOver() }
    }
}

extension POP3Reply {
    /// The refusal is about the server's state, not about what was asked (RFC 2449 §8.1, RFC 3206).
    var isPassing: Bool { ["IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM"].contains(code) }

    /// With its code.
    var words: String {
        let words = [code.map { "[\($0)]" }, text.isEmpty ? nil : text].compactMap(\.self).joined(separator: " ")
        return words.isEmpty ? "The server refuses, and does not say why." : words
    }
}

extension RemoteError {
    /// What -ERR means.
    init(_ reply: POP3Reply) {
        switch reply.code {
        case "IN-USE", "LOGIN-DELAY": self = .busy(reply.words)
        case "SYS/TEMP", "SYS/PERM": self = .unavailable(reply.words)
        case nil, .some: self = .refused(reply.text, code: reply.code)
        }
    }

    /// Why no session came about, or broke off.
    init(opening error: POP3SessionError) {
        switch error {
        case .dial(let error): self = .unavailable("\(error)")
        case .session(let failure): self.init(failure)
        case .refused(let reply): self.init(reply)
        }
    }

    private init(_ failure: POP3ClientFailure) {
        switch failure {
        case .refused(.authentication, let reply): self = .authentication(reply.words)
        case .refused(_, let reply), .loginPrevented(let reply):
            if case .busy(let words) = RemoteError(reply) {
                self = .busy(words)
            } else {
                self = .unavailable(reply.words)
            }
        case .authentication(let error): self = .authentication("\(error)")
        case .noCommonMechanism: self = .authentication("The server offers no way to log in that may be used here.")
        case .unsuitableCredentials:
            self = .authentication("The account's user name or password cannot be used to log in.")
        case .tlsNotOffered: self = .unavailable("The server offers no STLS.")
        case .injectedBeforeTLS: self = .unavailable("There were unencrypted octets behind STLS.")
        case .timedOut(let phase): self = .unavailable("The server did not answer in time (\(phase.rawValue)).")
        case .connectionLost(let phase): self = .unavailable("The connection broke (\(phase.rawValue)).")
        case .syntax, .unsolicited:
            self = .unavailable("The server does not speak POP3 as it should (\(failure)).")
        }
    }

    /// What a failure to open a session says, and of whom.
    static func judgePOP3(_ error: any Error) -> (failure: RemoteError, trouble: HostLedger.Trouble) {
        guard let error = error as? POP3SessionError else { return (.unavailable("\(error)"), .account) }
        let trouble: HostLedger.Trouble =
            switch error {
            case .dial(let error): error.isOfServer ? .unreachable : .account
            case .session(.connectionLost), .session(.timedOut), .session(.syntax), .session(.unsolicited),
                .session(.refused(.greeting, _)):
                .unreachable
            case .session, .refused: .account
            }
        return (RemoteError(opening: error), trouble)
    }
}
