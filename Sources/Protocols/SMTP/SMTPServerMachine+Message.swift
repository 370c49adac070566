// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

/// The message itself, by DATA or by BDAT: it is streamed out as it comes, and judged at its end.
extension SMTPServerMachine {
    // MARK: DATA

    mutating func beginText(_ input: borrowing ByteBuffer, _ output: inout ByteBuffer) -> Action? {
        // Text sent before 354 was sent by somebody who cannot know that it will be read as text: refused, it would be read
        // as commands.
        guard input.isEmpty else {
            close(.unauthorizedPipelining, &output)
            return nil
        }
        if let reply = reasonAgainstMessage {
            refuse(reply, &output)
            return nil
        }
        guard transaction?.chunks == nil, !isMessageOpen else {
            refuse(.chunksBegun, &output)
            return nil
        }
        state = .deciding(.beginText)
        return .begin
    }

    private var reasonAgainstMessage: SMTPReply? {
        guard let transaction else { return .mailFirst }
        return transaction.recipients == 0 ? .noRecipients : nil
    }

    mutating func decidedText(_ verdict: SMTPVerdict, _ output: inout ByteBuffer) {
        switch verdict {
        case .accept:
            transaction?.isOpen = true
            reply(.startText, &output)
            state = .text(decoder(.dots))
        case .refuse(let answer), .close(let answer):
            transaction = nil
            refuse(answer, &output)
        }
    }

    private func decoder(_ framing: SMTPTextDecoder.Framing) -> SMTPTextDecoder {
        SMTPTextDecoder(framing, policy: configuration.lineEnds, maximumLineOctets: limits.textLineOctets)
    }

