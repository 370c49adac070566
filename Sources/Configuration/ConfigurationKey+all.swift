// SPDX-License-Identifier: Apache-2.0

internal import Egress
internal import Wire

extension ConfigurationKey {
    /// Every key, in the order in which they are printed; keys of a section stand together.
    package static let all: [Self] =
        general + listeners + tls + http + smtp + pop3 + imap + limits + mime + events + webhooks + relay + remote
        + discovery + oauth
        + delivery
        + resolver
        + egress
        + log
        + threads
        + passwords + shutdown + metrics + testing

    package static func named(_ name: String) -> Self? { all.first { $0.name == name } }

    private static let general: [Self] = [
        text("data", \.data, "Where everything that Postern keeps lives", expected: "a path") { !$0.isEmpty },
        text(
            "hostname",
            \.hostname,
            "The name in greetings and Received fields; empty: the machine's own",
            expected: "a host name",
            accepts: { $0.isEmpty || isHostName($0) }
        ),
        list(
            "localDomains",
            \.localDomains,
            "Domains received for; empty: those of the accounts",
            of: "domain names",
            accepts: isHostName
        ),
        text(
            "postmaster",
            \.postmaster,
            "The account's address that postmaster mail goes to; empty: that of the oldest one",
            expected: "an address",
            accepts: { $0.isEmpty || $0.utf8.contains(ASCII.at) }
        ),
        secret(
            "adminToken",
            \.adminToken,
            "The admin token of the first start; without it one is made",
            expected: "pst_ and 52 characters of a to z and 2 to 7",
            accepts: { octets in
                octets.count == 56 && octets.starts(with: Array("pst_".utf8))
                    && octets.dropFirst(4).allSatisfy { ASCII.isLower($0) || (0x32...0x37).contains($0) }
            }
        ),
        secret(
            "secret",
            \.secret,
            "The key of what is encrypted in the store; without it one is made in secret.key",
            expected: "32 octets in base64, 44 characters",
            accepts: { octets in Base64.decode(octets.span).map { $0.count == 32 } ?? false }
        ),
        secret(
            "previousSecret",
            \.previousSecret,
            "The key before secret: what it encrypted is encrypted anew at the start",
            expected: "32 octets in base64, 44 characters",
            accepts: { octets in Base64.decode(octets.span).map { $0.count == 32 } ?? false }
        ),
    ]

    private static let listeners: [Self] = [
        listener("listeners.http", \.listeners.http, "HTTP"),
        listener("listeners.https", \.listeners.https, "HTTP over TLS"),
        listener("listeners.smtp", \.listeners.smtp, "SMTP for mail that comes in"),
        listener("listeners.submission", \.listeners.submission, "SMTP submission, with STARTTLS"),
        listener("listeners.submissions", \.listeners.submissions, "SMTP submission over TLS"),
        listener("listeners.pop3", \.listeners.pop3, "POP3, with STLS"),
        listener("listeners.pop3s", \.listeners.pop3s, "POP3 over TLS"),
        listener("listeners.imap", \.listeners.imap, "IMAP, with STARTTLS"),
        listener("listeners.imaps", \.listeners.imaps, "IMAP over TLS"),
    ]

    private static func listener(
        _ name: String,
        _ path: any WritableKeyPath<Settings, String> & Sendable,
        _ what: String
    ) -> Self {
        text(
            name,
            path,
            "\(what); empty: off",
            expected: "an address like 127.0.0.1:8025 or [::1]:0, or nothing",
            accepts: { $0.isEmpty || isListenAddress($0) }
        )
    }

    private static let tls: [Self] = [
        text(
            "tls.certificate",
            \.tls.certificate,
            "Certificate chain, PEM, read again on SIGHUP; empty: one of our own making"
        ),
        text("tls.key", \.tls.key, "Its private key, PEM"),
    ]

