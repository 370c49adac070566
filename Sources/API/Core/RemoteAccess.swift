// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import Storage
import Sync
import Wire

extension API {
    /// What reaches the server at which the account's folders are; nil where they live here, as they do with POP3, which has
    /// none.
    func remoteMailbox(of account: AccountRow) throws -> RemoteMailbox? {
        guard account.kind == .imap else { return nil }
        guard let mailbox = mailboxes.mailbox(of: account.key) else {
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
        guard owner.kind != .local else { return }
        guard let remote = api.mailboxes[owner.key] else {
            throw APIProblem.unavailable("backend_unavailable", "The account is only just being set up.")
        }
        if let failure = await remote.refresh(milliseconds: 15_000) { throw failure }
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
