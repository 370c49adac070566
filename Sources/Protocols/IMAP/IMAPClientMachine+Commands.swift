// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Commands of the session's owner: which may be under way together, and how they are sent.
extension IMAPClientMachine {
    enum Owner: Hashable, Sendable {
        case setup(Step)
        case caller
    }

    /// Untagged data that a command asks for: two commands that ask for the same could not tell whose answer it is
    /// (RFC 9051 §5.5).
    enum Answer: Hashable, Sendable {
        case search, list, fetch, copied, quota
        case status(IMAPMailboxName)
        /// STATUS of whichever mailboxes.
        case anyStatus

        func collides(with other: Self) -> Bool {
            switch (self, other) {
            case (.anyStatus, .status), (.status, .anyStatus): true
            default: self == other
            }
        }
    }

    /// A command that was sent, or is being sent.
    struct UnderWay: Sendable {
        let number: UInt64
        let tag: [UInt8]
        let owner: Owner
        let answers: [Answer]
        /// Nothing else is under way with it.
        let isAlone: Bool
        let isIdle: Bool
        let isLogout: Bool
        /// The server has agreed to IDLE.
        var isAgreed = false
        /// DONE is wanted as soon as it can be sent.
        var isEnding = false
        var isDone = false
        /// The server tells what is new, until somebody wants it to end.
        var isIdling: Bool { isIdle && isAgreed && !isEnding }
        /// The answer, where it came before all of the command was sent.
        var early: IMAPStatus?
    }

    /// A command to be sent.
    struct Pending: Sendable {
        let command: UnderWay
        let pieces: [IMAPClientCommandEncoder.Piece]
    }

    /// A command of which not all is sent yet.
    struct Sending: Sendable {
        let number: UInt64
        var rest: ArraySlice<IMAPClientCommandEncoder.Piece>
        var isPaused = false
        /// Octets that somebody else has still to supply.
        var wanted: UInt64 = 0
        var isSupplying: Bool { wanted > 0 }
    }

    /// A command to be sent as soon as it can be; its end comes as `completed`, if the session does not end before.
    package mutating func submit(
        _ command: IMAPCommand,
        _ output: inout ByteBuffer
    ) throws(IMAPClientCommandError) -> CommandID {
        let pending = try encode(command, .caller)
        guard !isClosed else { return CommandID(number: pending.command.number) }
        waiting.append(pending)
        sendWaiting(&output)
        return CommandID(number: pending.command.number)
    }

    private mutating func encode(_ command: IMAPCommand, _ owner: Owner) throws(IMAPClientCommandError) -> Pending {
        lastNumber += 1
        var tag = ByteBuffer()
        tag.append("A")
        tag.append(decimal: lastNumber)
        let literals: IMAPClientCommandEncoder.Literals =
            capabilities.contains(.literalPlus)
            ? .plus : capabilities.contains(.literalMinus) ? .minus : .synchronizing
        let octets = tag.array()
        let pieces = try IMAPClientCommandEncoder.encode(command, tag: octets, literals, isUTF8: isUTF8)
        return Pending(
            command: UnderWay(
                number: lastNumber,
                tag: octets,
                owner: owner,
                answers: command.answers,
                isAlone: command.isAlone,
                isIdle: command.isIdle,
                isLogout: command.isLogout
            ),
            pieces: pieces
        )
    }

    /// A command of our own, at once.
    mutating func send(
        _ command: IMAPCommand,
        _ owner: Owner,
        _ output: inout ByteBuffer
    ) throws(IMAPClientCommandError) {
        begin(try encode(command, owner), &output)
    }

    /// Sends what can be sent; commands do not overtake each other.
    mutating func sendWaiting(_ output: inout ByteBuffer) {
        guard isReady else { return }
        while sending == nil, let next = waiting.first {
            if let index = underWay.firstIndex(where: { $0.isIdle }) { return sendDone(index, &output) }
            guard maySend(next.command) else { return }
            waiting.removeFirst()
            begin(next, &output)
        }
    }

    private func maySend(_ command: UnderWay) -> Bool {
        if underWay.isEmpty { return true }
        guard !command.isAlone, underWay.count < configuration.window else { return false }
        return underWay.allSatisfy { other in
            !other.isAlone && !other.answers.contains { one in command.answers.contains { one.collides(with: $0) } }
        }
    }

    private mutating func begin(_ pending: Pending, _ output: inout ByteBuffer) {
        underWay.append(pending.command)
        sending = Sending(number: pending.command.number, rest: pending.pieces[...])
        goOnSending(&output)
    }

    /// The server agrees to a literal.
    mutating func resumeSending(_ output: inout ByteBuffer) {
        sending?.isPaused = false
        goOnSending(&output)
        if sending == nil { sendWaiting(&output) }
    }

