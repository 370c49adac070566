// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import Storage
import Sync
import Wire

extension API {
    /// What reaches the account's server; nil for an account whose mail lives here.
    func remoteMailbox(of account: AccountRow) throws -> RemoteMailbox? {
        guard account.kind == .imap else { return nil }
        guard let mailbox = mailboxes[account.key] else {
            throw APIProblem.unavailable("backend_unavailable", "The account is only just being set up.")
        }
        return mailbox
    }
}

extension Call {
    /// Has the mirror of a remote account compared with its server first, where the request says that it wants no cached
    /// answer (RFC 9111 §5.2.1.4).
    func refreshIfAsked() async throws {
        guard asksForFresh else { return }
        let (reference, caller) = (account, caller)
        let owner = try await store.read { try reference.resolve(in: $0, for: caller) }
        guard let mailbox = try api.remoteMailbox(of: owner) else { return }
        guard await mailbox.refresh(milliseconds: 15_000), mailbox.status.isConnected else {
            throw mailbox.status.lastFailure ?? RemoteError.unavailable("The account's server did not answer in time.")
        }
    }

    private var asksForFresh: Bool {
        exchange.fields.first("Cache-Control").map { value in
            value.split(separator: ASCII.comma).contains { directive in
                ASCII.equalsIgnoringCase(directive.filter { !ASCII.isWhitespace($0) }, "no-cache")
            }
        } ?? false
    }
}

extension APIProblem {
    /// What went wrong at a remote account's server: told apart from what is wrong here.
    init(remote error: RemoteError) {
        switch error {
        case .unavailable(let reason): self = .unavailable("backend_unavailable", reason)
        case .busy(let reason): self = .unavailable("backend_rate_limited", reason)
        case .authentication(let reason): self = .unavailable("backend_authentication_failed", reason)
        case .refused(let words, let code):
            self.init(.conflict, "backend_refused", code.map { "[\($0)] \(words)" } ?? words)
        case .overQuota(let words): self.init(.insufficientStorage, "backend_over_quota", words)
        case .unsupported(let reason): self.init(.conflict, "backend_unsupported", reason)
        case .gone: self.init(.notFound, "not_found", "The server has it no more.")
        }
    }
}