    private static let http: [Self] = [
        list(
            "http.allowedHosts",
            \.http.allowedHosts,
            "Names Host may have besides hostname's and loopback's; *: any",
            of: "host names",
            reloadable: true,
            accepts: { $0 == "*" || isHostName($0) }
        ),
        list(
            "http.corsOrigins",
            \.http.corsOrigins,
            "Web origins that may read our answers",
            of: "origins like https://app.example.com",
            reloadable: true,
            accepts: isOrigin
        ),
        integer(
            "http.connectionsPerAddress",
            \.http.connectionsPerAddress,
            1...1_000_000,
            "Not for limits.trustedNetworks",
            reloadable: true
        ),
        integer(
            "http.headerOctets",
            \.http.headerOctets,
            1024...1_048_576,
            "Of a request's header section",
            reloadable: true
        ),
        integer("http.headerFields", \.http.headerFields, 8...10_000, "Fields of a request", reloadable: true),
        integer(
            "http.headerSeconds",
            \.http.headerSeconds,
            1...3600,
            "For a header section to come in",
            reloadable: true
        ),
        integer(
            "http.idleSeconds",
            \.http.idleSeconds,
            1...86_400,
            "Between two requests of a connection",
            reloadable: true
        ),
        integer(
            "http.minimumBodyRate",
            \.http.minimumBodyRate,
            0...1_000_000_000,
            "Octets a second, over 10 s",
            reloadable: true
        ),
        integer(
            "http.writeStallSeconds",
            \.http.writeStallSeconds,
            1...3600,
            "For a reader that takes nothing",
            reloadable: true
        ),
    ]

    private static let smtp: [Self] = [
        integer(
            "smtp.connectionsPerAddress",
            \.smtp.connectionsPerAddress,
            1...1_000_000,
            "Not for limits.trustedNetworks",
            reloadable: true
        ),
        integer("smtp.sessions", \.smtp.sessions, 1...1_000_000, "Sessions at the same time", reloadable: true),
        integer("smtp.recipients", \.smtp.recipients, 1...100_000, "Recipients of a message", reloadable: true),
        integer("smtp.errors", \.smtp.errors, 1...10_000, "Refused commands before we hang up", reloadable: true),
        integer(
            "smtp.hops",
            \.smtp.hops,
            5...1000,
            "Received fields before we take it for a loop",
            reloadable: true
        ),
        integer("smtp.idleSeconds", \.smtp.idleSeconds, 1...86_400, "For the next command", reloadable: true),
    ]

    private static let pop3: [Self] = [
        integer(
            "pop3.connectionsPerAddress",
            \.pop3.connectionsPerAddress,
            1...1_000_000,
            "Not for limits.trustedNetworks",
            reloadable: true
        ),
        integer("pop3.sessions", \.pop3.sessions, 1...1_000_000, "Sessions at the same time", reloadable: true),
        integer("pop3.errors", \.pop3.errors, 1...10_000, "Refused commands before we hang up", reloadable: true),
        integer(
            "pop3.idleSeconds",
            \.pop3.idleSeconds,
            1...86_400,
            "For the next command of who is logged in",
            reloadable: true
        ),
        integer(
            "pop3.messages",
            \.pop3.messages,
            1...10_000_000,
            "That a session shows at most, the youngest",
            reloadable: true
        ),
    ]

    private static let imap: [Self] = [
        integer(
            "imap.connectionsPerAddress",
            \.imap.connectionsPerAddress,
            1...1_000_000,
            "Not for limits.trustedNetworks",
            reloadable: true
        ),
        integer("imap.sessions", \.imap.sessions, 1...1_000_000, "Sessions at the same time", reloadable: true),
        integer(
            "imap.sessionsPerAccount",
            \.imap.sessionsPerAccount,
            1...1_000_000,
            "Sessions of one account at the same time",
            reloadable: true
        ),
        integer("imap.errors", \.imap.errors, 1...10_000, "Refused commands before we hang up", reloadable: true),
        integer(
            "imap.idleSeconds",
            \.imap.idleSeconds,
            1...86_400,
            "For the next command of who is logged in",
            reloadable: true
        ),
    ]

    private static let limits: [Self] = [
        integer(
            "limits.messageOctets",
            \.limits.messageOctets,
            65_536...(1 << 30),
            "The largest message, on every door"
        ),
        integer(
            "limits.freeOctets",
            \.limits.freeOctets,
            0...(1 << 50),
            "With less free on the disk no mail is taken in"
        ),
        integer(
            "limits.connections",
            \.limits.connections,
            0...1_000_000,
            "Of all listeners together; 0: as many as descriptors allow"
        ),
        integer(
            "limits.requestsPerSecond",
            \.limits.requestsPerSecond,
            0...1_000_000,
            "Of each token, on average; 0: any number",
            reloadable: true
        ),
        integer(
            "limits.requestBurst",
            \.limits.requestBurst,
            1...10_000_000,
            "Requests that a token may send at once",
            reloadable: true
        ),
        list(
            "limits.trustedNetworks",
            \.limits.trustedNetworks,
            "Whose addresses are not limited one by one",
            of: "networks like 10.0.0.0/8 or 2001:db8::/32",
            accepts: { IPNetwork($0.utf8) != nil }
        ),
    ]

