// SPDX-License-Identifier: Apache-2.0

import Crypto
package import Wire

/// The mechanisms we use towards other people's servers, by their registered names, best first.
package enum SASLClientMechanism: String, CaseIterable, Sendable {
    /// RFC 7677, bound to the TLS channel (RFC 5802 §6).
    case scramSHA256Plus = "SCRAM-SHA-256-PLUS"
    case scramSHA256 = "SCRAM-SHA-256"
    /// RFC 5802
    case scramSHA1Plus = "SCRAM-SHA-1-PLUS"
    case scramSHA1 = "SCRAM-SHA-1"
    /// RFC 4616
    case plain = "PLAIN"
    /// draft-murchison-sasl-login: what some servers offer alone.
    case login = "LOGIN"
    /// RFC 7628
    case oauthBearer = "OAUTHBEARER"
    /// Google's forerunner of OAUTHBEARER, which Gmail, Microsoft and Yahoo offer.
    case xoauth2 = "XOAUTH2"

    /// By its name in any ASCII case.
    package init?(name: Span<UInt8>) {
        let upper = name.array().map(ASCII.uppercased)
        guard let known = Self.allCases.first(where: { Array($0.rawValue.utf8) == upper }) else { return nil }
        self = known
    }

    /// Whether it shows the secret itself to the server, so that only a verified TLS connection may carry it.
    package var revealsSecret: Bool {
        switch self {
        case .plain, .login, .oauthBearer, .xoauth2: true
        case .scramSHA256Plus, .scramSHA256, .scramSHA1Plus, .scramSHA1: false
        }
    }

    var isBound: Bool { self == .scramSHA256Plus || self == .scramSHA1Plus }
}

/// What we log in with at a server.
package struct SASLClientCredentials: Sendable {
    package enum Proof: Sendable {
        case password(Secret)
        /// An OAuth 2.0 access token (RFC 6750).
        case bearerToken(Secret)
    }

    /// UTF-8 without NUL, 1…255 octets.
    package let authenticationID: [UInt8]
    package let proof: Proof

    /// Nil where an identity or a secret is empty or holds a NUL, or a token an octet that cannot stand in one.
    package init?(authenticationID: [UInt8], proof: Proof) {
        guard (1...255).contains(authenticationID.count), !authenticationID.contains(0),
            authenticationID.span.utf8String() != nil
        else { return nil }
        let isFit =
            switch proof {
            case .password(let secret): secret.withOctets { !$0.isEmpty && !$0.contains(0) }
            case .bearerToken(let token):
                token.withOctets { !$0.isEmpty && $0.allSatisfy { (0x21...0x7E).contains($0) } }
            }
        guard isFit else { return nil }
        self.authenticationID = authenticationID
        self.proof = proof
    }
}

/// The TLS channel that SCRAM's `-PLUS` mechanisms are bound to.
package struct SASLChannelBinding: Hashable, Sendable {
    package enum Kind: String, Sendable {
        /// RFC 9266, for TLS 1.3.
        case tlsExporter = "tls-exporter"
        /// RFC 5929 §4.
        case tlsServerEndPoint = "tls-server-end-point"
    }

    package let kind: Kind
    package let data: [UInt8]

    package init(_ kind: Kind, _ data: [UInt8]) {
        self.kind = kind
        self.data = data
    }
}

/// Why we ended an exchange.
package enum SASLClientError: Error, Hashable, Sendable {
    /// A challenge that the mechanism's grammar has no place for.
    case malformedChallenge
    /// The server's nonce does not continue ours, or its signature is not made with our password's keys: not the server
    /// that knows us.
    case serverNotAuthentic
    /// An iteration count outside 4,096…200,000 (RFC 7677 §4): too few to be safe, or so many that they cost us time.
    case badIterationCount
    /// An error of the mechanism's own, in its own words: SCRAM's `e=`, or the JSON that an OAuth mechanism sends.
    case refused(String)
}

