// SPDX-License-Identifier: Apache-2.0

import Storage

/// Why something could not be done at a remote account's server.
package enum RemoteError: Error, Hashable, Sendable {
    /// No connection, or it broke: nothing is known to have changed there.
    case unavailable(String)
    /// The server does not take the credentials; in its words.
    case authentication(String)
    /// The server said no; in its words, with the response code it gave, if any.
    case refused(String, code: String?)
    /// The server has no room.
    case overQuota(String)
    /// As many connections as are allowed are in use, or as the server lets us have.
    case busy(String)
    /// The server cannot do this at all.
    case unsupported(String)
    /// The message or folder is there no more.
    case gone

    /// The folder's UIDVALIDITY is another than the mirror knows.
    static let renumbered = unavailable("The folder's messages have other numbers now; they are being looked at.")

    /// Whether it says nothing of other messages.
    var isOfMessage: Bool {
        switch self {
        case .refused, .unsupported, .overQuota, .gone: true
        case .unavailable, .authentication, .busy: false
        }
    }

    /// In one line, for people.
    package var reason: String {
        switch self {
        case .unavailable(let text), .authentication(let text), .overQuota(let text), .busy(let text),
            .unsupported(let text), .refused(let text, _):
            text
        case .gone: "It is gone."
        }
    }
}
