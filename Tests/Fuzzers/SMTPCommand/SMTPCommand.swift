// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SMTP
import Wire

/// The first octet chooses service, TLS, line ends and the size of pieces; the rest is what a client sends.
///
/// What must hold: the machine ends its turn, its replies are lines, and no message it hands out has a line end that is
/// not CRLF.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    guard let name = Domain("mx.example.org") else { return 0 }
    var limits = SMTPServerConfiguration.Limits()
    limits.messageOctets = 2000
    limits.headerOctets = 500
    limits.commandOctets = 200
    limits.textLineOctets = 100
    let configuration = SMTPServerConfiguration(
        service: choice & 1 == 0 ? .exchange : .submission,
        hostName: name,
        offersStartTLS: true,
        lineEnds: choice & 2 == 0 ? .reject : .normalize,
        limits: limits
    )
    var client = FuzzedClient(SMTPServerMachine(configuration, isTLS: choice & 4 != 0))
    let piece = [1, 2, 7, 1 << 20][Int(choice >> 3 & 3)]
    // The greeting comes before anything the client says.
    client.receive([])
    var start = 1
    while start < bytes.count, !client.isClosed {
        client.receive(Array(bytes[start..<min(start + piece, bytes.count)]))
        start += piece
    }
    return 0
}

struct FuzzedClient: ~Copyable {
    var machine: SMTPServerMachine
    var input = ByteBuffer()
    var output = ByteBuffer()
    var message: [UInt8] = []
    var logins = 0
    var isClosed = false

    init(_ machine: consuming SMTPServerMachine) { self.machine = machine }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes)
        var steps = 0
        while !isClosed {
            steps += 1
            precondition(steps < 10_000 + 10 * bytes.count, "the machine does not end its turn")
            switch machine.next(&input, &output) {
            case .read:
                checkReplies()
                return
            case .startTLS:
                precondition(input.isEmpty)
                machine.tlsEstablished()
            case .close: isClosed = true
            case .authenticate:
                logins += 1
                machine.authenticated(logins.isMultiple(of: 2) ? .refuse : .accept(login: [0x61]), &output)
            case .mail, .rcpt: machine.decided(.accept(), &output)
            case .begin:
                message = []
                machine.decided(.accept(), &output)
            case .store:
                message += machine.content.array()
                machine.content.removeAll()
                if message.count > 1900 { machine.storeFailed(SMTPReply(452, nil, "full")) }
            case .end:
                checkMessage()
                machine.decided(.accept(), &output)
            case .abort: message = []
            }
        }
        checkReplies()
    }

    private mutating func checkReplies() {
        let bytes = output.array()
        output.removeAll()
        guard !bytes.isEmpty else { return }
        precondition(bytes.suffix(2) == [13, 10])
        for line in bytes.dropLast(2).split(separator: 10, omittingEmptySubsequences: false) {
            precondition(line.count >= 4 && line.prefix(3).allSatisfy(ASCII.isDigit), "not a reply line")
            precondition(line.dropLast().allSatisfy { $0 != 13 && $0 < 0x80 })
        }
    }

    private func checkMessage() {
        var previous: UInt8 = 0
        for (index, byte) in message.enumerated() {
            precondition(byte != 0, "NUL")
            if byte == 10 { precondition(previous == 13, "bare LF") }
            if byte == 13 { precondition(index + 1 < message.count && message[index + 1] == 10, "bare CR") }
            previous = byte
        }
    }
}
