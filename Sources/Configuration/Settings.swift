// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Everything an operator can set, with its default.
///
/// ``ConfigurationKey/all`` names each value and says what it may be.
package struct Settings: Sendable {
    /// Where everything that Postern keeps lives.
    package var data = "data"
    /// The name in greetings, `Received` fields and Message-IDs; empty is the machine's own.
    package var hostname = ""
    /// Domains we receive for besides those of the accounts.
    package var localDomains: [String] = []
    /// The address that mail for `postmaster` goes to; empty is the oldest account.
    package var postmaster = ""
    /// The admin token to start with; without it one is made.
    package var adminToken: Secret?
    /// What the secrets in the store are encrypted with; without it a key is made in the data directory.
    package var secret: Secret?
    /// What they were encrypted with before ``secret``, from which they are taken over at a start.
    package var previousSecret: Secret?

    package var listeners = Listeners()
    package var tls = TLS()
    package var http = HTTP()
    package var smtp = SMTP()
    package var pop3 = POP3()
    package var imap = IMAP()
    package var limits = Limits()
    package var resolver = Resolver()
    package var egress = Egress()
    package var mime = MIME()
    package var events = Events()
    package var webhooks = Webhooks()
    package var delivery = Delivery()
    package var relay = Relay()
    package var remote = Remote()
    package var discovery = Discovery()
    package var oauth = OAuth()
    package var oauthGoogle = OAuthGoogle()
    package var oauthMicrosoft = OAuthMicrosoft()
    package var oauthGeneric = OAuthGeneric()
    package var log = Log()
    package var threads = Threads()
    package var passwords = Passwords()
    package var shutdown = Shutdown()
    package var metrics = Metrics()
    package var testing = Testing()

    package init() {}

    /// Addresses to listen on, `127.0.0.1:8025` or `[::1]:8025`; port 0 is any free port, an empty text no listener.
    package struct Listeners: Sendable, Equatable {
        package var http = "127.0.0.1:8025"
        package var https = ""
        package var smtp = "127.0.0.1:2525"
        package var submission = "127.0.0.1:2587"
        package var submissions = "127.0.0.1:2465"
        package var pop3 = "127.0.0.1:2110"
        package var pop3s = "127.0.0.1:2995"
        package var imap = "127.0.0.1:2143"
        package var imaps = "127.0.0.1:2993"
    }

    /// PEM files; both empty is a certificate of our own making under `data/tls/`.
    package struct TLS: Sendable, Equatable {
        package var certificate = ""
        package var key = ""
    }

    package struct HTTP: Sendable, Equatable {
        /// Names that `Host` may have besides loopback's and `hostname`; `*` is any.
        package var allowedHosts: [String] = []
        /// Web origins that may read our answers.
        package var corsOrigins: [String] = []
        package var connectionsPerAddress = 1000
        package var headerOctets = 32 * 1024
        package var headerFields = 100
        package var headerSeconds = 10
        package var idleSeconds = 75
        /// Octets per second that a body must come in with.
        package var minimumBodyRate = 500
        package var writeStallSeconds = 30
    }

    package struct SMTP: Sendable, Equatable {
        package var connectionsPerAddress = 50
        package var sessions = 1000
        package var recipients = 1000
        package var errors = 20
        package var hops = 50
        package var idleSeconds = 300
    }

    package struct POP3: Sendable, Equatable {
        package var connectionsPerAddress = 50
        package var sessions = 1000
        package var errors = 20
        package var idleSeconds = 600
        /// Messages that a session shows at most: the youngest.
        package var messages = 250_000
    }

    package struct IMAP: Sendable, Equatable {
        package var connectionsPerAddress = 50
        package var sessions = 10_000
        package var sessionsPerAccount = 100
        package var errors = 20
        /// RFC 9051 §5.4 asks for half an hour at least.
        package var idleSeconds = 1800
    }

    package struct Limits: Sendable, Equatable {
        /// The largest message, in octets, on every door.
        package var messageOctets = 64 << 20
        /// With less free on the disk than this, in octets, no mail is taken in.
        package var freeOctets = 128 << 20
        /// Connections of all listeners together; 0: as many as the descriptors allow.
        package var connections = 0
        /// Requests that each token may send a second on average; 0: any number.
        package var requestsPerSecond = 50_000
        /// Requests that a token may send at once.
        package var requestBurst = 100_000
        /// Networks whose addresses are not limited one by one.
        package var trustedNetworks = ["127.0.0.0/8", "::1"]
    }

    package struct Resolver: Sendable, Equatable {
        /// `192.0.2.1`, `192.0.2.1:53` or `[2001:db8::1]:53`; none: the system's.
        package var servers: [String] = []
        package var timeoutMilliseconds = 2000
        package var tries = 3
        /// The longest an answer is kept, whatever its TTL.
        package var cacheSeconds = 300
    }

    package struct Egress: Sendable, Equatable {
        /// Networks, as `10.0.0.0/8`, that may be connected to besides the Internet.
        package var allow: [String] = []
        /// Networks that may not, whatever else is said.
        package var deny: [String] = []
        /// Ports of web requests: `443`, `8000-8999`, or `any`.
        package var webPorts = ["80", "443", "8080", "8443"]
        /// Ports of other people's mail servers, in the same form.
        package var mailPorts = ["25", "110", "143", "465", "587", "993", "995"]
        /// Authorities to trust in web requests and at mail servers, a PEM file; empty: the system's.
        package var caFile = ""
    }

    package struct MIME: Sendable, Equatable {
        /// Whether parts encoded as `x-uuencode` are decoded in messages that come in from now on.
        package var uudecode = false
    }

    package struct Events: Sendable, Equatable {
        /// How long events are kept.
        package var days = 30
        /// How many of an account are kept at most.
        package var perAccount = 1_000_000
        /// Streams and waiting requests of one token at a time.
        package var streamsPerToken = 100
        /// How long a stream says nothing when there is nothing to say.
        package var keepAliveSeconds = 15
    }

    package struct Webhooks: Sendable, Equatable {
        /// From each failed attempt to the next; after the last an event has run out.
        package var retrySeconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400]
        /// How soon after an attempt an endpoint that is down is tried again, whatever the schedule says.
        package var probeSeconds = 300
        /// For a request, from looking up the name to the end of the answer.
        package var timeoutSeconds = 20
        /// Octets of an answer that are read.
        package var answerOctets = 65_536
        /// Requests under way to one endpoint.
        package var concurrency = 8
        /// Requests under way to all endpoints, besides one for each.
        package var totalConcurrency = 256
        package var endpoints = 100
    }

    package struct Delivery: Sendable, Equatable {
        /// How long a message is tried.
        package var lifetimeHours = 120
        /// From each failed try to the next; the last one goes on.
        package var retrySeconds = [60, 300, 900, 1800, 3600, 4000]
        /// Connections of one account at a time.
        package var connectionsPerAccount = 4
        /// Connections to one server at a time, of all accounts.
        package var connectionsPerHost = 20
        /// How long a connection is kept that has nothing to do.
        package var idleSeconds = 30
        /// The longest that a server is waited for, where RFC 5321 does not ask for less.
        package var patienceSeconds = 600
    }

    /// Accounts at other people's servers.
    package struct Remote: Sendable, Equatable {
        package var connectionsPerHost = 1_000
        package var dials = 64
        /// Folders that nobody is told of by the server are asked after so often.
        package var pollSeconds = 60
        /// POP3 servers tell of nothing by themselves.
        package var pop3PollSeconds = 300
        package var cacheOctets = 1 << 30
        /// An account that could not be looked at for so long is stale.
        package var staleSeconds = 3600

        package init() {}
    }

    /// The server that takes what local accounts send to others.
    package struct Relay: Sendable {
        package enum Security: String, CaseIterable, Sendable { case implicit, starttls, none }

        /// Empty: there is none, and local accounts send to local accounts only.
        package var host = ""
        package var port = 465
        package var security = Security.implicit
        /// Empty: nobody logs in there.
        package var username = ""
        package var password: Secret?

        package init() {}
    }

    /// Finding servers by an address.
    package struct Discovery: Sendable, Equatable {
        /// The URL of a database of autoconfig files, to which a domain is appended; empty: none is asked.
        package var database = ""
    }

    /// Authorization of remote accounts by their owners (RFC 6749).
    package struct OAuth: Sendable, Equatable {
        /// The URL under which browsers reach us, without a slash at its end; empty: they do not.
        package var publicUrl = ""
        /// Where a browser may be sent after it, compared exactly.
        package var returnUrls: [String] = []
    }

    package struct OAuthGoogle: Sendable {
        /// Empty: not used.
        package var clientId = ""
        package var clientSecret: Secret?
    }

    package struct OAuthMicrosoft: Sendable {
        package var clientId = ""
        package var clientSecret: Secret?
        /// A directory, `common`, `organizations` or `consumers`.
        package var tenant = "common"
    }

    /// Any other provider.
    package struct OAuthGeneric: Sendable {
        package enum ClientAuthentication: String, CaseIterable, Sendable { case post, basic }

        package var clientId = ""
        package var clientSecret: Secret?
        package var displayName = "Your provider"
        package var authorizeUrl = ""
        package var tokenUrl = ""
        package var scopes: [String] = []
        /// The claim of the ID token that is the user's name; empty: the account's address is.
        package var usernameClaim = ""
        package var clientAuthentication = ClientAuthentication.post
    }

    package struct Log: Sendable, Equatable {
        package enum Format: String, CaseIterable, Sendable { case json, logfmt }
        package enum Level: String, CaseIterable, Sendable { case trace, debug, info, notice, warning, error, critical }
        package var level = Level.info
        package var format = Format.json
        /// Whether each request becomes a line.
        package var requests = false
    }

    package struct Threads: Sendable, Equatable {
        /// Event loops; 0 is one per core.
        package var loops = 0
        /// Threads for long queries.
        package var readers = 2
        /// Threads for key derivation and other work that computes long.
        package var workers = 2
    }

    package struct Passwords: Sendable, Equatable {
        /// PBKDF2 iterations of a new password's verifier.
        package var rounds = 200_000
    }

    package struct Shutdown: Sendable, Equatable {
        /// How long `/readyz` says no before the listeners close.
        package var delaySeconds = 0
        /// How long what is under way may take.
        package var drainSeconds = 30
    }

    package struct Metrics: Sendable, Equatable {
        package enum Access: String, CaseIterable, Sendable { case admin, loopback, anyone }
        package var access = Access.loopback
    }

    package struct Testing: Sendable, Equatable {
        package var enabled = false
        /// How many times faster than time our clocks run.
        package var clockRate = 1
        /// Writes committed together at most; 1 is a sync for each.
        package var groupCapacity = 1024
    }
}
