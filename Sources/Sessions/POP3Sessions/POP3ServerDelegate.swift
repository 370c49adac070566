// SPDX-License-Identifier: Apache-2.0

package import POP3
package import SASL
package import Wire

/// Who decides for one connection: whom to believe, what is in the maildrop, what a message says.
///
/// Calls come one at a time, in the order of the dialogue. Messages are named by their index in the maildrop that was given at
/// the login.
package protocol POP3ServerDelegate: AnyObject {
    func authenticate(_ credentials: SASLCredentials, _ session: POP3ServerSession) async -> POP3LoginVerdict
    /// A message is wanted; whatever was open before is not.
    func open(_ message: Int, _ session: POP3ServerSession) async -> POP3RetrievalVerdict
    /// Appends the open message's next octets, at most some 64 KiB; true for the last of them.
    ///
    /// By what it throws the connection is closed.
    func content(into octets: inout ByteBuffer) async throws -> Bool
    /// The open message is no longer wanted, or was sent.
    func closeMessage()
    /// Deletes the messages, all of them or none; whether they are, lastingly.
    func delete(_ messages: [Int]) async -> Bool
    /// A reply was given.
    func replied(_ record: POP3ServerRecord)
}
