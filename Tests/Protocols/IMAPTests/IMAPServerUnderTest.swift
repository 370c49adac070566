// SPDX-License-Identifier: Apache-2.0

import SASL
import TestSupport
import Wire

@testable import IMAP

/// A machine with an owner that knows ann, whose password is `secret`, and who says of each command what it was.
struct IMAPServerUnderTest: ~Copyable {
    var machine: IMAPServerMachine
    var input = ByteBuffer()
    var encoder = IMAPResponseEncoder()
    var lastAction = "read"
    /// What was kept, and what the owner was told, in the order in which that was.
    var told: [String] = []
    /// What came of the messages of an APPEND.
    private var messages: [[UInt8]] = []

    init(_ configuration: IMAPServerConfiguration, isTLS: Bool) {
        machine = IMAPServerMachine(configuration, isTLS: isTLS)
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes)
        run()
    }

    mutating func run() {
        while true {
            switch machine.next(&input, &encoder) {
            case .read: return lastAction = "read"
            case .startTLS: return lastAction = "TLS"
            case .compress: return lastAction = "COMPRESS"
            case .close: return lastAction = "CLOSE"
            case .write: break
            case .authenticate(let credentials): machine.authenticated(Self.verdict(credentials), &encoder)
            case .perform(let command, let tag): machine.performed(perform(command, tag), &encoder)
            case .enabled: told.append("enabled")
            case .idle(let isIdle):
                told.append(isIdle ? "idling" : "not idling")
                if isIdle { encoder.write(.exists(3)) }
            case .appendBegins(let append, let number):
                let refusal = begin(append, number)
                machine.appendDecided(refusal, &encoder)
            case .appendOctets:
                let octets = machine.content.array()
                messages[messages.count - 1] += octets
                let isFull = messages[messages.count - 1].starts(with: Array("full".utf8))
                machine.appendTaken(isFull ? IMAPStatus(.no, .overQuota, "Full") : nil)
            case .appendEnds:
                told += messages.map { "kept \(Said.octets($0) as String)" }
                let uids = IMAPNumberSet(1...UInt32(messages.count))
                messages = []
                machine.appendEnded(IMAPStatus(.ok, .appendUID(validity: 7, uids: uids), "Kept"), &encoder)
            case .appendAborted:
                told.append("aborted")
                messages = []
            }
        }
    }

    private static func verdict(_ credentials: SASLCredentials) -> IMAPLoginVerdict {
        switch String(decoding: credentials.authenticationID, as: UTF8.self) {
        case "ann": credentials.password.withOctets { $0 == Array("secret".utf8) } ? .accept : .refuse
        case "busy": .throttled
        case "broken": .unavailable
        default: .refuse
        }
    }

    private mutating func begin(_ append: IMAPAppend, _ number: Int) -> IMAPStatus? {
        told.append("message \(number) of \(append.octets)")
        if append.mailbox.octets == Array("none".utf8) {
            return IMAPStatus(.no, .tryCreate, "There is no such mailbox")
        }
        messages.append([])
        return nil
    }

    /// Its words as an untagged response; no mailbox is called `none`, and `readonly` may not be changed.
    private mutating func perform(_ command: IMAPCommand, _ tag: [UInt8]) -> IMAPStatus {
        encoder.output.append("* DID ")
        encoder.output.append(utf8: IMAPClientCommandEncoderTests.written(command).replacing("␍␊", with: ""))
        if machine.session.usesModSeq { encoder.output.append(" modseqs") }
        encoder.output.appendLineEnd()
        guard case .select(let selection) = command else { return IMAPStatus(.ok, nil, "Done") }
        switch String(decoding: selection.mailbox.octets, as: UTF8.self) {
        case "none": return IMAPStatus(.no, .nonExistent, "There is no such mailbox")
        case "readonly": return IMAPStatus(.ok, .readOnly, "Selected")
        default: return IMAPStatus(.ok, selection.isReadOnly ? .readOnly : .readWrite, "Selected")
        }
    }
}
