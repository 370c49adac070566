// SPDX-License-Identifier: Apache-2.0

import MailTypes
package import Wire

/// One message after another: MAIL, RCPT, DATA or BDAT.
extension SMTPClientMachine {
    /// What belongs to one message.
    struct Transaction: Sendable {
        let envelope: SMTPEnvelope
        let isChunked: Bool
        var results: [SMTPRecipientResult?]
        /// Recipients the server took, by their place in the envelope.
        var accepted: [Int] = []
        /// What is to be sent next.
        var step = Step.mail
        /// The end of the text was put into the output.
        var isEndSent = false
        /// Of a text in chunks, between two of them.
        var encoder = MailTextEncoder(.chunks)
        /// The text is not to be taken: there is nobody to take it for.
        var isVoid: Bool { accepted.isEmpty }

        enum Step: Hashable, Sendable { case mail, rcpt(Int), data, done }

        init(_ envelope: SMTPEnvelope, isChunked: Bool) {
            self.envelope = envelope
            self.isChunked = isChunked
            results = Array(repeating: nil, count: envelope.recipients.count)
        }
    }

    /// Commands sent before the first of them is answered, at most: their replies must fit where they wait meanwhile.
    private static var window: Int { 100 }

    /// Begins a message; its outcome comes as `finished`.
    package mutating func begin(_ envelope: SMTPEnvelope, _ output: inout ByteBuffer) {
        guard case .ready = state else { preconditionFailure("the session is not ready") }
        if let reason = unsupported(by: envelope) {
            results = envelope.recipients.map { _ in .unsupported(reason) }
            return
        }
        transactions += 1
        let isChunked = configuration.usesChunking && capabilities.chunking
        transaction = Transaction(envelope, isChunked: isChunked)
        state = .awaiting
        if needsReset { send("RSET", expecting: .rset, &output) }
        needsReset = true
        proceed(&output)
    }

    /// The places in the envelope of the recipients that the server has taken so far, of the message under way.
    package var acceptedRecipients: [Int] { transaction?.accepted ?? [] }

    private func unsupported(by envelope: SMTPEnvelope) -> SMTPUnsupported? {
        if let limit = capabilities.maximumMessageOctets, envelope.octets > limit { return .size(limit: limit) }
        if envelope.needsSMTPUTF8, !capabilities.smtpUTF8 { return .smtpUTF8 }
        if envelope.isEightBit, !capabilities.eightBitMIME { return .eightBitMIME }
        return nil
    }

    /// Sends as many commands as may be under way.
    private mutating func proceed(_ output: inout ByteBuffer) {
        guard var transaction else { return }
        let window = capabilities.pipelining ? Self.window : 1
        while expected.count < window, transaction.step != .done {
            switch transaction.step {
            case .mail:
                append(mail: transaction.envelope, &output)
                expected.append(.mail)
                transaction.step = .rcpt(0)
            case .rcpt(let index):
                output.append("RCPT TO:<")
                output.append(transaction.envelope.recipients[index].octets)
                output.append(">\r\n")
                expected.append(.rcpt(index))
                let isLast = index + 1 == transaction.envelope.recipients.count
                transaction.step = isLast ? (transaction.isChunked ? .done : .data) : .rcpt(index + 1)
            case .data:
                self.transaction = transaction
                // Where replies are known already there may be nobody left to send it to.
                if expected.isEmpty, transaction.isVoid { return settle() }
                output.append("DATA\r\n")
                expected.append(.data)
                transaction.step = .done
            case .done: break
            }
        }
        self.transaction = transaction
    }

    private func append(mail envelope: SMTPEnvelope, _ output: inout ByteBuffer) {
        output.append("MAIL FROM:<")
        output.append(envelope.reversePath?.octets ?? [])
        output.append(">")
        if capabilities.size {
            output.append(" SIZE=")
            output.append(decimal: envelope.octets)
        }
        if envelope.isEightBit { output.append(" BODY=8BITMIME") }
        if envelope.needsSMTPUTF8 { output.append(" SMTPUTF8") }
        output.appendLineEnd()
    }

    // MARK: Replies

    mutating func receivedReset(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard reply.code == 250 else {
            finishTransaction { _ in .failed(.refused(.reset, reply)) }
            return close(.refused(.reset, reply))
        }
        proceed(&output)
    }

    mutating func receivedMail(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard reply.code / 100 == 2 else {
            transaction?.refuseAll(.mail, reply)
            // Commands that are under way already will be refused too; the others are not sent.
            transaction?.step = .done
            return settleIfAnswered()
        }
        proceed(&output)
    }

