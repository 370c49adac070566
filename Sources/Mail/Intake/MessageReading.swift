// SPDX-License-Identifier: Apache-2.0

package import Storage

/// Reads spooled octets into what the store keeps of a message.
package protocol MessageReading: Sendable {
    func read(_ body: SpooledBody) async throws -> NewContent
}
