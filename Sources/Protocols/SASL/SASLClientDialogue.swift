// SPDX-License-Identifier: Apache-2.0

package import Wire

/// One exchange as SMTP, POP3 and IMAP write it: challenges and responses are lines of base64, and `*` cancels.
///
/// What marks a line as a challenge, and what follows from each step, is the protocol's matter. (RFC 4954 §4, RFC 5034 §4,
/// RFC 9051 §6.2.2.)
package struct SASLClientDialogue: Sendable {
    package enum Step: Sendable {
        /// The output has a response; the server's answer to it is awaited.
        case responded
        /// Answer by ``derived(_:_:)``, from a thread that may block.
        case derive(SCRAMKeyDerivation)
        /// The output has the `*`; the server's refusal is awaited, and ``cancellation`` says why.
        case cancelled
    }

    package var mechanism: SASLClientMechanism { exchange.mechanism }
    /// Why we took the exchange back; nil where we did not.
    package private(set) var cancellation: SASLClientError?
    private var exchange: SASLClientExchange
    private var sentInitialResponse = false

    /// By the best mechanism among those offered that these credentials and this connection can use; nil where there is none.
    ///
    /// - Parameters:
    ///   - isConfidential: whether the secret may be shown.
    ///   - channelBinding: of the connection, where it has one.
    ///   - makeNonce, hostName, port: as ``SASLClientExchange/init(_:_:nonce:channelBinding:hostName:port:)`` has them.
    package init?(
        among offered: Set<SASLClientMechanism>,
        for credentials: SASLClientCredentials,
        isConfidential: Bool,
        channelBinding: SASLChannelBinding?,
        makeNonce: () -> [UInt8],
        hostName: [UInt8],
        port: UInt16
    ) {
        let mechanism = SASLClientExchange.choose(
            among: offered,
            for: credentials,
            isConfidential: isConfidential,
            hasChannelBinding: channelBinding != nil
        )
        guard let mechanism,
            let exchange = SASLClientExchange(
                mechanism,
                credentials,
                nonce: makeNonce(),
                channelBinding: channelBinding,
                hostName: hostName,
                port: port
            )
        else { return nil }
        self.exchange = exchange
    }

    /// What goes with the command that begins the exchange, in base64; nil where the mechanism has no such response, or it
    /// has more octets than that, so that the server is left to ask for it.
    package mutating func initialResponse(maximumOctets: Int = .max) -> [UInt8]? {
        guard let response = exchange.initialResponse.map({ Base64.encode($0) }), response.count <= maximumOctets else {
            return nil
        }
        sentInitialResponse = true
        return response
    }

    /// Begins as SMTP and POP3 do.
    ///
    /// ```
    /// "AUTH" SP mechanism [SP (initial-response / "=")]
    /// ```
    package mutating func begin(maximumInitialOctets: Int, _ output: inout ByteBuffer) {
        output.append("AUTH ")
        output.append(utf8: mechanism.rawValue)
        if let response = initialResponse(maximumOctets: maximumInitialOctets) {
            output.append(ASCII.space)
            // A single "=" is the response that is there and empty.
            output.append(response.isEmpty ? [ASCII.equals] : response)
        }
        output.appendLineEnd()
    }

    /// The server's next challenge, in base64 still.
    package mutating func received(_ challenge: [UInt8], _ output: inout ByteBuffer) -> Step {
        guard let octets = Base64.decode(challenge.span) else { return cancel(.malformedChallenge, &output) }
        return take(exchange.received(octets, sentInitialResponse: sentInitialResponse), &output)
    }

    /// The salted password that was asked for.
    package mutating func derived(_ saltedPassword: [UInt8], _ output: inout ByteBuffer) -> Step {
        take(exchange.derived(saltedPassword), &output)
    }

    private mutating func take(_ step: SASLClientExchange.Step, _ output: inout ByteBuffer) -> Step {
        switch step {
        case .respond(let response):
            output.append(Base64.encode(response))
            output.appendLineEnd()
            return .responded
        case .derive(let key): return .derive(key)
        case .abort(let error): return cancel(error, &output)
        }
    }

    private mutating func cancel(_ error: SASLClientError, _ output: inout ByteBuffer) -> Step {
        cancellation = error
        output.append("*\r\n")
        return .cancelled
    }

    /// The server says that we are logged in; nil where that can be believed.
    package mutating func succeeded() -> SASLClientError? { exchange.succeeded() }
}
