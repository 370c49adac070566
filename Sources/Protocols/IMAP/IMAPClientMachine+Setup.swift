// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Wire

/// From the greeting to the first command.
extension IMAPClientMachine {
    /// A command of our own.
    enum Step: Hashable, Sendable { case capability, startTLS, login, id, enable, namespace, compress }

    mutating func greeted(_ response: IMAPResponse, _ output: inout ByteBuffer) {
        guard case .status(let status) = response else { return close(.unsolicited(.greeting)) }
        switch status.condition {
        case .ok: break
        case .preauth: return close(.preauthenticated)
        case .bye, .no, .bad: return close(.refused(.greeting, status))
        }
        if case .capability(let capabilities) = status.code { take(capabilities) }
        state = .setup
        proceed(&output)
    }

    /// Takes the next step, when no other is under way.
    private mutating func proceed(_ output: inout ByteBuffer) {
        guard underWay.isEmpty, !isClosed else { return }
        switch stage {
        case .greeted:
            guard hasFreshCapabilities else { return send(.capability, .capability, &output) }
            guard isTLS || configuration.tls == .asIs else {
                guard capabilities.contains(.startTLS) else { return close(.tlsNotOffered) }
                return send(.startTLS, .startTLS, &output)
            }
            stage = .secured
            logIn(&output)
        case .secured:
            // A login without new capabilities: those from before it count no more.
            guard hasFreshCapabilities else { return send(.capability, .capability, &output) }
            stage = .authenticated
            parser.limits = configuration.limits
            identify(&output)
        case .authenticated:
            stage = .identified
            guard configuration.usesCompression, capabilities.contains(.compressDeflate) else {
                return proceed(&output)
            }
            send(.compress, .compress, &output)
        case .identified, .compressed: becomeReady(&output)
        }
    }

    private mutating func becomeReady(_ output: inout ByteBuffer) {
        stage = .compressed
        state = .ready
        events.append(.ready)
        sendWaiting(&output)
    }

    private mutating func send(_ step: Step, _ command: IMAPCommand, _ output: inout ByteBuffer) {
        do throws(IMAPClientCommandError) {
            try send(command, .setup(step), &output)
        } catch {
            // Only the user's name or password can be what no string holds.
            close(.noCommonMechanism)
        }
    }

    /// The answer to a command of our own.
    mutating func finished(_ step: Step, _ status: IMAPStatus, _ output: inout ByteBuffer) {
        switch step {
        case .capability:
            guard status.condition == .ok, hasFreshCapabilities else { return close(.refused(.capability, status)) }
        case .startTLS:
            guard status.condition == .ok else { return close(.refused(.startTLS, status)) }
            state = .handshake
            return
        case .login:
            if let error = exchange?.cancellation { return close(.authentication(error)) }
            guard status.condition == .ok else { return close(.refused(.authentication, status)) }
            let failure = exchange?.succeeded()
            exchange = nil
            if let failure { return close(.authentication(failure)) }
        case .compress:
            stage = .compressed
            if status.condition == .ok {
                state = .compressing
                return
            }
        // Without them the session goes on as well.
        case .id, .enable, .namespace: break
        }
        proceed(&output)
    }

    /// The handshake is done.
    ///
    /// Nothing that was said before it counts (RFC 9051 §6.2.1).
    package mutating func tlsEstablished(
        isVerified: Bool,
        channelBinding: SASLChannelBinding?,
        _ output: inout ByteBuffer
    ) {
        guard case .handshake = state else { preconditionFailure("no handshake was asked for") }
        isTLS = true
        self.isVerified = isVerified
        self.channelBinding = channelBinding
        forget()
        state = .setup
        proceed(&output)
    }

    private mutating func forget() {
        capabilities = IMAPCapabilities()
        hasFreshCapabilities = false
        enabled = []
        namespaces = nil
        serverIdentification = []
    }

    /// Both directions are compressed.
    package mutating func compressionStarted(_ output: inout ByteBuffer) {
        guard case .compressing = state else { preconditionFailure("no compression was asked for") }
        state = .setup
        proceed(&output)
    }

    // MARK: Logging in

    private mutating func logIn(_ output: inout ByteBuffer) {
        guard let credentials = configuration.credentials else { return proceed(&output) }
        let isConfidential = isTLS && isVerified || configuration.allowsSecretsInClear
        hasFreshCapabilities = false
        exchange = SASLClientDialogue(
            among: capabilities.mechanisms,
            for: credentials,
            isConfidential: isConfidential,
            channelBinding: channelBinding,
            makeNonce: configuration.makeNonce,
            hostName: configuration.hostName,
            port: configuration.port
        )
        guard let mechanism = exchange?.mechanism else {
            guard case .password(let password) = credentials.proof, isConfidential,
                !capabilities.contains(.loginDisabled)
            else { return close(.noCommonMechanism) }
            return send(.login, .login(user: credentials.authenticationID, password: password), &output)
        }
        let response = capabilities.contains(.saslIR) ? exchange?.initialResponse() : nil
        send(.login, .authenticate(mechanism: mechanism.rawValue, initialResponse: response), &output)
    }

    mutating func receivedChallenge(_ text: [UInt8], _ output: inout ByteBuffer) {
        guard exchange?.cancellation == nil, let step = exchange?.received(text, &output) else {
            return close(.unsolicited(.authentication))
        }
        take(step)
    }

    /// The answer to `derive`.
    package mutating func derived(_ saltedPassword: [UInt8], _ output: inout ByteBuffer) {
        guard case .deriving = state, let step = exchange?.derived(saltedPassword, &output) else {
            preconditionFailure("no key was asked for")
        }
        state = .setup
        take(step)
    }

    private mutating func take(_ step: SASLClientDialogue.Step) {
        switch step {
        // Where it was cancelled, the session goes with it once the server has said NO or BAD.
        case .responded, .cancelled: break
        case .derive(let key): state = .deriving(key)
        }
    }

    // MARK: After the login

    /// Three questions at once: none depends on the answer to another.
    private mutating func identify(_ output: inout ByteBuffer) {
        guard configuration.credentials != nil else {
            stage = .identified
            return proceed(&output)
        }
        if capabilities.contains(.id), !configuration.identification.isEmpty {
            send(.id, .id(configuration.identification), &output)
        }
        let wanted = configuration.enables.filter { capabilities.contains($0) }
        if capabilities.contains(.enable), !wanted.isEmpty { send(.enable, .enable(wanted), &output) }
        if capabilities.contains(.namespace) { send(.namespace, .namespace, &output) }
        proceed(&output)
    }
}
