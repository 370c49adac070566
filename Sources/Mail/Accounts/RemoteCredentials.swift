// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Storage
package import Wire

/// The secrets of remote accounts' servers, sealed for the account and the service they are for.
package struct RemoteCredentials: Sendable {
    private let box: SecretBox

    package init(_ box: SecretBox) { self.box = box }

    package func seal(_ secret: Secret, for service: RemoteService, of account: AccountID) -> [UInt8] {
        secret.withOctets { box.seal($0, at: Self.place(service, account)) }
    }

    /// The secret that a server asks for; nil where it asks for none.
    package func open(_ server: RemoteServer, of account: AccountID) throws(SecretBox.Failure) -> Secret? {
        guard let sealed = server.secret else { return nil }
        return try box.open(sealed, at: Self.place(server.service, account))
    }

    private static func place(_ service: RemoteService, _ account: AccountID) -> SecretBox.Place {
        SecretBox.Place("remote_servers.secret", row: account.octets + Array(service.rawValue.utf8))
    }
}
