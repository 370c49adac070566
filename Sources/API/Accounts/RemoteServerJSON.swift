// SPDX-License-Identifier: Apache-2.0

import Accounts
import Discovery
import Egress
import JSON
import MailTypes
import Resolver
import Storage
import Wire

/// A server of a remote account as a request describes it.
struct RemoteServerBody: Sendable {
    let service: RemoteService
    let host: String
    let port: UInt16
    let security: RemoteSecurity
    let username: String
    /// Nil: the one that is known stays.
    let password: Secret?
    /// Instead of one.
    let authorisation: OAuthMember?
    let pin: [UInt8]?
    /// POP3: days after which what was fetched is deleted there; nil to keep it.
    let deleteAfterDays: Int?
    let onUnknown: UnknownOutcome
    let filesSent: Bool?

    /// Reads the member of that name, if it is there.
    static func take(_ service: RemoteService, from reader: inout JSONObjectReader) -> JSONField? {
        switch service {
        case .imap: reader.take("imap")
        case .pop3: reader.take("pop3")
        case .smtp: reader.take("smtp")
        }
    }

    init?(_ field: JSONField, _ service: RemoteService) {
        guard var reader = field.object() else { return nil }
        let host = reader.require("host").flatMap(Self.host)
        let tls = reader.take("tls")
        let security = tls.flatMap(Self.security) ?? (tls == nil ? .implicit : nil)
        let port = reader.take("port").map { $0.integer(in: 1...65_535).flatMap(UInt16.init(exactly:)) }
        let username = reader.require("username")?.line(minimum: 1, maximum: 320)
        let password = reader.take("password").flatMap(Self.password)
        let oauth2 = reader.take("oauth2")
        let authorisation = oauth2.flatMap(OAuthMember.init)
        if password != nil { oauth2?.fail(.invalid, "cannot be there beside a password") }
        let pin = reader.take("certificateSHA256").flatMap { $0.isNull ? nil : Self.pin($0) }
        let deleteAfterDays = service == .pop3 ? Self.deleteAfterDays(&reader) : .some(nil)
        let onUnknown = service == .smtp ? reader.take("onUnknown").flatMap(Self.unknownOutcome) : nil
        let filesSent = service == .smtp ? reader.take("filesSent").flatMap { $0.isNull ? nil : $0.bool() } : nil
        reader.finish()
        guard let host, let security, let username, port != .some(nil), let deleteAfterDays else { return nil }
        self.service = service
        self.host = host
        self.port = (port ?? nil) ?? Self.usualPort(service, security)
        self.security = security
        self.username = username
        self.password = password
        self.authorisation = authorisation
        self.pin = pin
        self.deleteAfterDays = deleteAfterDays
        self.onUnknown = onUnknown ?? .retry
        self.filesSent = filesSent
    }

    /// The member that lacks where ``sealed(_:of:old:hasGrant:)`` has nothing.
    var missingSecret: APIProblem {
        let member = authorisation == nil ? "password" : "oauth2/refreshToken"
        return .invalidField("/\(service.rawValue)/\(member)", "missing", "is required")
    }

    /// A server of an account that somebody is about to authorise us for: without a secret.
    init?(_ field: JSONField, _ service: RemoteService, authorisedAt provider: String) {
        guard let body = RemoteServerBody(field, service) else { return nil }
        guard body.password == nil, body.authorisation == nil else {
            field.fail(.invalid, "must have neither a password nor oauth2: the provider gives what is needed")
            return nil
        }
        self = body
    }

    /// A server that was found, to which nothing was said by the caller but the password.
    init(_ server: DiscoveredServer, password: Secret) {
        service = server.service
        host = server.host
        port = server.port
        security = server.security
        username = server.username
        self.password = password
        authorisation = nil
        pin = nil
        deleteAfterDays = nil
        onUnknown = .retry
        filesSent = nil
    }

    /// What is kept; nil where a password or a token is needed and none is known.
    ///
    /// - Parameter hasGrant: whether the request brings the account's token along.
    func sealed(
        _ credentials: RemoteCredentials,
        of account: AccountID,
        old: RemoteServer?,
        hasGrant: Bool
    ) -> RemoteServer? {
        // No secret is ever sent to another server than the one it was given for.
        let isSame =
            old.map {
                $0.host == host && $0.port == port && $0.username == username && $0.security == security
                    && $0.pin == pin
            } ?? false
        if authorisation != nil { return hasGrant || (isSame && old?.credential == .oauth2) ? authorised : nil }
        if let password { return server(.password, credentials.seal(password, for: service, of: account)) }
        guard isSame, let old else { return nil }
        return server(old.credential, old.secret)
    }

