// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SASL
import Wire

@testable import SMTP

/// A machine with an owner that knows `example.org`: ann and bob take mail, full@ never does, ann's password is `secret`.
struct ServerUnderTest: ~Copyable {
    var machine: SMTPServerMachine
    var input = ByteBuffer()
    var output = ByteBuffer()
    var messages: [[UInt8]] = []
    var aborts = 0
    var recipients: [SMTPRcpt.Path] = []
    var lastAction = "read"
    var storeFails = false
    private var message: [UInt8] = []

    init(_ configuration: SMTPServerConfiguration, isTLS: Bool) {
        machine = SMTPServerMachine(configuration, isTLS: isTLS)
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes)
        run()
    }

    mutating func run() {
        while true {
            switch machine.next(&input, &output) {
            case .read:
                lastAction = "read"
                return
            case .startTLS:
                lastAction = "TLS"
                return
            case .close:
                lastAction = "CLOSE"
                return
            case .authenticate(let credentials):
                let isRight =
                    credentials.authenticationID == Array("ann@example.org".utf8)
                    && credentials.password.withOctets { $0 == Array("secret".utf8) }
                machine.authenticated(isRight ? .accept(login: credentials.authenticationID) : .refuse, &output)
            case .mail(let mail):
                recipients = []
                let isBlocked = mail.reversePath == EmailAddress("blocked@example.net")
                machine.decided(isBlocked ? .refuse(SMTPReply(550, .init(5, 7, 1), "Go away")) : .accept(), &output)
            case .rcpt(let rcpt):
                machine.decided(verdict(rcpt.path), &output)
            case .begin:
                message = []
                machine.decided(.accept(), &output)
            case .store:
                message += machine.content.array()
                machine.content.removeAll()
                if storeFails { machine.storeFailed(SMTPReply(452, .init(4, 3, 1), "Disk full")) }
            case .end:
                messages.append(message)
                machine.decided(.accept("Ok: m\(messages.count)"), &output)
            case .abort: aborts += 1
            }
        }
    }

    private mutating func verdict(_ path: SMTPRcpt.Path) -> SMTPVerdict {
        guard case .mailbox(let address) = path else {
            recipients.append(path)
            return .accept()
        }
        guard address.domain == Domain("example.org") else {
            return .refuse(SMTPReply(550, .init(5, 7, 1), "Relaying denied"))
        }
        guard ["ann", "bob"].contains(address.localPart.span.repairedUTF8String()) else {
            return .refuse(SMTPReply(550, .init(5, 1, 1), "No such user"))
        }
        recipients.append(path)
        return .accept()
    }

    mutating func takeOutput() -> String {
        defer { output.removeAll() }
        return output.bytes.repairedUTF8String()
    }
}
