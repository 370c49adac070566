// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import SASL
package import Wire

/// Who answers for one connection: whom to believe, which mailboxes there are, what is in them.
///
/// Calls come one at a time, in the order of the dialogue, on the connection's loop. What is thrown ends the connection: it is
/// for what fails within a literal that was begun.
package protocol IMAPServerDelegate: AnyObject {
    func authenticate(_ credentials: SASLCredentials, _ session: IMAPServerSession) async -> IMAPLoginVerdict

    /// Performs a command: writes its untagged responses, and news of the mailbox where RFC 9051 §7 has a place for them, and
    /// returns how the tagged response is to read.
    ///
    /// Never comes with what the machine does itself: CAPABILITY, ID, LOGOUT, STARTTLS, LOGIN, AUTHENTICATE, ENABLE, COMPRESS, IDLE
    /// and APPEND. What needs a mailbox comes only where one is selected, what changes it only where it may be changed.
    ///
    /// With SELECT none is selected any more, whichever was before; only by OK the new one is.
    func perform(
        _ command: IMAPCommand,
        tag: [UInt8],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus

    /// ENABLE turned something on.
    func enabled(_ session: IMAPServerSession)

    /// A message is announced, of an APPEND's messages the one with this number, counted from 0.
    ///
    /// A status refuses it, and with it all of the command. What was begun before is given up by ``appendAborted()``, which comes
    /// only where the first one was taken.
    func appendBegins(_ append: IMAPAppend, number: Int, _ session: IMAPServerSession) async -> IMAPStatus?
    /// Takes the message's next octets, at most some 64 KiB, out of `octets`.
    ///
    /// A status means that they could not be kept: no more come, and ``appendAborted()`` follows.
    func append(_ octets: inout ByteBuffer) async -> IMAPStatus?
    /// All messages are there: OK takes responsibility for them, so only after they are kept lastingly, all of them or none.
    func appendEnds(_ session: IMAPServerSession, _ responses: IMAPServerResponses) async throws -> IMAPStatus
    /// The messages that were announced are not wanted any more.
    func appendAborted()

    /// IDLE begins or is over: whether the connection's socket is to be woken (``Sockets/StreamSocket/wake()``) when there is
    /// news.
    func idling(_ isIdle: Bool)
    /// Writes what is new in the selected mailbox: when IDLE begins, and each time that the socket was woken.
    func update(_ session: IMAPServerSession, _ responses: IMAPServerResponses) async throws

    /// An answer was given.
    func replied(_ record: IMAPServerRecord)
    /// The session is over, however that came.
    func sessionEnded()
}
