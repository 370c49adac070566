// SPDX-License-Identifier: Apache-2.0

import Backends
import JSON
import MailTypes
import Runtime
import Storage
import Sync
import Wire

/// An account with what is kept of its servers.
struct ShownAccount: Sendable {
    let account: AccountRow
    let servers: [RemoteServer]
    let state: RemoteAccountState?
    let staleSince: Timestamp?
    /// Of its tokens.
    let provider: String?

    init(_ account: AccountRow, in view: some StoreView) throws {
        self.account = account
        servers = account.kind == .local ? [] : try view.remoteServers.list(of: account.key)
        state = account.kind == .local ? nil : try view.mirror.state(of: account.key)
        staleSince = account.kind == .local ? nil : try view.mirror.staleSince(of: account.key)
        provider = account.kind == .local ? nil : try view.oauthGrants.get(account.key)?.provider
    }
}

extension API {
    /// An account as the API shows it.
    func write(_ shown: ShownAccount, to writer: inout JSONWriter) {
        let account = shown.account
        writer.beginObject()
        writer.key("id")
        writer.string { account.id.append(to: &$0) }
        writer.key("kind")
        writer.string(account.kind.rawValue)
        writer.key("address")
        writer.string(account.address.octets)
        writer.key("alias")
        writer.string(account.alias)
        writer.key("displayName")
        writer.string(account.displayName)
        writer.key("createdAt")
        writer.timestamp(account.created)
        if account.kind != .local { writeRemote(shown, to: &writer) }
        writer.endObject()
    }

    private func writeRemote(_ shown: ShownAccount, to writer: inout JSONWriter) {
        for server in shown.servers {
            switch server.service {
            case .imap: writer.key("imap")
            case .pop3: writer.key("pop3")
            case .smtp: writer.key("smtp")
            }
            writer.remoteServer(server, provider: shown.provider)
        }
        let status = mailboxes[shown.account.key]?.status
        writer.key("connection")
        writer.beginObject()
        writer.key("state")
        writer.string(shown.state?.condition.rawValue ?? "connecting")
        writer.key("since")
        writer.timestamp(shown.state?.since)
        writer.key("activity")
        writer.string(status?.phase.rawValue)
        writer.key("connections")
        writer.number(status?.connections ?? 0)
        writer.key("waiting")
        writer.number(status?.waiting ?? 0)
        writer.key("retryAt")
        writer.timestamp(status?.retryAt)
        writer.key("lastError")
        writer.string(status?.lastFailure?.reason)
        writer.key("lastErrorCode")
        writer.string((status?.lastFailure).map { "\(APIProblem(remote: $0).code)" })
        writer.key("lastErrorAt")
        writer.timestamp(status?.lastErrorAt)
        writer.key("lastLookAt")
        writer.timestamp(status?.lastLookAt)
        writer.key("staleSince")
        writer.timestamp(shown.staleSince)
        writer.key("hosts")
        writer.beginArray()
        for server in shown.servers { write(mailboxes.standing(of: server), of: server, to: &writer) }
        writer.endArray()
        writer.endObject()
    }

    /// How things stand with one server, of which other accounts may have connections too.
    private func write(_ standing: HostLedger.Standing, of server: RemoteServer, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("service")
        writer.string(server.service.rawValue)
        writer.key("host")
        writer.string(standing.host)
        writer.key("connections")
        writer.number(standing.open)
        writer.key("waiting")
        writer.number(standing.waiting)
        writer.key("budget")
        if let budget = standing.budget { writer.number(budget) } else { writer.null() }
        writer.key("circuit")
        writer.string(standing.circuit.rawValue)
        writer.key("retryAt")
        let isWaiting = standing.waitMilliseconds > 0
        writer.timestamp(isWaiting ? Timestamp(milliseconds: clock.now() + standing.waitMilliseconds) : nil)
        writer.key("lastError")
        writer.string(standing.lastTrouble)
        writer.endObject()
    }
}

extension JSONField {
    /// A mailbox of one account: ASCII, and no quoted local part.
    func address() -> EmailAddress? {
        guard let text = text(minimum: 1, maximum: EmailAddress.maximumOctets) else { return nil }
        guard text.first != ASCII.quote, let address = try? EmailAddress(text.span, allowingUTF8: false) else {
            fail(.invalid, "must be an address such as ann@example.com")
            return nil
        }
        return address
    }

    /// ```
    /// alias = let-dig [*62( let-dig / "-" ) let-dig]        ; a-z and 0-9
    /// ```
    func alias() -> String? {
        guard let text = text(minimum: 1, maximum: 64) else { return nil }
        let isAlias =
            text.allSatisfy { ASCII.isLower($0) || ASCII.isDigit($0) || $0 == ASCII.hyphen }
            && text.first != ASCII.hyphen && text.last != ASCII.hyphen
        guard isAlias else {
            fail(.invalid, "must be of a-z, 0-9 and -, with no - at its ends")
            return nil
        }
        return text.span.utf8String()
    }

    /// Text on one line: no control characters.
    func line(minimum: Int = 0, maximum: Int) -> String? {
        guard let text = text(minimum: minimum, maximum: maximum) else { return nil }
        guard !text.contains(where: ASCII.isControl) else {
            fail(.invalid, "must not contain control characters")
            return nil
        }
        return text.span.utf8String()
    }

    var isNull: Bool { value == .null }
}