    mutating func text(
        _ decoder: SMTPTextDecoder,
        _ input: inout ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Action? {
        guard !input.isEmpty else { return .read(.message) }
        var decoder = decoder
        let (consumed, isEnd) = decoder.decode(input.bytes, into: &content)
        input.consume(consumed)
        judge(decoder.defect)
        transaction?.received += UInt64(consumed)
        guard isEnd || transaction?.received ?? 0 <= patience else {
            close(.tooLarge(limits.messageOctets), &output)
            return nil
        }
        if isEnd { serial += 1 }
        state = isEnd ? .complete : .text(decoder)
        return hand()
    }

    /// So many octets are read of a message that is refused, before the connection is ended instead.
    private var patience: UInt64 {
        let (sum, overflow) = limits.messageOctets.multipliedReportingOverflow(by: 2)
        return overflow ? .max : max(sum, 1 << 20)
    }

    // MARK: BDAT

    mutating func beginChunk(_ octets: UInt64, _ isLast: Bool, _ output: inout ByteBuffer) -> Action? {
        // A size nobody would wait for: there is no use in reading so much only to say so.
        guard octets <= patience else {
            close(.tooLarge(limits.messageOctets), &output)
            return nil
        }
        guard transaction?.chunks == nil else {
            continueChunks(octets, isLast)
            return nil
        }
        if let reply = reasonAgainstMessage {
            skipChunk(octets, isLast, reply)
            return nil
        }
        state = .deciding(.beginChunk(octets: octets, isLast: isLast))
        return .begin
    }

    /// The octets of a chunk come whether it is welcome or not.
    private mutating func skipChunk(_ octets: UInt64, _ isLast: Bool, _ reply: SMTPReply) {
        if transaction == nil { skipped = reply } else { transaction?.refusal = reply }
        state = .chunk(decoder(.chunks), rest: octets, isLast: isLast)
    }

    private mutating func continueChunks(_ octets: UInt64, _ isLast: Bool) {
        guard let decoder = transaction?.chunks else { return }
        // What failed for now shall not look like a failure for good: a client may go by the last of its replies.
        // Changed outside and put back: to assign through `transaction?` here leaks the old reply in builds that are not
        // optimised (Swift 6.3, a type that is not copyable).
        if var refused = transaction, let refusal = refused.refusal, refusal.code >= 500 {
            refused.refusal = .chunkOutOfPlace
            transaction = refused
        }
        state = .chunk(decoder, rest: octets, isLast: isLast)
    }

    mutating func decidedChunk(_ verdict: SMTPVerdict, _ octets: UInt64, _ isLast: Bool) {
        let fresh = decoder(.chunks)
        switch verdict {
        case .accept:
            transaction?.isOpen = true
            transaction?.chunks = fresh
            continueChunks(octets, isLast)
        case .refuse(let answer), .close(let answer):
            transaction?.chunks = fresh
            transaction?.refusal = answer
            state = .chunk(fresh, rest: octets, isLast: isLast)
        }
    }

    mutating func chunk(
        _ decoder: SMTPTextDecoder,
        _ rest: UInt64,
        _ isLast: Bool,
        _ input: inout ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Action? {
        guard rest > 0 else { return endOfChunk(decoder, isLast, &output) }
        guard !input.isEmpty else { return .read(.message) }
        var decoder = decoder
        let count = Int(min(rest, UInt64(input.count)))
        if !isRefused { _ = decoder.decode(input.bytes.extracting(0..<count), into: &content) }
        input.consume(count)
        judge(decoder.defect)
        transaction?.received += UInt64(count)
        guard transaction?.received ?? 0 <= patience else {
            close(.tooLarge(limits.messageOctets), &output)
            return nil
        }
        state = .chunk(decoder, rest: rest - UInt64(count), isLast: isLast)
        return hand()
    }

    private mutating func endOfChunk(
        _ decoder: SMTPTextDecoder,
        _ isLast: Bool,
        _ output: inout ByteBuffer
    ) -> Action? {
        serial += 1
        if let reply = skipped {
            skipped = nil
            state = .command
            refuse(reply, &output)
            return nil
        }
        var decoder = decoder
        if isLast {
            if !isRefused { decoder.finish(into: &content) }
            judge(decoder.defect)
            state = .complete
            return hand()
        }
        transaction?.chunks = decoder
        state = .command
        if let refusal = transaction?.refusal {
            refuse(refusal, &output)
        } else {
            reply(.ok, &output)
        }
        return nil
    }

    // MARK: Both

    private var isRefused: Bool { skipped != nil || transaction?.refusal != nil }

    /// Looks at what was just decoded, and at what it makes of the whole.
    private mutating func judge(_ defect: SMTPTextDecoder.Defect?) {
        guard var judged = transaction, judged.refusal == nil else { return }
        judged.octets += UInt64(content.count)
        judged.header.observe(content.bytes)
        if let defect {
            judged.refusal = .defect(defect)
        } else if judged.octets > limits.messageOctets {
            judged.refusal = .tooLarge(limits.messageOctets)
        } else if judged.header.octets > limits.headerOctets {
            judged.refusal = .headerTooLarge(limits.headerOctets)
        } else if judged.header.hops > limits.hops {
            judged.refusal = .tooManyHops
        }
        transaction = judged
    }

    /// Hands on what was decoded, or forgets it if the message is refused.
    private mutating func hand() -> Action? {
        guard transaction?.refusal != nil || skipped != nil else { return content.isEmpty ? nil : .store }
        content.removeAll()
        abandonMessage()
        return nil
    }

    private mutating func abandonMessage() {
        guard isMessageOpen else { return }
        owesAbort = true
        transaction?.isOpen = false
    }

    /// The octets of the last `store` could not be kept: the message is read to its end and then refused with `reply`.
    package mutating func storeFailed(_ reply: SMTPReply) {
        content.removeAll()
        guard transaction?.refusal == nil else { return }
        transaction?.refusal = reply
        abandonMessage()
    }

    /// The whole message was read: a refused one gets its reply here, and nobody is asked.
    mutating func complete(_ output: inout ByteBuffer) -> Action? {
        guard let refusal = transaction?.refusal else {
            state = .deciding(.end)
            return .end
        }
        transaction = nil
        state = .command
        refuse(refusal, &output)
        return nil
    }

    mutating func decidedEnd(_ verdict: SMTPVerdict, _ output: inout ByteBuffer) {
        transaction = nil
        switch verdict {
        case .accept(let text):
            errors = 0
            junk = 0
            reply(text.map { SMTPReply(250, .code(2, 0, 0), $0) } ?? .taken, &output)
        case .refuse(let answer), .close(let answer): refuse(answer, &output)
        }
    }
}
