// SPDX-License-Identifier: Apache-2.0

import Accounts
import JSON
import Runtime
import Wire

/// Passwords as requests bring them.
enum Passwords {
    static let characters = 8...200

    /// The password of a member, held so that it cannot be printed.
    static func read(_ field: JSONField) -> Secret? {
        field.line(minimum: characters.lowerBound, maximum: characters.upperBound).map { Secret(Array($0.utf8)) }
    }
}

extension API {
    /// What is kept of a password.
    ///
    /// It takes a tenth of a second, on a thread for such things.
    func verifier(of password: Secret?) async throws -> [UInt8]? {
        guard let password else { return nil }
        let rounds = configuration.passwordRounds
        return try await workers.run { ScramVerifier(deriving: password, rounds: rounds).octets }
    }
}
