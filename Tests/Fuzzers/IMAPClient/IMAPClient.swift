// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import SASL
import Wire

/// The first octet chooses TLS, credentials and the size of pieces; the rest is what a server sends to a client that asks for
/// one thing after another.
///
/// What must hold: the machine ends its turn, tells the end of each command once, and shows no secret before it may.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    var configuration = IMAPClientConfiguration { Array("nonce".utf8) }
    configuration.tls = choice & 1 == 0 ? .asIs : .required
    configuration.usesCompression = choice & 2 != 0
    let hasCredentials = choice & 4 != 0
    if hasCredentials {
        configuration.credentials = SASLClientCredentials(
            authenticationID: Array("user".utf8),
            proof: .password(Secret(Array("Geheimnis".utf8)))
        )
    }
    var mayShow = choice & 8 != 0
    var machine = IMAPClientMachine(configuration, isTLS: mayShow, isVerified: mayShow)
    var input = ByteBuffer()
    var output = ByteBuffer()
    var open: Set<IMAPClientMachine.CommandID> = []
    var asked = 0
    let piece = [1, 3, 64, 1 << 20][Int(choice >> 4 & 3)]
    var start = 1
    while start < bytes.count {
        let end = min(start + piece, bytes.count)
        input.append(bytes[start..<end])
        start = end
        turn: while true {
            switch machine.next(&input, &output) {
            case .read:
                guard machine.isReady, open.isEmpty, asked < 40 else { break turn }
                for command in commands {
                    asked += 1
                    do throws(IMAPClientCommandError) {
                        open.insert(try machine.submit(command, &output))
                    } catch {
                        preconditionFailure("our own commands can be written")
                    }
                }
            case .close: return 0
            case .startTLS:
                precondition(input.isEmpty)
                mayShow = choice & 64 != 0
                machine.tlsEstablished(isVerified: mayShow, channelBinding: nil, &output)
            case .derive: machine.derived([UInt8](repeating: 7, count: 32), &output)
            case .startCompression: machine.compressionStarted(&output)
            case .event(.completed(let id, _)): precondition(open.remove(id) != nil)
            case .event(.idling(let id)): machine.endIdle(id, &output)
            case .event(.wantsOctets(_, let octets)):
                machine.supply([UInt8](repeating: 65, count: Int(octets)).span, &output)
            case .event: break
            }
        }
        if !mayShow { precondition(!holdsSecret(output.bytes)) }
        output.removeAll()
    }
    return 0
}

private let commands: [IMAPCommand] = [
    .select(IMAPSelection(.inbox)), .fetch(IMAPFetchRequest(.uids(IMAPNumberSet(1...9)), [.envelope])),
    .search(IMAPSearchRequest(.text(Array("ü".utf8)))), .list(IMAPListRequest(status: [.messages])),
    .append(IMAPAppend(.inbox, octets: 5)), .move(.uids(IMAPNumberSet(1...9)), to: .inbox), .idle, .noop,
]

private func holdsSecret(_ bytes: Span<UInt8>) -> Bool {
    // The password, and the first digits of PLAIN's response.
    let secrets = [Array("Geheimnis".utf8), Array("AHVzZXIAR2VoZWlt".utf8)]
    for secret in secrets where bytes.count >= secret.count {
        for offset in 0...bytes.count - secret.count {
            if bytes.extracting(offset..<offset + secret.count).array() == secret { return true }
        }
    }
    return false
}
