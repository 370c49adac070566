// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SASL
import SMTP
import Wire

/// The first octet chooses dialect, TLS, credentials and the size of pieces; the rest is what a server sends.
///
/// What must hold: the machine ends its turn, sends nothing secret in clear, and tells of each recipient once.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    guard let name = Domain("client.example"), let ann = EmailAddress("ann@example.org"),
        let bob = EmailAddress("bob@example.org")
    else { return 0 }
    var configuration = SMTPClientConfiguration(clientName: name) { Array("nonce".utf8) }
    configuration.dialect = choice & 1 == 0 ? .smtp : .lmtp
    configuration.tls = choice & 2 == 0 ? .opportunistic : .asIs
    configuration.usesChunking = choice & 4 != 0
    if choice & 8 != 0 {
        configuration.credentials = SASLClientCredentials(
            authenticationID: Array("user".utf8),
            proof: .password(Secret(Array("Geheimnis".utf8)))
        )
    }
    var machine = SMTPClientMachine(configuration, isTLS: false)
    var input = ByteBuffer()
    var output = ByteBuffer()
    var text = 0
    var isUnderWay = false
    let piece = [1, 3, 64, 1 << 20][Int(choice >> 4 & 3)]
    var start = 1
    while start < bytes.count {
        input.append(bytes[start..<min(start + piece, bytes.count)])
        start += piece
        turn: while true {
            switch machine.next(&input, &output) {
            case .read: break turn
            case .close: return 0
            case .startTLS:
                precondition(input.isEmpty)
                machine.tlsEstablished(isVerified: choice & 64 != 0, channelBinding: nil, &output)
            case .derive: machine.derived([UInt8](repeating: 7, count: 32), &output)
            case .ready:
                precondition(!isUnderWay)
                if machine.transactions > 20 { return 0 }
                isUnderWay = true
                machine.begin(SMTPEnvelope(reversePath: nil, recipients: [ann, bob], octets: 10), &output)
            case .text:
                text += 1
                machine.supply(Array("x\n.\r".utf8).span, isLast: text % 3 == 0, &output)
                // A real owner sends before it asks for more.
                if text > 200 { return 0 }
            case .finished(let results):
                precondition(isUnderWay && results.count == 2)
                isUnderWay = false
            }
        }
        output.removeAll()
    }
    return 0
}