    private static let resolver: [Self] = [
        list(
            "resolver.servers",
            \.resolver.servers,
            "Name servers to ask; empty: those of /etc/resolv.conf",
            of: "addresses like 192.0.2.1 or [2001:db8::1]:53",
            accepts: isNameServer
        ),
        integer(
            "resolver.timeoutMilliseconds",
            \.resolver.timeoutMilliseconds,
            10...60_000,
            "For a name server's answer; each further try waits twice as long"
        ),
        integer("resolver.tries", \.resolver.tries, 1...10, "Times that each name server is asked"),
        integer(
            "resolver.cacheSeconds",
            \.resolver.cacheSeconds,
            0...86_400,
            "The longest an answer is kept, whatever its TTL"
        ),
    ]

    private static let discovery: [Self] = [
        text(
            "discovery.database",
            \.discovery.database,
            "A database of autoconfig files, a domain is appended; empty: none",
            expected: "a URL like https://autoconfig.example.net/v1.1/, or nothing",
            accepts: { $0.isEmpty || ($0.hasPrefix("https://") && $0.hasSuffix("/")) }
        )
    ]

    private static let oauth: [Self] =
        [
            text(
                "oauth.publicUrl",
                \.oauth.publicUrl,
                "The URL under which browsers reach us, for those who connect their mailbox; empty: they do not",
                expected: "a URL like https://mail.example.com, or nothing",
                accepts: { $0.isEmpty || isOrigin($0) }
            ),
            list(
                "oauth.returnUrls",
                \.oauth.returnUrls,
                "Where their browsers may be sent afterwards",
                of: "URLs without a fragment",
                accepts: { isWebURL($0, schemes: ["https://", "http://"]) }
            ),
            text("oauthGoogle.clientId", \.oauthGoogle.clientId, "Our id at Google; empty: not used"),
            secretText("oauthGoogle.clientSecret", \.oauthGoogle.clientSecret, "Our secret there"),
            text("oauthMicrosoft.clientId", \.oauthMicrosoft.clientId, "Our id at Microsoft; empty: not used"),
            secretText("oauthMicrosoft.clientSecret", \.oauthMicrosoft.clientSecret, "Our secret there"),
            text(
                "oauthMicrosoft.tenant",
                \.oauthMicrosoft.tenant,
                "A directory, common, organizations or consumers",
                expected: "an id or a domain",
                accepts: {
                    !$0.isEmpty
                        && $0.utf8.allSatisfy { ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen || $0 == ASCII.dot }
                }
            ),
        ] + oauthGeneric

    private static let oauthGeneric: [Self] = [
        text("oauthGeneric.clientId", \.oauthGeneric.clientId, "Our id at another provider; empty: there is none"),
        secretText("oauthGeneric.clientSecret", \.oauthGeneric.clientSecret, "Our secret there"),
        text("oauthGeneric.displayName", \.oauthGeneric.displayName, "What people know it by"),
        text(
            "oauthGeneric.authorizeUrl",
            \.oauthGeneric.authorizeUrl,
            "Its authorization endpoint",
            expected: "an https URL",
            accepts: { $0.isEmpty || isWebURL($0, schemes: ["https://"]) }
        ),
        text(
            "oauthGeneric.tokenUrl",
            \.oauthGeneric.tokenUrl,
            "Its token endpoint",
            expected: "an https URL",
            accepts: { $0.isEmpty || isWebURL($0, schemes: ["https://"]) }
        ),
        list("oauthGeneric.scopes", \.oauthGeneric.scopes, "What is asked for there", of: "scopes") { !$0.isEmpty },
        text(
            "oauthGeneric.usernameClaim",
            \.oauthGeneric.usernameClaim,
            "The claim of the ID token that is the user's name; empty: the account's address is"
        ),
        choice(
            "oauthGeneric.clientAuthentication",
            \.oauthGeneric.clientAuthentication,
            "How the secret is shown there"
        ),
    ]

    private static func secretText(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Secret?> & Sendable,
        _ summary: String
    ) -> Self {
        secret(name, path, summary, expected: "a text") { octets in
            !octets.isEmpty && octets.allSatisfy { (0x21...0x7E).contains($0) }
        }
    }

    /// An absolute URL of printable ASCII without a fragment.
    private static func isWebURL(_ text: String, schemes: [String]) -> Bool {
        schemes.contains { text.hasPrefix($0) && text.utf8.count > $0.utf8.count }
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
    }

