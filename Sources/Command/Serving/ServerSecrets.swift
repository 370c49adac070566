// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Configuration
internal import Logging

/// The key that secrets in the store are sealed with.
enum ServerSecrets {
    /// Makes the key at a first start; refuses one that does not open what is there.
    static func prepare(_ foundation: Server.Foundation) async throws -> SecretBox {
        let logger = foundation.logs.logger("secrets")
        do {
            return try await SecretKeyFile.prepare(
                given: foundation.settings.secret,
                previous: foundation.settings.previousSecret,
                directory: foundation.settings.data,
                store: foundation.store
            ) { logger.error("secrets are encrypted with two keys", metadata: ["err": "\($0)"]) }
        } catch let failure as SecretKeyFile.Failure {
            throw Server.Failure(description: failure.description)
        }
    }
}
