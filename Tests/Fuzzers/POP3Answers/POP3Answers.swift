// SPDX-License-Identifier: Apache-2.0

import POP3
import SASL
import Wire

/// The first octet chooses TLS, credentials and the size of pieces; the rest is what a server sends.
///
/// What must hold: the machine ends its turn, sends nothing secret in clear, and tells of each command once.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    var configuration = POP3ClientConfiguration { Array("nonce".utf8) }
    configuration.tls = choice & 1 == 0 ? .required : .asIs
    configuration.maximumMessageOctets = 100
    if choice & 2 != 0 {
        configuration.credentials = SASLClientCredentials(
            authenticationID: Array("user".utf8),
            proof: .password(Secret(Array("Geheimnis".utf8)))
        )
    }
    var machine = POP3ClientMachine(configuration, isTLS: choice & 4 != 0, isVerified: choice & 4 != 0)
    var input = ByteBuffer()
    var output = ByteBuffer()
    var asked = 0
    var finished = 0
    let commands: [POP3Command] = [
        .stat, .list(nil), .uidl(nil), .list(3), .uidl(3), .retr(1), .top(2, lines: 0), .dele(1),
    ]
    let piece = [1, 3, 64, 1 << 20][Int(choice >> 4 & 3)]
    var start = 1
    while start < bytes.count {
        input.append(bytes[start..<min(start + piece, bytes.count)])
        start += piece
        turn: while true {
            switch machine.next(&input, &output) {
            case .read: break turn
            case .close:
                precondition(finished <= asked)
                return 0
            case .startTLS:
                precondition(input.isEmpty)
                machine.tlsEstablished(isVerified: choice & 64 != 0, channelBinding: nil, &output)
            case .derive: machine.derived([UInt8](repeating: 7, count: 32), &output)
            case .ready:
                guard machine.canSend, asked < 100 else { return 0 }
                repeat {
                    machine.send(commands[asked % commands.count], &output)
                    asked += 1
                } while machine.canSend && asked % 5 != 0
            case .listing: precondition(asked > finished)
            case .text:
                precondition(!machine.text.isEmpty && machine.text.count < 70_000 + bytes.count)
                machine.text.removeAll()
            case .finished:
                finished += 1
                precondition(finished <= asked)
            }
        }
        if !machine.isTLS { precondition(!output.array().contains(subsequence: Array("Geheimnis".utf8))) }
        output.removeAll()
    }
    return 0
}

extension [UInt8] {
    fileprivate func contains(subsequence: [UInt8]) -> Bool {
        guard count >= subsequence.count else { return false }
        return (0...(count - subsequence.count)).contains {
            self[$0..<($0 + subsequence.count)].elementsEqual(subsequence)
        }
    }
}
