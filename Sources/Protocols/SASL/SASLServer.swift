// SPDX-License-Identifier: Apache-2.0

package import Wire

/// The mechanisms we serve, by their registered names, in the order we offer them.
package enum SASLMechanism: String, CaseIterable, Sendable {
    /// RFC 4616
    case plain = "PLAIN"
    /// draft-murchison-sasl-login: obsolete, still what some clients know.
    case login = "LOGIN"

    /// By its name in any ASCII case.
    package init?(name: Span<UInt8>) {
        let upper = name.array().map(ASCII.uppercased)
        guard let known = Self.allCases.first(where: { Array($0.rawValue.utf8) == upper }) else { return nil }
        self = known
    }
}

/// What a client claims to be.
///
/// Whether it is, somebody else decides.
package struct SASLCredentials: Sendable {
    /// Well-formed UTF-8 without NUL, 1…255 octets.
    package let authenticationID: [UInt8]
    /// Well-formed UTF-8 without NUL, 1…255 octets.
    package let password: Secret

    package init(authenticationID: [UInt8], password: Secret) {
        self.authenticationID = authenticationID
        self.password = password
    }
}

/// Why an exchange ended without credentials to check.
package enum SASLServerError: Error, Hashable, Sendable {
    /// The response is not what the mechanism's grammar says.
    case malformedResponse
    /// The client asks to act as somebody other than it is (RFC 4616 §2): nobody here may.
    case notAuthorized
}

/// The server's side of one exchange: decoded client responses in, challenges or credentials out.
///
/// It lives for one attempt of one connection and is thrown away with it, so nothing of it can reach another login. How
/// challenges and responses are written on the wire, and how a client aborts, is the protocol's matter around it.
package struct SASLServerExchange: Sendable {
    package enum Step: Sendable {
        /// Send this, not yet encoded, and hand in the answer.
        case challenge([UInt8])
        case credentials(SASLCredentials)
        case failure(SASLServerError)
    }

    /// No response of these mechanisms is longer: three fields of 255 octets and two NULs.
    package static let maximumResponseOctets = 767

    private enum State: Sendable {
        case plain
        case loginUser
        case loginPassword(user: [UInt8])
        case finished
    }

    private var state: State

    package init(_ mechanism: SASLMechanism) {
        switch mechanism {
        case .plain: state = .plain
        case .login: state = .loginUser
        }
    }

    /// The first step.
    ///
    /// `initialResponse` is nil where the client sent none, which is not the same as an empty one.
    package mutating func start(initialResponse: [UInt8]?) -> Step {
        if let initialResponse { return received(initialResponse) }
        switch state {
        case .plain, .finished, .loginPassword: return .challenge([])
        case .loginUser: return .challenge(Array("Username:".utf8))
        }
    }

    /// The client's response to the last challenge, decoded.
    package mutating func received(_ response: [UInt8]) -> Step {
        let current = state
        state = .finished
        guard response.count <= Self.maximumResponseOctets else { return .failure(.malformedResponse) }
        switch current {
        case .plain: return Self.plain(response)
        case .loginUser:
            guard Self.isField(response[...]) else { return .failure(.malformedResponse) }
            state = .loginPassword(user: response)
            return .challenge(Array("Password:".utf8))
        case .loginPassword(let user):
            guard Self.isField(response[...]) else { return .failure(.malformedResponse) }
            return .credentials(SASLCredentials(authenticationID: user, password: Secret(response)))
        case .finished: return .failure(.malformedResponse)
        }
    }

    /// ```
    /// message   = [authzid] UTF8NUL authcid UTF8NUL passwd
    /// authcid   = 1*SAFE ; MUST accept up to 255 octets
    /// ```
    /// RFC 4616 §2. An authorization identity is accepted if it says, octet by octet, what the authentication identity says.
    private static func plain(_ response: [UInt8]) -> Step {
        let fields = response.split(separator: 0, omittingEmptySubsequences: false)
        guard fields.count == 3, isField(fields[1]), isField(fields[2]) else { return .failure(.malformedResponse) }
        guard fields[0].isEmpty || fields[0].elementsEqual(fields[1]) else { return .failure(.notAuthorized) }
        return .credentials(
            SASLCredentials(authenticationID: Array(fields[1]), password: Secret(Array(fields[2])))
        )
    }

    private static func isField(_ field: ArraySlice<UInt8>) -> Bool {
        (1...255).contains(field.count) && !field.contains(0) && Array(field).span.utf8String() != nil
    }
}
