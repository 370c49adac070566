// SPDX-License-Identifier: Apache-2.0

import MailTypes
package import Wire

/// What each command does.
extension SMTPServerMachine {
    /// Performs a command whose line was consumed; `input` holds what the client sent behind it.
    mutating func perform(
        _ command: SMTPCommand,
        _ input: borrowing ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Action? {
        switch command {
        case .helo(let name): hello(name, isExtended: false, &output)
        case .ehlo(let name): hello(name, isExtended: true, &output)
        case .mail(let mail): return begin(mail, &output)
        case .rcpt(let rcpt): return add(rcpt, &output)
        case .data: return beginText(input, &output)
        case .bdat(let octets, let isLast): return beginChunk(octets, isLast, &output)
        case .rset:
            forgetTransaction()
            humour(.ok, &output)
        case .noop: humour(.ok, &output)
        case .help: humour(.help, &output)
        case .vrfy: humour(.cannotVerify, &output)
        case .expn, .obsolete: refuse(.notImplemented, &output)
        case .quit: close(SMTPReply(221, .code(2, 0, 0), "\(hostName) closing"), &output)
        case .startTLS: startTLS(input, &output)
        case .auth(let mechanism, let response): return authenticate(mechanism, response, &output)
        case .unknown: refuse(.unknownCommand, &output)
        case .foreign: close(.foreign, &output)
        }
        return nil
    }

    private mutating func hello(_ name: [UInt8], isExtended: Bool, _ output: inout ByteBuffer) {
        let isFirst = session.clientName == nil
        forgetTransaction()
        session.clientName = name
        session.isExtended = isExtended
        let lines = isExtended ? ["\(hostName) at your service"] + extensions : [hostName]
        let answer = SMTPReply(250, nil, lines: lines)
        if isFirst { reply(answer, &output) } else { humour(answer, &output) }
    }

    /// The EHLO keywords that hold now: AUTH only where a login would be taken.
    private var extensions: [String] {
        var keywords = ["PIPELINING", "SIZE \(limits.messageOctets)"]
        if configuration.offersStartTLS, !session.isTLS { keywords.append("STARTTLS") }
        if offersAuthentication { keywords.append("AUTH PLAIN LOGIN") }
        return keywords + ["ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING"]
    }

    var offersAuthentication: Bool {
        configuration.service == .submission && session.isTLS && session.login == nil
    }

    private mutating func startTLS(_ input: borrowing ByteBuffer, _ output: inout ByteBuffer) {
        guard !session.isTLS else { return refuse(.tlsAlready, &output) }
        guard configuration.offersStartTLS else { return refuse(.notImplemented, &output) }
        // Whatever was sent in clear behind the command would otherwise be read as if it had come under TLS.
        guard input.isEmpty else { return close(.unauthorizedPipelining, &output) }
        forgetTransaction()
        reply(.tlsReady, &output)
        state = .handshake
    }

    // MARK: The envelope

    private mutating func begin(_ mail: SMTPMail, _ output: inout ByteBuffer) -> Action? {
        guard session.clientName != nil else { return refused(.helloFirst, &output) }
        if configuration.service == .submission {
            guard session.isTLS else { return refused(.startTLSFirst, &output) }
            guard session.login != nil else { return refused(.authenticateFirst, &output) }
        }
        guard transaction == nil else { return refused(.nestedMail, &output) }
        guard mail.size ?? 0 <= limits.messageOctets else { return refused(.tooLarge(limits.messageOctets), &output) }
        guard mail.isUTF8 || mail.reversePath?.isASCII ?? true else { return refused(.senderNeedsUTF8, &output) }
        state = .deciding(.mail(mail))
        return .mail(mail)
    }

    private mutating func add(_ rcpt: SMTPRcpt, _ output: inout ByteBuffer) -> Action? {
        guard let transaction, !transaction.isOpen, transaction.chunks == nil else {
            return refused(.mailFirst, &output)
        }
        guard transaction.recipients < limits.recipients else {
            reply(.tooManyRecipients, &output)
            return nil
        }
        if case .mailbox(let address) = rcpt.path, !address.isASCII, !transaction.mail.isUTF8 {
            refuseRecipient(.recipientNeedsUTF8, &output)
            return nil
        }
        state = .deciding(.rcpt)
        return .rcpt(rcpt)
    }

    private mutating func refused(_ reply: SMTPReply, _ output: inout ByteBuffer) -> Action? {
        refuse(reply, &output)
        return nil
    }

    mutating func refuseRecipient(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        self.reply(reply, &output)
        refusedRecipients += 1
        if refusedRecipients >= limits.refusedRecipients { tooManyErrors(&output) }
    }

    // MARK: Decisions

    /// The answer to `mail`, `rcpt`, `begin` or `end`.
    package mutating func decided(_ verdict: SMTPVerdict, _ output: inout ByteBuffer) {
        guard case .deciding(let question) = state else { preconditionFailure("nothing was asked") }
        state = .command
        if case .close(let reply) = verdict {
            if case .end = question { transaction?.isOpen = false }
            return close(reply, &output)
        }
        switch question {
        case .mail(let mail): decidedMail(mail, verdict, &output)
        case .rcpt: decidedRecipient(verdict, &output)
        case .beginText: decidedText(verdict, &output)
        case .beginChunk(let octets, let isLast): decidedChunk(verdict, octets, isLast)
        case .end: decidedEnd(verdict, &output)
        case .authenticate: preconditionFailure("a login was asked about")
        }
    }

    private mutating func decidedMail(_ mail: SMTPMail, _ verdict: SMTPVerdict, _ output: inout ByteBuffer) {
        switch verdict {
        case .accept(let text):
            transaction = Transaction(mail: mail)
            reply(text.map { SMTPReply(250, .code(2, 1, 0), $0) } ?? .senderOk, &output)
        case .refuse(let answer), .close(let answer): refuse(answer, &output)
        }
    }

    private mutating func decidedRecipient(_ verdict: SMTPVerdict, _ output: inout ByteBuffer) {
        switch verdict {
        case .accept(let text):
            transaction?.recipients += 1
            reply(text.map { SMTPReply(250, .code(2, 1, 5), $0) } ?? .recipientOk, &output)
        case .refuse(let answer), .close(let answer): refuseRecipient(answer, &output)
        }
    }
}
