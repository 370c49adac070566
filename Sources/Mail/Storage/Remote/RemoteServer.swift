// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite

/// What a server does for an account.
package enum RemoteService: String, CaseIterable, Hashable, Sendable {
    case imap, pop3, smtp
}

/// How a connection to a server is kept private.
package enum RemoteSecurity: String, CaseIterable, Hashable, Sendable {
    /// TLS from the first octet (RFC 8314 §3).
    case implicit
    /// Asked for by a command of the protocol, before anything else is said.
    case starttls
    /// In the clear, because somebody asked for it by name.
    case none
}

/// What proves who we are.
package enum RemoteCredential: String, CaseIterable, Hashable, Sendable {
    /// The server asks for nothing.
    case none
    case password
    /// An access token, renewed by the account's provider (RFC 7628).
    case oauth2
}

/// What becomes of a delivery whose last answer never came.
package enum UnknownOutcome: String, CaseIterable, Hashable, Sendable {
    /// It is tried once more: the recipient may get it twice.
    case retry
    /// It is only said: the recipient may never get it.
    case report
}

/// One server of a remote account.
package struct RemoteServer: Hashable, Sendable {
    package var service: RemoteService
    /// A name or an address.
    package var host: String
    package var port: UInt16
    package var security: RemoteSecurity
    package var username: String
    package var credential: RemoteCredential
    /// Encrypted for this account and service; nil with ``RemoteCredential/none``.
    package var secret: [UInt8]?
    /// The SHA-256 of the certificate that is trusted whatever the authorities say; 32 octets.
    package var pin: [UInt8]?
    /// POP3: days after which what was fetched is deleted there, 0 for at once; nil to keep it.
    package var deleteAfterDays: Int?
    /// SMTP.
    package var onUnknown: UnknownOutcome
    /// SMTP: whether the server files what it is given in the Sent folder itself; nil where that is found out.
    package var filesSent: Bool?

    package init(
        service: RemoteService,
        host: String,
        port: UInt16,
        security: RemoteSecurity,
        username: String,
        credential: RemoteCredential,
        secret: [UInt8]?,
        pin: [UInt8]? = nil,
        deleteAfterDays: Int? = nil,
        onUnknown: UnknownOutcome = .retry,
        filesSent: Bool? = nil
    ) {
        self.service = service
        self.host = host
        self.port = port
        self.security = security
        self.username = username
        self.credential = credential
        self.secret = secret
        self.pin = pin
        self.deleteAfterDays = deleteAfterDays
        self.onUnknown = onUnknown
        self.filesSent = filesSent
    }

    /// Whether what the other one's UIDs mean holds here too.
    package func isSameMailbox(as other: RemoteServer) -> Bool {
        host == other.host && port == other.port && username == other.username
    }

    static let columns = "service, host, port, security, username, credential, secret, pin, options"

    init(_ row: consuming SQLiteRow) throws {
        guard let service = RemoteService(rawValue: row.string(0)), let port = UInt16(exactly: row.int64(2)),
            let security = RemoteSecurity(rawValue: row.string(3)),
            let credential = RemoteCredential(rawValue: row.string(5))
        else { throw StoreError.corrupt("a remote server's row is malformed") }
        self.init(
            service: service,
            host: row.string(1),
            port: port,
            security: security,
            username: row.string(4),
            credential: credential,
            secret: row.optionalArray(6),
            pin: row.optionalArray(7)
        )
        for option in row.string(8).split(separator: " ") { read(option) }
    }

    /// The options, words with spaces between them.
    var options: String {
        var words: [String] = []
        if let deleteAfterDays { words.append("delete-after=\(deleteAfterDays)") }
        if onUnknown != .retry { words.append("on-unknown=\(onUnknown.rawValue)") }
        if let filesSent { words.append("files-sent=\(filesSent)") }
        return words.joined(separator: " ")
    }

    private mutating func read(_ option: Substring) {
        let halves = option.split(separator: "=", maxSplits: 1)
        guard halves.count == 2 else { return }
        switch halves[0] {
        case "delete-after": deleteAfterDays = Int(halves[1])
        case "on-unknown": onUnknown = UnknownOutcome(rawValue: String(halves[1])) ?? .retry
        case "files-sent": filesSent = halves[1] == "true"
        default: break
        }
    }
}

/// The servers of remote accounts.
package struct RemoteServers<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var remoteServers: RemoteServers<Self> { RemoteServers(view: self) }
}

extension RemoteServers {
    package func get(_ service: RemoteService, of account: AccountKey) throws -> RemoteServer? {
        try connection.first(
            built: "SELECT \(RemoteServer.columns) FROM remote_servers WHERE account = ?1 AND service = ?2",
            [account, service.rawValue]
        ) { try RemoteServer($0) }
    }

    package func list(of account: AccountKey) throws -> [RemoteServer] {
        try connection.all(
            built: "SELECT \(RemoteServer.columns) FROM remote_servers WHERE account = ?1 ORDER BY service",
            [account]
        ) { try RemoteServer($0) }
    }
}

extension RemoteServers where View == Transaction {
    /// Puts the server in the place of the account's one for that service.
    package func put(_ server: RemoteServer, of account: AccountKey) throws {
        try connection.run(
            """
            INSERT OR REPLACE INTO remote_servers (account, service, host, port, security, username, credential, secret, pin,
                options) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """,
            account,
            server.service.rawValue,
            server.host,
            Int64(server.port),
            server.security.rawValue,
            server.username,
            server.credential.rawValue,
            server.secret,
            server.pin,
            server.options
        )
    }

    /// Takes the account's server for that service away.
    package func remove(_ service: RemoteService, of account: AccountKey) throws {
        try connection.run(
            "DELETE FROM remote_servers WHERE account = ?1 AND service = ?2",
            account,
            service.rawValue
        )
    }
}