    mutating func receivedRcpt(_ reply: SMTPReply, _ index: Int, _ output: inout ByteBuffer) {
        if reply.code / 100 == 2 {
            if transaction?.results[index] == nil { transaction?.accepted.append(index) }
        } else if transaction?.results[index] == nil {
            transaction?.results[index] = .refused(.rcpt, reply)
        }
        proceed(&output)
        guard expected.isEmpty, let transaction, transaction.step == .done else { return settleIfAnswered() }
        if transaction.isVoid { settle() } else if transaction.isChunked { state = .text(MailTextEncoder(.chunks)) }
    }

    mutating func receivedData(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard let transaction else { return close(.unsolicited(.data)) }
        guard reply.code == 354 else {
            if reply.code / 100 < 4 { return fail(.unsolicited(.data), mayHaveArrived: false) }
            self.transaction?.refuseAll(.data, reply)
            return settle()
        }
        guard transaction.isVoid else {
            state = .text(MailTextEncoder(.dots))
            return
        }
        // DATA was sent before the recipients were known to be refused, and the server wants a text all the same
        // (RFC 2920 §3.1): it gets an empty one, for nobody.
        output.append(".\r\n")
        expected.append(.final(nil))
    }

    /// The next octets of the message; CR LF, dots and lone line ends are seen to here.
    package mutating func supply(_ text: Span<UInt8>, isLast: Bool, _ output: inout ByteBuffer) {
        guard case .text(var encoder) = state, let transaction else { preconditionFailure("no text was asked for") }
        if transaction.isChunked {
            var chunk = ByteBuffer()
            encoder.encode(text, into: &chunk)
            if isLast { encoder.finish(into: &chunk) }
            append(chunk: chunk, isLast: isLast, &output)
        } else {
            encoder.encode(text, into: &output)
            if isLast { encoder.finish(into: &output) }
        }
        state = isLast || transaction.isChunked && !expected.isEmpty ? .awaiting : .text(encoder)
        if transaction.isChunked { self.transaction?.encoder = encoder }
        guard isLast else { return }
        self.transaction?.isEndSent = true
        switch configuration.dialect {
        case .smtp: expected.append(.final(nil))
        case .lmtp: expected += transaction.accepted.map { .final($0) }
        }
    }

    /// `bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF` (RFC 3030 §2).
    private mutating func append(chunk: borrowing ByteBuffer, isLast: Bool, _ output: inout ByteBuffer) {
        guard isLast || !chunk.isEmpty else { return }
        output.append("BDAT ")
        output.append(decimal: chunk.count)
        output.append(isLast ? " LAST\r\n" : "\r\n")
        output.append(chunk.bytes)
        if !isLast { expected.append(.chunk) }
    }

    mutating func receivedChunk(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard reply.code / 100 == 2, let transaction else {
            // The rest is not sent; what came was not taken.
            self.transaction?.refuseAll(.text, reply)
            return settle()
        }
        state = .text(transaction.encoder)
    }

    mutating func receivedFinal(_ reply: SMTPReply, _ index: Int?) {
        let result: SMTPRecipientResult
        switch reply.code / 100 {
        case 2: result = .delivered(reply)
        case 4, 5: result = .refused(.final, reply)
        default: return fail(.unsolicited(.final), mayHaveArrived: true)
        }
        if let index {
            transaction?.results[index] = result
        } else {
            for index in transaction?.accepted ?? [] { transaction?.results[index] = result }
        }
        guard expected.isEmpty else { return }
        needsReset = false
        settle()
    }

    // MARK: The end

    /// The transaction is over once nothing is awaited any more.
    private mutating func settleIfAnswered() {
        if expected.isEmpty, transaction?.step == .done, transaction?.isVoid ?? false { settle() }
    }

    /// Hands the results out; the session can have another message.
    private mutating func settle() {
        finishTransaction { _ in .failed(.unsolicited(.final)) }
        if !isClosed { state = .ready }
    }

    /// Ends the transaction under way, if there is one; what is not known of a recipient yet becomes `result`.
    mutating func finishTransaction(_ result: (Int) -> SMTPRecipientResult) {
        guard let transaction else { return }
        results = transaction.results.enumerated().map { index, known in known ?? result(index) }
        self.transaction = nil
    }
}

extension SMTPClientMachine.Transaction {
    /// Whoever is not refused yet is now, for that reason.
    mutating func refuseAll(_ phase: SMTPClientPhase, _ reply: SMTPReply) {
        for index in results.indices where results[index] == nil { results[index] = .refused(phase, reply) }
        accepted = []
    }
}