    /// Logs in with the account's token.
    var authorised: RemoteServer { server(.oauth2, nil) }

    private func server(_ credential: RemoteCredential, _ secret: [UInt8]?) -> RemoteServer {
        RemoteServer(
            service: service,
            host: host,
            port: port,
            security: security,
            username: username,
            credential: credential,
            secret: secret,
            pin: pin,
            deleteAfterDays: deleteAfterDays,
            onUnknown: onUnknown,
            filesSent: filesSent
        )
    }

    /// RFC 8314 §7.3, and the ports of STARTTLS.
    private static func usualPort(_ service: RemoteService, _ security: RemoteSecurity) -> UInt16 {
        switch (service, security) {
        case (.imap, .implicit): 993
        case (.imap, _): 143
        case (.pop3, .implicit): 995
        case (.pop3, _): 110
        case (.smtp, .implicit): 465
        case (.smtp, _): 587
        }
    }

    static func password(_ field: JSONField) -> Secret? {
        field.line(minimum: 1, maximum: 1000).map { Secret(Array($0.utf8)) }
    }

    private static func host(_ field: JSONField) -> String? {
        guard let text = field.text(minimum: 1, maximum: 253).flatMap({ $0.span.utf8String() }) else { return nil }
        guard IPAddress(text.utf8) != nil || NameResolver.isName(text) else {
            field.fail(.invalid, "must be the name or the address of a server")
            return nil
        }
        return text
    }

    private static func security(_ field: JSONField) -> RemoteSecurity? {
        let word = field.text(maximum: 16).flatMap { $0.span.utf8String() }
        guard let word, let security = RemoteSecurity(rawValue: word) else {
            if word != nil { field.fail(.invalid, "must be implicit, starttls or none") }
            return nil
        }
        return security
    }

    /// What `mode` and `deleteAfterDays` say: nil where they are wrong, days or nil otherwise.
    private static func deleteAfterDays(_ reader: inout JSONObjectReader) -> Int?? {
        let mode = reader.take("mode")
        let days = reader.take("deleteAfterDays")
        var deletes = false
        if let mode {
            guard let word = mode.text(maximum: 16).flatMap({ $0.span.utf8String() }) else { return nil }
            guard ["keep", "delete"].contains(word) else {
                mode.fail(.invalid, "must be keep or delete")
                return nil
            }
            deletes = word == "delete"
        }
        guard let days, !days.isNull else { return .some(deletes ? 0 : nil) }
        guard let number = days.integer(in: 0...3650) else { return nil }
        guard deletes else {
            days.fail(.invalid, "goes with the mode delete only")
            return nil
        }
        return .some(Int(number))
    }

    private static func unknownOutcome(_ field: JSONField) -> UnknownOutcome? {
        let word = field.text(maximum: 16).flatMap { $0.span.utf8String() }
        guard let word, let outcome = UnknownOutcome(rawValue: word) else {
            if word != nil { field.fail(.invalid, "must be retry or report") }
            return nil
        }
        return outcome
    }

    private static func pin(_ field: JSONField) -> [UInt8]? {
        guard let text = field.text(maximum: 95) else { return nil }
        let digits = text.filter { $0 != ASCII.colon }
        guard let octets = Hex.decode(digits.span), octets.count == 32 else {
            field.fail(.invalid, "must be 64 hexadecimal digits: the SHA-256 of a certificate")
            return nil
        }
        return octets
    }
}

extension JSONWriter {
    /// The server without its secret.
    ///
    /// - Parameter provider: of the account's token.
    mutating func remoteServer(_ server: RemoteServer, provider: String?) {
        beginObject()
        key("host")
        string(server.host)
        key("port")
        number(Int(server.port))
        key("tls")
        string(server.security.rawValue)
        key("username")
        string(server.username)
        key("oauth2")
        if server.credential == .oauth2, let provider {
            beginObject()
            key("provider")
            string(provider)
            endObject()
        } else {
            null()
        }
        key("certificateSHA256")
        if let pin = server.pin { string(Hex.encode(pin.span)) } else { null() }
        if server.service == .pop3 {
            key("mode")
            string(server.deleteAfterDays == nil ? "keep" : "delete")
            key("deleteAfterDays")
            if let days = server.deleteAfterDays { number(days) } else { null() }
        }
        if server.service == .smtp {
            key("onUnknown")
            string(server.onUnknown.rawValue)
            key("filesSent")
            if let filesSent = server.filesSent { bool(filesSent) } else { null() }
        }
        endObject()
    }
}