    private static let egress: [Self] = [
        list(
            "egress.allow",
            \.egress.allow,
            "Networks that may be connected to besides the Internet",
            of: "networks like 10.0.0.0/8 or fd00::/8",
            accepts: { IPNetwork($0.utf8) != nil }
        ),
        list(
            "egress.deny",
            \.egress.deny,
            "Networks that may not, whatever else is said",
            of: "networks like 10.0.0.0/8 or fd00::/8",
            accepts: { IPNetwork($0.utf8) != nil }
        ),
        list(
            "egress.webPorts",
            \.egress.webPorts,
            "Ports that web requests of ours may go to",
            of: "ports like 443, 8000-8999 or any",
            accepts: { EgressPolicy.ports($0.utf8) != nil }
        ),
        list(
            "egress.mailPorts",
            \.egress.mailPorts,
            "Ports of other people's mail servers that we may connect to",
            of: "ports like 587, 9900-9999 or any",
            accepts: { EgressPolicy.ports($0.utf8) != nil }
        ),
        text(
            "egress.caFile",
            \.egress.caFile,
            "Authorities to trust in web requests and at mail servers, PEM; empty: the system's"
        ),
    ]

    private static let mime: [Self] = [
        truth("mime.uudecode", \.mime.uudecode, "Decode parts encoded as x-uuencode in mail that comes in")
    ]

    private static let events: [Self] = [
        integer("events.days", \.events.days, 1...36_500, "How long events are kept"),
        integer("events.perAccount", \.events.perAccount, 100...1_000_000_000, "Events of an account that are kept"),
        integer(
            "events.streamsPerToken",
            \.events.streamsPerToken,
            1...1_000_000,
            "Streams and waiting requests of a token at the same time"
        ),
        integer(
            "events.keepAliveSeconds",
            \.events.keepAliveSeconds,
            1...3600,
            "Between the comments of a stream on which nothing happens"
        ),
    ]

    private static let relay: [Self] = [
        text(
            "relay.host",
            \.relay.host,
            "The server that takes what local accounts send to others; empty: there is none"
        ),
        integer("relay.port", \.relay.port, 1...65_535, "Its port"),
        choice("relay.security", \.relay.security, "How the connection to it is secured"),
        text("relay.username", \.relay.username, "Who we are there; empty: it asks for no login"),
        secretText("relay.password", \.relay.password, "Our password there"),
    ]

    private static let remote: [Self] = [
        integer(
            "remote.connectionsPerHost",
            \.remote.connectionsPerHost,
            1...100_000,
            "Connections to one mail server, of all accounts together"
        ),
        integer("remote.dials", \.remote.dials, 1...10_000, "Connections to mail servers being made at once"),
        integer(
            "remote.pollSeconds",
            \.remote.pollSeconds,
            1...86_400,
            "How often folders are asked after that a server does not tell of by itself"
        ),
        integer(
            "remote.pop3PollSeconds",
            \.remote.pop3PollSeconds,
            1...86_400,
            "How often POP3 servers are asked for new mail; less often where they want more time between two logins"
        ),
        integer(
            "remote.cacheOctets",
            \.remote.cacheOctets,
            1_048_576...1_099_511_627_776,
            "Octets of messages of remote accounts that are kept after they were fetched"
        ),
        integer(
            "remote.staleSeconds",
            \.remote.staleSeconds,
            60...31_536_000,
            "Without a look at its server for so long, a remote account is announced as stale"
        ),
    ]

    private static let webhooks: [Self] = [
        integers(
            "webhooks.retrySeconds",
            \.webhooks.retrySeconds,
            0...2_592_000,
            count: 0...50,
            "From each failed attempt to the next; an event that failed once more than these has run out"
        ),
        integer(
            "webhooks.probeSeconds",
            \.webhooks.probeSeconds,
            1...86_400,
            "From an attempt to the next at an endpoint that is down, whatever the schedule says"
        ),
        integer("webhooks.timeoutSeconds", \.webhooks.timeoutSeconds, 1...300, "For a request and its answer"),
        integer("webhooks.answerOctets", \.webhooks.answerOctets, 1024...16_777_216, "Of an answer that are read"),
        integer("webhooks.concurrency", \.webhooks.concurrency, 1...256, "Requests under way to one endpoint"),
        integer(
            "webhooks.totalConcurrency",
            \.webhooks.totalConcurrency,
            1...10_000,
            "Requests under way to all endpoints, besides one for each"
        ),
        integer("webhooks.endpoints", \.webhooks.endpoints, 0...10_000, "Webhooks there may be"),
    ]