/// A password to be turned into SCRAM's salted one: it takes long, so it is asked for as an action.
package struct SCRAMKeyDerivation: Sendable {
    package let hash: SCRAMHash
    package let password: Secret
    package let salt: [UInt8]
    /// 4,096…200,000.
    package let rounds: UInt32

    /// `SaltedPassword := Hi(Normalize(password), salt, i)` (RFC 5802 §3); takes some milliseconds, to a tenth of a second.
    package func saltedPassword() -> [UInt8] {
        password.withOctets { hash.algorithm.derivedKey(password: $0, salt: salt, rounds: rounds) }
    }
}

/// The client's side of one exchange: challenges in, responses out.
///
/// How either is written on the wire is the protocol's matter around it. The exchange serves one attempt.
package struct SASLClientExchange: Sendable {
    package enum Step: Sendable {
        /// Send this, not yet encoded.
        case respond([UInt8])
        /// Derive the key, for which a thread that may block is the place, and call ``derived(_:)``.
        case derive(SCRAMKeyDerivation)
        /// Abort the exchange, as the protocol has it.
        case abort(SASLClientError)
    }

    private enum State: Sendable {
        case plain
        case loginUser, loginPassword
        case oauth(refusal: [UInt8])
        case scram(SCRAMClient)
        /// Nothing more is to be said by us.
        case spent
    }

    package let mechanism: SASLClientMechanism
    private let credentials: SASLClientCredentials
    private var state: State
    /// What a failed OAuth exchange was told.
    private var refusal: SASLClientError?
    private let hostName: [UInt8]
    private let port: UInt16

    /// - Parameters:
    ///   - nonce: printable octets without comma that were never used before; 18 random octets in base64 will do.
    ///   - channelBinding: of the connection, for a `-PLUS` mechanism; nil where there is none.
    ///   - hostName, port: of the server, which OAUTHBEARER tells it.
    ///
    /// Nil where the mechanism does not fit the credentials, or needs a binding that is not there.
    package init?(
        _ mechanism: SASLClientMechanism,
        _ credentials: SASLClientCredentials,
        nonce: [UInt8],
        channelBinding: SASLChannelBinding? = nil,
        hostName: [UInt8] = [],
        port: UInt16 = 0
    ) {
        self.mechanism = mechanism
        self.credentials = credentials
        self.hostName = hostName
        self.port = port
        switch (mechanism, credentials.proof) {
        case (.plain, .password): state = .plain
        case (.login, .password): state = .loginUser
        case (.oauthBearer, .bearerToken): state = .oauth(refusal: [1])
        case (.xoauth2, .bearerToken): state = .oauth(refusal: [])
        case (.scramSHA256Plus, .password(let secret)), (.scramSHA256, .password(let secret)),
            (.scramSHA1Plus, .password(let secret)), (.scramSHA1, .password(let secret)):
            guard !mechanism.isBound || channelBinding != nil else { return nil }
            let isSHA256 = mechanism == .scramSHA256Plus || mechanism == .scramSHA256
            state = .scram(
                SCRAMClient(
                    isSHA256 ? .sha256 : .sha1,
                    authenticationID: credentials.authenticationID,
                    password: secret,
                    nonce: nonce,
                    // A binding that the server did not offer to use is said to be possible, so that nobody can hide
                    // the offer from us unseen (RFC 5802 §6).
                    binding: mechanism.isBound ? .used(channelBinding) : channelBinding == nil ? .none : .possible
                )
            )
        default: return nil
        }
    }

    /// The best mechanism among those offered that these credentials and this connection can use.
    ///
    /// - Parameter isConfidential: whether the connection is TLS with a verified peer: without it no mechanism is used that
    ///   reveals the secret.
    package static func choose(
        among offered: Set<SASLClientMechanism>,
        for credentials: SASLClientCredentials,
        isConfidential: Bool,
        hasChannelBinding: Bool
    ) -> SASLClientMechanism? {
        let fitting: [SASLClientMechanism] =
            switch credentials.proof {
            case .password: [.scramSHA256Plus, .scramSHA256, .scramSHA1Plus, .scramSHA1, .plain, .login]
            case .bearerToken: [.oauthBearer, .xoauth2]
            }
        return fitting.first {
            offered.contains($0) && (isConfidential || !$0.revealsSecret) && (hasChannelBinding || !$0.isBound)
        }
    }

    /// What may go with the command that begins the exchange; nil where the server speaks first.
    package var initialResponse: [UInt8]? {
        switch state {
        case .plain: Self.secret(credentials) { [0] + credentials.authenticationID + [0] + $0 }
        case .loginUser, .loginPassword, .spent: nil
        case .oauth: Self.secret(credentials) { oauthResponse($0) }
        case .scram(let scram): scram.firstMessage
        }
    }

    private static func secret(_ credentials: SASLClientCredentials, _ body: ([UInt8]) -> [UInt8]) -> [UInt8] {
        switch credentials.proof {
        case .password(let secret), .bearerToken(let secret): secret.withOctets(body)
        }
    }

    /// ```
    /// client-resp    = (gs2-header kvsep *kvpair kvsep) / kvsep        ; OAUTHBEARER, RFC 7628 §3.1
    /// "user=" userName ^A "auth=Bearer " accessToken ^A ^A             ; XOAUTH2
    /// ```
    private func oauthResponse(_ token: [UInt8]) -> [UInt8] {
        let bearer = Array("auth=Bearer ".utf8) + token + [1, 1]
        guard mechanism == .oauthBearer else {
            return Array("user=".utf8) + credentials.authenticationID + [1] + bearer
        }
        var response = Array("n,a=".utf8) + SCRAMClient.escaped(credentials.authenticationID) + [ASCII.comma, 1]
        if !hostName.isEmpty {
            response += Array("host=".utf8) + hostName + [1] + Array("port=".utf8)
            var digits = ByteBuffer()
            digits.append(decimal: UInt64(port))
            response += digits.array() + [1]
        }
        return response + bearer
    }

    /// The server's next challenge, decoded.
    ///
    /// `sentInitialResponse` says whether ``initialResponse`` went with the command: otherwise the first challenge, which is
    /// empty, asks for it.
    package mutating func received(_ challenge: [UInt8], sentInitialResponse: Bool) -> Step {
        if !sentInitialResponse, isFresh, let initialResponse {
            isFresh = false
            if case .plain = state { state = .spent }
            return challenge.isEmpty ? .respond(initialResponse) : .abort(.malformedChallenge)
        }
        isFresh = false
        switch state {
        // Whatever the prompts say: servers differ, and translate them.
        case .loginUser:
            state = .loginPassword
            return .respond(credentials.authenticationID)
        case .loginPassword:
            state = .spent
            return .respond(Self.secret(credentials) { $0 })
        case .oauth(let answer):
            refusal = .refused(challenge.span.repairedUTF8String())
            state = .spent
            return .respond(answer)
        case .scram(var scram):
            let step = scram.received(challenge)
            state = .scram(scram)
            return step
        case .plain, .spent: return .abort(.malformedChallenge)
        }
    }

    private var isFresh = true

    /// The salted password that was asked for.
    package mutating func derived(_ saltedPassword: [UInt8]) -> Step {
        guard case .scram(var scram) = state else { return .abort(.malformedChallenge) }
        let step = scram.derived(saltedPassword)
        state = .scram(scram)
        return step
    }

    /// The server says that we are logged in; nil where that can be believed.
    ///
    /// `data` is what it sent with the success, where the protocol has a place for that.
    package mutating func succeeded(with data: [UInt8]? = nil) -> SASLClientError? {
        guard case .scram(var scram) = state else { return nil }
        if let data, !scram.isVerified { _ = scram.received(data) }
        state = .spent
        return scram.isVerified ? nil : .serverNotAuthentic
    }

    /// Why the server refuses, where the mechanism told it before the protocol did.
    package var reasonOfRefusal: SASLClientError? { refusal }
}
