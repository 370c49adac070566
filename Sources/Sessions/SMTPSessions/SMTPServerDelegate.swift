// SPDX-License-Identifier: Apache-2.0

package import SASL
package import SMTP
package import Wire

/// Who decides for one connection: whom to believe, whose mail to take, where to keep it.
///
/// Calls come one at a time, in the order of the dialogue. `session` is what is known of the client at that moment.
package protocol SMTPServerDelegate: AnyObject {
    func authenticate(_ credentials: SASLCredentials, _ session: SMTPSession) async -> SMTPAuthenticationVerdict
    /// A transaction begins; whatever an earlier one left unfinished is void.
    func mail(_ mail: SMTPMail, _ session: SMTPSession) async -> SMTPVerdict
    func recipient(_ rcpt: SMTPRcpt, _ session: SMTPSession) async -> SMTPVerdict
    /// A message begins for the recipients accepted.
    func messageBegins(_ session: SMTPSession) async -> SMTPVerdict
    /// Takes the message's next octets out of `octets`.
    ///
    /// A reply means that they could not be kept; no more come, and the client gets the reply.
    func message(_ octets: inout ByteBuffer) async -> SMTPReply?
    /// The message is complete. Acceptance takes responsibility for it: only after it is kept lastingly.
    func messageEnds(_ session: SMTPSession) async -> SMTPVerdict
    /// The message that began will not be completed.
    func messageAborted()
    /// A reply was given.
    func replied(_ record: SMTPServerRecord)
}
