// SPDX-License-Identifier: Apache-2.0

import SASL
import Wire

@testable import POP3

/// A machine with an owner that knows ann, whose password is `secret`, and the messages of her maildrop.
struct POP3ServerUnderTest: ~Copyable {
    static let messages = [
        "Subject: one\r\n\r\n.dot\r\nb\r\nc\r\n", "Subject: two\r\n\r\nx", "", "Subject: \0\r\n\r\n\0\r\n",
        "Subject: gone\r\n\r\n", "Subject: \u{FC}\r\n\r\n", "Subject: unavailable\r\n\r\n",
    ].map { Array($0.utf8) }

    var machine: POP3ServerMachine
    var input = ByteBuffer()
    var output = ByteBuffer()
    var lastAction = "read"
    /// What was deleted, or nil where nothing was to be.
    var deleted: [Int]?
    var canDelete = true
    /// Octets of a message that are supplied together.
    let piece: Int
    private var open: ArraySlice<UInt8> = []

    init(_ configuration: POP3ServerConfiguration, isTLS: Bool, piece: Int) {
        machine = POP3ServerMachine(configuration, isTLS: isTLS)
        self.piece = piece
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes)
        run()
    }

    mutating func run() {
        while true {
            switch machine.next(&input, &output) {
            case .read: return lastAction = "read"
            case .startTLS: return lastAction = "TLS"
            case .close: return lastAction = "CLOSE"
            case .write: return lastAction = "write"
            case .authenticate(let credentials): machine.authenticated(verdict(credentials), &output)
            case .open(let index):
                open = Self.messages[index][...]
                let isUnavailable = open.starts(with: Array("Subject: unav".utf8))
                let isGone = open.starts(with: Array("Subject: gone".utf8))
                let needsUTF8 = open.contains { $0 >= 0x80 } && !machine.session.isUTF8
                machine.opened(
                    isUnavailable ? .unavailable : isGone ? .gone : needsUTF8 ? .needsUTF8 : .begin,
                    &output
                )
            case .content:
                machine.content.append(open.prefix(piece))
                open = open.dropFirst(piece)
                machine.supplied(isEnd: open.isEmpty)
            case .update(let indices):
                if canDelete { deleted = indices }
                machine.updated(canDelete, &output)
            }
        }
    }

    private func verdict(_ credentials: SASLCredentials) -> POP3LoginVerdict {
        switch String(decoding: credentials.authenticationID, as: UTF8.self) {
        case "ann":
            guard credentials.password.withOctets({ $0 == Array("secret".utf8) }) else { return .refuse }
            var maildrop = POP3Maildrop()
            for (index, message) in Self.messages.enumerated() {
                maildrop.append(size: Int64(message.count), uniqueID: Array("id\(index + 1)".utf8))
            }
            return .accept(maildrop)
        case "empty": return .accept(POP3Maildrop())
        case "busy": return .throttled
        case "broken": return .unavailable
        default: return .refuse
        }
    }
}