    private static let delivery: [Self] = [
        integer("delivery.lifetimeHours", \.delivery.lifetimeHours, 1...2400, "How long a message is tried"),
        integers(
            "delivery.retrySeconds",
            \.delivery.retrySeconds,
            1...86_400,
            count: 1...50,
            "From each failed try to the next; the last one goes on"
        ),
        integer(
            "delivery.connectionsPerAccount",
            \.delivery.connectionsPerAccount,
            1...100,
            "Connections of one account to its server at a time"
        ),
        integer(
            "delivery.connectionsPerHost",
            \.delivery.connectionsPerHost,
            1...10_000,
            "Connections to one server at a time, of all accounts"
        ),
        integer("delivery.idleSeconds", \.delivery.idleSeconds, 0...3600, "How long an idle connection is kept"),
        integer(
            "delivery.patienceSeconds",
            \.delivery.patienceSeconds,
            1...3600,
            "The longest that a server is waited for, where RFC 5321 does not ask for less"
        ),
    ]

    private static let log: [Self] = [
        choice("log.level", \.log.level, "The least that is logged", reloadable: true),
        choice("log.format", \.log.format, "How a line looks"),
        truth("log.requests", \.log.requests, "A line for each request", reloadable: true),
    ]

    private static let threads: [Self] = [
        integer("threads.loops", \.threads.loops, 0...1024, "Event loops; 0: one per core"),
        integer("threads.readers", \.threads.readers, 1...256, "For long queries"),
        integer("threads.workers", \.threads.workers, 1...256, "For key derivation"),
    ]

    private static let passwords: [Self] = [
        integer("passwords.rounds", \.passwords.rounds, 4096...10_000_000, "PBKDF2 iterations of a new password")
    ]

    private static let shutdown: [Self] = [
        integer(
            "shutdown.delaySeconds",
            \.shutdown.delaySeconds,
            0...3600,
            "From readyz saying no to listeners closed"
        ),
        integer("shutdown.drainSeconds", \.shutdown.drainSeconds, 0...3600, "For what is under way"),
    ]

    private static let metrics: [Self] = [
        choice("metrics.access", \.metrics.access, "Who may read /metrics; admin: an admin token")
    ]

    private static let testing: [Self] = [
        truth("testing.enabled", \.testing.enabled, "Never in production: allows the keys below"),
        integer("testing.clockRate", \.testing.clockRate, 1...1_000_000, "How many times faster our clocks run"),
        integer("testing.groupCapacity", \.testing.groupCapacity, 1...4096, "Writes committed together at most"),
    ]

    /// Labels of letters, digits and hyphens, 63 octets each, 253 together (RFC 1123 §2.1).
    @Sendable private static func isHostName(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.utf8.split(separator: ASCII.dot, omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != ASCII.hyphen && label.last != ASCII.hyphen
                && label.allSatisfy { ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen }
        }
    }

    /// `scheme "://" host [":" port]`, lower case, as browsers serialise an origin (RFC 6454 §6.2).
    @Sendable private static func isOrigin(_ text: String) -> Bool {
        let rest: Substring
        if text.hasPrefix("https://") {
            rest = text.dropFirst(8)
        } else if text.hasPrefix("http://") {
            rest = text.dropFirst(7)
        } else {
            return false
        }
        return !rest.isEmpty
            && rest.utf8.allSatisfy {
                ASCII.isLower($0) || ASCII.isDigit($0) || [0x2D, 0x2E, 0x3A, 0x5B, 0x5D].contains($0)
            }
    }

    /// An address, or one with a port behind it: `192.0.2.1`, `2001:db8::1`, `192.0.2.1:53`, `[2001:db8::1]:53`.
    @Sendable private static func isNameServer(_ text: String) -> Bool {
        let octets = Array(text.utf8)
        if IPAddress(octets) != nil { return true }
        guard let colon = octets.lastIndex(of: ASCII.colon),
            StrictInteger.decimal(octets[(colon + 1)...], maximum: 65_535) ?? 0 > 0
        else { return false }
        let host = octets[..<colon]
        guard host.first == ASCII.openBracket, host.last == ASCII.closeBracket else {
            return IPAddress(host)?.width == 32
        }
        return IPAddress(host.dropFirst().dropLast())?.width == 128
    }

    /// The form alone; whether the machine has the address is seen when it is bound.
    @Sendable private static func isListenAddress(_ text: String) -> Bool {
        guard let colon = text.utf8.lastIndex(of: ASCII.colon), colon > text.startIndex else { return false }
        return StrictInteger.decimal(text.utf8[colon...].dropFirst(), maximum: 65_535) != nil
    }
}
