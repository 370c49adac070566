// SPDX-License-Identifier: Apache-2.0

import Discovery
import HTTP
import MailTypes
import Storage
import Wire

extension API {
    /// The servers of a new account of which nothing is said but its address and this password; nil without one.
    ///
    /// Only servers that are surely enough the domain's are shown the password: others must be named by the caller.
    func discovered(for account: NewAccount, _ password: Secret?) async throws -> [RemoteServerBody]? {
        guard let password else { return nil }
        guard account.address.domain.literal == nil else {
            throw APIProblem.invalidField("/address", "invalid", "must be at a domain whose servers can be looked for")
        }
        let found = try await discover(account.address)
        guard let mailbox = found.sure(account.kind == .pop3 ? .pop3 : .imap) else {
            throw APIProblem(
                .unprocessableContent,
                "servers_not_found",
                "No server with the address's mail is known surely enough: name the servers."
            )
        }
        return [mailbox, found.sure(.smtp)].compactMap { $0.map { RemoteServerBody($0, password: password) } }
    }
}
