// SPDX-License-Identifier: Apache-2.0

package import Crypto
import Wire

/// The hash of a SCRAM mechanism.
package enum SCRAMHash: Sendable {
    case sha1, sha256

    package var algorithm: HashAlgorithm {
        switch self {
        case .sha1: .sha1
        case .sha256: .sha256
        }
    }
}

/// The client's side of SCRAM (RFC 5802, RFC 7677).
///
/// ```
/// client-first-message = gs2-header client-first-message-bare
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]
/// client-final-message = channel-binding "," nonce ["," extensions] "," proof
/// server-final-message = (server-error / verifier) ["," extensions]
/// ```
/// Names and passwords are used as the octets they are; no string preparation (RFC 4013) is applied, as ASCII needs none.
struct SCRAMClient: Sendable {
    enum Binding: Sendable {
        /// We could not bind to the channel.
        case none
        /// We could, the server did not offer it.
        case possible
        case used(SASLChannelBinding?)
    }

    private enum State: Sendable {
        case first
        case deriving(clientFinalWithoutProof: [UInt8], authMessage: [UInt8])
        case final(serverSignature: [UInt8])
        case verified
        case failed
    }

    static let rounds: ClosedRange<UInt64> = 4096...200_000

    private let hash: SCRAMHash
    private let password: Secret
    private let nonce: [UInt8]
    private let header: [UInt8]
    private let bindingData: [UInt8]
    private let firstBare: [UInt8]
    private var state = State.first

    init(_ hash: SCRAMHash, authenticationID: [UInt8], password: Secret, nonce: [UInt8], binding: Binding) {
        self.hash = hash
        self.password = password
        self.nonce = nonce
        switch binding {
        case .none:
            header = Array("n,,".utf8)
            bindingData = []
        case .possible:
            header = Array("y,,".utf8)
            bindingData = []
        case .used(let binding):
            header = Array("p=\(binding?.kind.rawValue ?? ""),,".utf8)
            bindingData = binding?.data ?? []
        }
        firstBare = Array("n=".utf8) + Self.escaped(authenticationID) + Array(",r=".utf8) + nonce
    }

    /// `saslname`: a comma as `=2C`, an equals sign as `=3D`.
    static func escaped(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte in
            switch byte {
            case ASCII.comma: Array("=2C".utf8)
            case ASCII.equals: Array("=3D".utf8)
            default: [byte]
            }
        }
    }

    var firstMessage: [UInt8] { header + firstBare }

    var isVerified: Bool {
        if case .verified = state { return true }
        return false
    }

    mutating func received(_ message: [UInt8]) -> SASLClientExchange.Step {
        switch state {
        case .first: return receivedFirst(message)
        case .final(let signature): return receivedFinal(message, expecting: signature)
        case .deriving, .verified, .failed: return fail(.malformedChallenge)
        }
    }

    private mutating func fail(_ error: SASLClientError) -> SASLClientExchange.Step {
        state = .failed
        return .abort(error)
    }

    private mutating func receivedFirst(_ message: [UInt8]) -> SASLClientExchange.Step {
        let fields = message.split(separator: ASCII.comma, omittingEmptySubsequences: false)
        if let error = value(fields[0], "e") { return fail(.refused(Array(error).span.repairedUTF8String())) }
        // An extension we do not know and must (m=) is not ours to pass over (RFC 5802 §5.1).
        guard fields.count >= 3, let combined = value(fields[0], "r"), let salt64 = value(fields[1], "s"),
            let count = value(fields[2], "i"), let salt = Base64.decode(Array(salt64).span), !salt.isEmpty,
            salt.count <= 1024, combined.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return fail(.malformedChallenge) }
        guard combined.count > nonce.count, combined.starts(with: nonce) else { return fail(.serverNotAuthentic) }
        guard let rounds = StrictInteger.decimal(count, maximum: Self.rounds.upperBound), Self.rounds.contains(rounds)
        else { return fail(.badIterationCount) }
        let binding = Base64.encode(header + bindingData)
        let withoutProof = Array("c=".utf8) + binding + Array(",r=".utf8) + combined
        let authMessage = firstBare + [ASCII.comma] + message + [ASCII.comma] + withoutProof
        state = .deriving(clientFinalWithoutProof: withoutProof, authMessage: authMessage)
        return .derive(SCRAMKeyDerivation(hash: hash, password: password, salt: salt, rounds: UInt32(rounds)))
    }

    mutating func derived(_ salted: [UInt8]) -> SASLClientExchange.Step {
        guard case .deriving(let withoutProof, let authMessage) = state else { return fail(.malformedChallenge) }
        let algorithm = hash.algorithm
        let clientKey = algorithm.authenticationCode(of: Array("Client Key".utf8), key: salted)
        let storedKey = algorithm.digest(clientKey)
        let clientSignature = algorithm.authenticationCode(of: authMessage, key: storedKey)
        let serverKey = algorithm.authenticationCode(of: Array("Server Key".utf8), key: salted)
        state = .final(serverSignature: algorithm.authenticationCode(of: authMessage, key: serverKey))
        let proof = zip(clientKey, clientSignature).map { $0 ^ $1 }
        return .respond(withoutProof + Array(",p=".utf8) + Base64.encode(proof))
    }

    private mutating func receivedFinal(_ message: [UInt8], expecting signature: [UInt8]) -> SASLClientExchange.Step {
        let fields = message.split(separator: ASCII.comma, omittingEmptySubsequences: false)
        if let error = value(fields[0], "e") { return fail(.refused(Array(error).span.repairedUTF8String())) }
        guard let verifier = value(fields[0], "v"), let given = Base64.decode(Array(verifier).span) else {
            return fail(.malformedChallenge)
        }
        guard ConstantTime.equals(given, signature) else { return fail(.serverNotAuthentic) }
        state = .verified
        return .respond([])
    }

    /// What stands behind `name=`; nil where the attribute is another.
    private func value(_ field: ArraySlice<UInt8>, _ name: StaticString) -> ArraySlice<UInt8>? {
        guard field.count > 2, field[field.startIndex] == name.utf8Start[0],
            field[field.startIndex + 1] == ASCII.equals
        else { return nil }
        return field.dropFirst(2)
    }
}
