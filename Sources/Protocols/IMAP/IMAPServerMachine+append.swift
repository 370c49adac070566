// SPDX-License-Identifier: Apache-2.0

import Wire

/// APPEND (RFC 9051 §6.3.12, RFC 3502): messages are handed on as they come, and kept all of them or none.
extension IMAPServerMachine {
    /// One APPEND under way.
    struct Append: Sendable {
        let tag: [UInt8]
        /// The one that comes now, or came last.
        var message: IMAPAppend
        var number = 0
        var isSynchronizing = false
        /// Of the message, still to come.
        var octetsLeft: UInt64 = 0
        /// Of all messages so far, this one among them.
        var octets: UInt64 = 0
        /// The owner was asked about one of its messages, and took it.
        var isBegun = false
        /// Why none of them is kept; what comes of them is read over.
        var refusal: IMAPStatus?
    }

    /// A message was announced.
    mutating func announced(
        _ message: IMAPAppend,
        _ tag: [UInt8],
        _ isSynchronizing: Bool,
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        verb = .append
        if append == nil { append = Append(tag: tag, message: message) } else { append?.number += 1 }
        append?.message = message
        append?.isSynchronizing = isSynchronizing
        append?.octetsLeft = message.octets
        let sum = (append?.octets ?? 0).addingReportingOverflow(message.octets)
        append?.octets = sum.overflow ? .max : sum.partialValue
        let refusal = append?.refusal ?? objection(to: message)
        append?.refusal = refusal
        guard refusal == nil, let number = append?.number else {
            readOver(&encoder)
            return nil
        }
        state = .deciding(.appendBegins)
        return .appendBegins(message, number: number)
    }

    private func objection(to message: IMAPAppend) -> IMAPStatus? {
        guard isLoggedIn else { return IMAPStatus(.bad, nil, "Log in first") }
        if message.octets > configuration.appendLimit {
            return IMAPStatus(.no, .tooBig, "A message may have \(configuration.appendLimit) octets")
        }
        // RFC 3502 §6.3.11: so a client takes an APPEND back.
        if message.octets == 0 { return IMAPStatus(.no, nil, "A message without octets is none") }
        if message.isUTF8, !session.isUTF8 { return IMAPStatus(.bad, nil, "UTF8=ACCEPT is not enabled") }
        if let number = append?.number, number > 0, !offers(.multiAppend) {
            return IMAPStatus(.bad, nil, "One message at a time")
        }
        // They are kept together, and until then by us.
        if let append, append.number > 0,
            append.number >= limits.messagesPerAppend || append.octets > configuration.appendLimit
        {
            return IMAPStatus(.no, .limit, "That is too much for one APPEND")
        }
        return nil
    }

    /// The message is not wanted: a client that waits is told, what another sends is thrown away.
    private mutating func readOver(_ encoder: inout IMAPResponseEncoder) {
        guard let append else { return }
        if append.isSynchronizing {
            reader.reset()
            endRefused(&encoder)
        } else if append.message.octets / limits.skippedMessages > configuration.appendLimit {
            giveUpAppend()
            bye(IMAPStatus(.bye, .tooBig, "That is too much to be read over"), &encoder)
        } else {
            state = .message
        }
    }

    /// The answer to `appendBegins`: nil where the message may come.
    package mutating func appendDecided(_ refusal: IMAPStatus?, _ encoder: inout IMAPResponseEncoder) {
        guard case .deciding(.appendBegins) = state else { preconditionFailure("no message was asked about") }
        if let refusal {
            append?.refusal = refusal
            return readOver(&encoder)
        }
        append?.isBegun = true
        if append?.isSynchronizing == true { goAhead(&encoder) }
        state = .message
    }

    /// What has come of the message.
    mutating func takeMessage(_ input: inout ByteBuffer) -> Action? {
        guard let left = append?.octetsLeft, left > 0 else {
            state = .command
            return nil
        }
        guard !input.isEmpty else { return .read(serial) }
        serial += 1
        let count = Int(min(left, UInt64(min(input.count, Self.outputOctets))))
        append?.octetsLeft = left - UInt64(count)
        if append?.refusal == nil, append?.message.isBinary == false,
            input.bytes.extracting(0..<count).firstIndex(of: ASCII.nul) != nil
        {
            append?.refusal = IMAPStatus(.bad, nil, "NUL stands only in a literal8")
        }
        defer { input.consume(count) }
        guard append?.refusal == nil else { return nil }
        content.append(input.bytes.extracting(0..<count))
        state = .deciding(.appendOctets)
        return .appendOctets
    }

    /// The answer to `appendOctets`: a status where they could not be kept.
    package mutating func appendTaken(_ refusal: IMAPStatus?) {
        guard case .deciding(.appendOctets) = state else { preconditionFailure("no octets were handed on") }
        content.removeAll(keepingCapacity: append?.octetsLeft != 0)
        if let refusal { append?.refusal = refusal }
        state = .message
    }

    /// The command's line is over.
    mutating func appendComplete(_ encoder: inout IMAPResponseEncoder) -> Action? {
        guard append?.refusal == nil else {
            endRefused(&encoder)
            return nil
        }
        state = .deciding(.appendEnds)
        return .appendEnds
    }

    private mutating func endRefused(_ encoder: inout IMAPResponseEncoder) {
        guard let append, let refusal = append.refusal else { return }
        giveUpAppend()
        state = .command
        if refusal.condition == .bad {
            refuse(append.tag, refusal, &encoder)
        } else {
            reply(append.tag, refusal, &encoder)
        }
    }

    /// The answer to `appendEnds`: OK only where all messages are kept lastingly.
    package mutating func appendEnded(_ status: IMAPStatus, _ encoder: inout IMAPResponseEncoder) {
        guard case .deciding(.appendEnds) = state, let append else { preconditionFailure("no APPEND was to end") }
        self.append = nil
        state = .command
        reply(append.tag, status, &encoder)
    }

    mutating func giveUpAppend() {
        if isAppending { notices.append(.appendAborted) }
        append = nil
        content.removeAll(keepingCapacity: false)
    }
}
