// SPDX-License-Identifier: Apache-2.0

import JSON

/// One thing that must be so for requests to be sent here.
///
/// Whoever knows of such a thing adds a check to ``APIConfiguration/readinessChecks``; `/readyz` asks them all.
package struct ReadinessCheck: Sendable {
    package struct Finding: Sendable {
        package let isGood: Bool
        /// What was found, in a few words without secrets: anybody may read it.
        package let detail: String

        package init(isGood: Bool, _ detail: String) {
            self.isGood = isGood
            self.detail = detail
        }
    }

    package let name: StaticString
    /// Runs on an event loop, for each request: what blocks belongs behind an `await`.
    package let look: @Sendable () async -> Finding

    package init(_ name: StaticString, _ look: @escaping @Sendable () async -> Finding) {
        self.name = name
        self.look = look
    }
}
