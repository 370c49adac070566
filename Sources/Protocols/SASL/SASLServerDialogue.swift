// SPDX-License-Identifier: Apache-2.0

package import Wire

/// One exchange as servers of SMTP and POP3 write it: challenges and responses are lines of base64, and `*` cancels.
///
/// Who may begin one, and what follows from each step, is the protocol's matter. It is thrown away with its outcome.
/// (RFC 4954 §4, RFC 5034 §4.)
package struct SASLServerDialogue: Sendable {
    package enum Step: Sendable {
        /// The output has the challenge; hand in the line that answers it.
        case challenged
        case credentials(SASLCredentials)
        /// The client took the exchange back.
        case cancelled
        case failure(SASLServerError)
    }

    private var exchange: SASLServerExchange
    private let mark: StaticString

    /// Nil where the mechanism is not among those offered.
    ///
    /// - Parameters:
    ///   - mechanism: its name in any ASCII case.
    ///   - mark: what stands before a challenge, the blank included.
    package init?(_ mechanism: Span<UInt8>, among offered: [SASLMechanism], mark: StaticString) {
        guard let known = SASLMechanism(name: mechanism), offered.contains(known) else { return nil }
        exchange = SASLServerExchange(known)
        self.mark = mark
    }

    /// The first step.
    ///
    /// - Parameter initialResponse: in base64 still; nil where the client sent none, which is not the same as an empty one.
    package mutating func begin(_ initialResponse: [UInt8]?, _ output: inout ByteBuffer) -> Step {
        guard let initialResponse else { return take(exchange.start(initialResponse: nil), &output) }
        // A single "=" is the initial response that is there and empty.
        guard let decoded = initialResponse == [ASCII.equals] ? [] : Base64.decode(initialResponse.span) else {
            return .failure(.malformedResponse)
        }
        return take(exchange.start(initialResponse: decoded), &output)
    }

    /// The line, without its CRLF, that answers the last challenge.
    package mutating func received(_ line: [UInt8], _ output: inout ByteBuffer) -> Step {
        guard line != [ASCII.asterisk] else { return .cancelled }
        guard let decoded = Base64.decode(line.span) else { return .failure(.malformedResponse) }
        return take(exchange.received(decoded), &output)
    }

    private func take(_ step: SASLServerExchange.Step, _ output: inout ByteBuffer) -> Step {
        switch step {
        case .challenge(let challenge):
            output.append(mark)
            output.append(Base64.encode(challenge))
            output.appendLineEnd()
            return .challenged
        case .credentials(let credentials): return .credentials(credentials)
        case .failure(let error): return .failure(error)
        }
    }
}