    private mutating func goOnSending(_ output: inout ByteBuffer) {
        guard var sending else { return }
        while let piece = sending.rest.popFirst() {
            switch piece {
            case .octets(let octets): output.append(octets)
            case .pause:
                sending.isPaused = true
                self.sending = sending
                return
            case .supply(let octets):
                guard octets > 0 else { continue }
                sending.wanted = octets
                self.sending = sending
                events.append(.wantsOctets(CommandID(number: sending.number), octets))
                return
            }
        }
        self.sending = nil
        guard let index = underWay.firstIndex(where: { $0.number == sending.number }),
            let status = underWay[index].early
        else { return }
        finish(index, status, &output)
    }

    /// How many octets of the message of an APPEND are wanted still.
    package var wantedOctets: UInt64 { sending?.wanted ?? 0 }

    /// The next octets of the message; at most as many as are wanted.
    ///
    /// Nothing where the session is over.
    package mutating func supply(_ octets: Span<UInt8>, _ output: inout ByteBuffer) {
        guard !isClosed else { return }
        precondition(UInt64(octets.count) <= wantedOctets, "more than was announced")
        output.append(octets)
        sending?.wanted -= UInt64(octets.count)
        guard wantedOctets == 0 else { return }
        goOnSending(&output)
        if sending == nil { sendWaiting(&output) }
    }

    // MARK: IDLE

    /// Ends IDLE: by DONE at once, or as soon as the server has agreed to it.
    ///
    /// One that is not sent yet will be ended when it is.
    package mutating func endIdle(_ id: CommandID, _ output: inout ByteBuffer) {
        if let index = underWay.firstIndex(where: { $0.number == id.number && $0.isIdle }) {
            sendDone(index, &output)
        } else if let index = waiting.firstIndex(where: { $0.command.number == id.number && $0.command.isIdle }) {
            waiting.remove(at: index)
            events.append(.completed(id, IMAPStatus(.ok)))
        }
    }

    mutating func sendDone(_ index: Int, _ output: inout ByteBuffer) {
        underWay[index].isEnding = true
        guard underWay[index].isAgreed, !underWay[index].isDone else { return }
        underWay[index].isDone = true
        output.append("DONE\r\n")
    }

    // MARK: Whose answer it is

    func asker(of answer: Answer) -> CommandID? {
        let command =
            underWay.first { $0.isAlone && $0.owner == .caller }
            ?? underWay.first { $0.answers.contains { $0.collides(with: answer) } }
        return command.map { CommandID(number: $0.number) }
    }

    func asker(of response: IMAPResponse) -> CommandID? {
        switch response {
        case .search, .sort, .thread, .extendedSearch: asker(of: .search)
        case .list: asker(of: .list)
        case .mailboxStatus(let status): asker(of: .status(status.mailbox))
        case .quota, .quotaRoots: asker(of: .quota)
        // Of a FETCH with VANISHED, or of SELECT.
        case .vanished(_, isEarlier: true): asker(of: .fetch)
        case .status: asker(of: .copied)
        case .continuation, .tagged, .capability, .enabled, .flags, .exists, .recent, .expunge, .vanished, .namespace,
            .id, .unknown:
            underWay.first { $0.isAlone && $0.owner == .caller }.map { CommandID(number: $0.number) }
        }
    }
}

extension IMAPCommand {
    /// Whether nothing else may be under way with it: it changes what commands mean, or needs sequence numbers that another
    /// could change (RFC 9051 §5.5).
    fileprivate var isAlone: Bool {
        switch self {
        case .startTLS, .authenticate, .login, .compress, .select, .close, .unselect, .logout, .idle, .notify: true
        case .fetch(let request): !request.messages.isUID
        case .store(let request): !request.messages.isUID
        case .search(let request): !request.isUID
        case .sort(let request): !request.search.isUID
        case .thread(let request): !request.search.isUID
        case .copy(let messages, _), .move(let messages, _): !messages.isUID
        // Three of these are sent together when the session is set up.
        case .enable, .id, .namespace: false
        case .capability, .noop, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .status, .append, .expunge,
            .quotaRoot, .quota:
            false
        }
    }

    fileprivate var isIdle: Bool {
        if case .idle = self { return true }
        return false
    }

    fileprivate var isLogout: Bool {
        if case .logout = self { return true }
        return false
    }

    fileprivate var answers: [IMAPClientMachine.Answer] {
        switch self {
        case .search, .sort, .thread: [.search]
        case .list(let request): request.status.isEmpty ? [.list] : [.list, .anyStatus]
        case .status(let mailbox, _): [.status(mailbox)]
        case .fetch, .store: [.fetch]
        case .copy, .move: [.copied]
        case .quotaRoot, .quota: [.quota]
        case .capability, .noop, .logout, .startTLS, .namespace, .authenticate, .login, .enable, .id, .compress,
            .select, .close, .unselect, .create, .delete, .rename, .subscribe, .unsubscribe, .append, .expunge, .idle,
            .notify:
            []
        }
    }
}
