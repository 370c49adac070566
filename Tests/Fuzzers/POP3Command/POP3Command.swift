// SPDX-License-Identifier: Apache-2.0

import POP3
import Wire

/// The first octet chooses TLS and the size of pieces; the rest is what a client sends.
///
/// What must hold: the machine ends its turn, what it sends together is bounded, it sends lines, and only what was marked is
/// deleted.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    var limits = POP3ServerConfiguration.Limits()
    limits.commandOctets = 200
    limits.authenticationOctets = 300
    let configuration = POP3ServerConfiguration(hostName: "mx.example.org", offersStartTLS: true, limits: limits)
    let piece = [1, 2, 7, 1 << 20][Int(choice >> 1 & 3)]
    var client = FuzzedClient(POP3ServerMachine(configuration, isTLS: choice & 1 == 0), piece: piece)
    client.receive([])
    var start = 1
    while start < bytes.count, !client.isClosed {
        client.receive(Array(bytes[start..<min(start + piece, bytes.count)]))
        start += piece
    }
    return 0
}

struct FuzzedClient: ~Copyable {
    private static let messages = ["", ".\r\n", "a: b\r\n\r\n.x\r\ny", "\0\r\r\n\n."].map { Array($0.utf8) }

    var machine: POP3ServerMachine
    let piece: Int
    var input = ByteBuffer()
    var output = ByteBuffer()
    var isClosed = false
    private var open: ArraySlice<UInt8> = []
    private var logins = 0

    init(_ machine: consuming POP3ServerMachine, piece: Int) {
        self.machine = machine
        self.piece = piece
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes)
        var steps = 0
        while !isClosed {
            steps += 1
            precondition(steps < 10_000 + 100 * input.count, "the machine does not end its turn")
            precondition(output.count < 256 << 10, "too much is sent together")
            switch machine.next(&input, &output) {
            case .read:
                check()
                return
            case .write: check()
            case .startTLS:
                precondition(input.isEmpty)
                machine.tlsEstablished()
            case .close: isClosed = true
            case .authenticate:
                logins += 1
                machine.authenticated(logins.isMultiple(of: 2) ? .refuse : .accept(Self.maildrop), &output)
            case .open(let index):
                open = Self.messages[index][...]
                machine.opened(.begin, &output)
            case .content:
                machine.content.append(open.prefix(piece))
                open = open.dropFirst(piece)
                machine.supplied(isEnd: open.isEmpty)
            case .update(let indices):
                precondition(!indices.isEmpty && indices.allSatisfy { Self.messages.indices.contains($0) })
                machine.updated(true, &output)
            }
        }
        check()
    }

    private static var maildrop: POP3Maildrop {
        var maildrop = POP3Maildrop()
        for (index, message) in messages.enumerated() {
            maildrop.append(size: Int64(message.count), uniqueID: [0x61 + UInt8(index)])
        }
        return maildrop
    }

    /// No bare line end, no NUL; at the end of a turn the last line is ended.
    private mutating func check() {
        let bytes = output.array()
        output.removeAll()
        guard !bytes.isEmpty else { return }
        precondition(bytes.suffix(2) == [13, 10] || machine.isMessageOpen, "a line without an end")
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast() {
            precondition(line.last == 13 && !line.dropLast().contains(13), "a bare line end")
            precondition(!line.contains(0), "NUL")
        }
    }
}
