// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// The architecture, executable: layers in order, each target with what it may import. Imports go downwards only, and the
// build runs with `--explicit-target-dependency-import-check error`, so this map cannot lie.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    // Exclusive access to the fields of our classes is checked in debug builds, tests and sanitizer runs; in a release the
    // check is an eighth of the instructions of a small request.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// One Swift module of ours, with its tests beside it under `Tests/`, in the same tree.
func module(_ name: String, in layer: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)", swiftSettings: strict)
}

func tests(
    _ name: String,
    in layer: String,
    _ dependencies: [Target.Dependency] = [],
    exclude: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name), "TestSupport"] + dependencies,
        path: "Tests/\(layer)/\(name)Tests",
        exclude: exclude,
        swiftSettings: strict
    )
}

/// A C library of Debian's: nobody but its one Swift wrapper imports it.
func system(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(
        name: name,
        path: "Sources/Platform/\(name)",
        pkgConfig: pkgConfig,
        providers: [.apt([package])]
    )
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

// MARK: Platform: the kernel and C libraries; nothing about mail.

let platform: [Target] = [
    .target(name: "CLinux", path: "Sources/Platform/CLinux"),
    system("COpenSSL", pkgConfig: "openssl", package: "libssl-dev"),
    system("CSQLite", pkgConfig: "sqlite3", package: "libsqlite3-dev"),
    .target(
        name: "CICU",
        path: "Sources/Platform/CICU",
        linkerSettings: [.linkedLibrary("icuuc"), .linkedLibrary("icui18n")]
    ),
    // openapi.yaml, made part of the binary by the C compiler.
    .target(name: "CEmbeddedFiles", path: "Sources/Platform/CEmbeddedFiles"),
    module("EmbeddedFiles", in: "Platform", ["CEmbeddedFiles"]),
    // Outgoing HTTP: a client's side of HTTP and TLS that the world's servers have been tried against.
    system("CCurl", pkgConfig: "libcurl", package: "libcurl4-openssl-dev"),
    // DNS without blocking, which the C library has not.
    system("CAres", pkgConfig: "libcares", package: "libc-ares-dev"),
    // Compression of connections; deflate is not for us to write.
    system("CZlib", pkgConfig: "zlib", package: "zlib1g-dev"),
    // XML of strangers: read by a parser that half the world's software hardened.
    system("CExpat", pkgConfig: "expat", package: "libexpat1-dev"),
    // The Public Suffix List and its rules, which change every week; libcurl brings the library along anyway.
    system("CPSL", pkgConfig: "libpsl", package: "libpsl-dev"),
    .target(name: "CGumbo", path: "Sources/Platform/CGumbo", linkerSettings: [.linkedLibrary("gumbo")]),
    // The computing half: no I/O; Protocols may import it.
    module("Crypto", in: "Platform", ["COpenSSL"]),
    module("Charsets", in: "Platform", ["CICU"]),
    module("HTMLTrees", in: "Platform", ["CGumbo"]),
    module("Compression", in: "Platform", ["CZlib"]),
    module("XMLDocuments", in: "Platform", ["CExpat"]),
    module("PublicSuffixes", in: "Platform", ["CPSL"]),
    module("Egress", in: "Platform"),
    // The I/O half.
    module("Runtime", in: "Platform", ["CLinux"]),
    module("Sockets", in: "Platform", ["CLinux", "Runtime"]),
    module("TLS", in: "Platform", ["COpenSSL", "CLinux", "Sockets"]),
    module("Files", in: "Platform"),
    module("SQLite", in: "Platform", ["CSQLite"]),
    module("Resolver", in: "Platform", ["CAres", "Egress", "Sockets"]),
    module("WebClient", in: "Platform", ["CCurl", "Crypto", "Egress", "Resolver", "Runtime", "Sockets"]),
]

// MARK: Protocols: pure values; bytes ⇄ grammar ⇄ dialogue. No I/O, no clock, no Foundation.

let protocols: [Target] = [
    module("Wire", in: "Protocols"),
    module("JSON", in: "Protocols", ["Wire"]),
    module("MailTypes", in: "Protocols", ["Wire"]),
    module("SASL", in: "Protocols", ["Wire", "Crypto"]),
    module("MIME", in: "Protocols", ["Wire", "MailTypes", "Charsets", "HTMLTrees"]),
    module("HTTP", in: "Protocols", ["Wire"]),
    module("SMTP", in: "Protocols", ["Wire", "MailTypes", "SASL"]),
    module("POP3", in: "Protocols", ["Wire", "SASL"]),
    module("IMAP", in: "Protocols", ["Wire", "MailTypes", "SASL"]),
    module("Autoconfig", in: "Protocols", ["Wire", "MailTypes", "XMLDocuments"]),
]

// MARK: Metrics: what every part may count with, and how that is written.

let metrics: [Target] = [module("Metrics", in: ".", ["Runtime", "Wire"])]

// MARK: Sessions: async drivers; a state machine + a connection + deadlines.

let sessions: [Target] = [
    module(
        "Transport",
        in: "Sessions",
        ["Egress", "Resolver", "Runtime", "SASL", "Sockets", "TLS", "Wire"]
    ),
    module("HTTPServer", in: "Sessions", ["Runtime", "Sockets", "Transport", "Wire", "HTTP", logging]),
    module(
        "SMTPSessions",
        in: "Sessions",
        ["Crypto", "Runtime", "Sockets", "TLS", "Transport", "Wire", "MailTypes", "SMTP", "SASL", logging]
    ),
    module(
        "IMAPSessions",
        in: "Sessions",
        ["Compression", "Crypto", "Runtime", "Sockets", "TLS", "Transport", "Wire", "MailTypes", "IMAP", "SASL"]
    ),
    module(
        "POP3Sessions",
        in: "Sessions",
        ["Crypto", "Runtime", "Sockets", "TLS", "Transport", "Wire", "POP3", "SASL"]
    ),
]

// MARK: Mail: what the gateway does with mail; all policy lives here.

let mail: [Target] = [
    module(
        "Storage",
        in: "Mail",
        ["Runtime", "Files", "Crypto", "SQLite", "Charsets", "Metrics", "Wire", "JSON", "MailTypes", logging]
    ),
    module(
        "Intake",
        in: "Mail",
        [
            "Runtime", "Crypto", "Charsets", "HTMLTrees", "Metrics", "Wire", "JSON", "MailTypes", "MIME", "Storage",
            logging,
        ]
    ),
    module("Accounts", in: "Mail", ["Runtime", "Files", "Crypto", "Wire", "MailTypes", "SASL", "Storage", logging]),
    module("Backends", in: "Mail", ["Runtime", "Sockets"]),
    module(
        "OAuth",
        in: "Mail",
        [
            "Runtime", "Sockets", "WebClient", "Crypto", "Metrics", "Wire", "JSON", "MailTypes", "HTTP", "Storage",
            "Accounts", logging,
        ]
    ),
    module(
        "Sync",
        in: "Mail",
        [
            "Runtime", "Sockets", "Transport", "Wire", "MailTypes", "MIME", "SASL", "IMAP", "IMAPSessions", "POP3",
            "POP3Sessions", "SMTP", "SMTPSessions", "Metrics", "Storage", "Intake", "Accounts", "Backends", logging,
        ]
    ),
    module(
        "Delivery",
        in: "Mail",
        [
            "Runtime", "Sockets", "Crypto", "Metrics", "Transport", "Wire", "JSON", "MailTypes", "MIME", "SASL", "SMTP",
            "SMTPSessions", "Storage", "Intake", "Accounts", "Backends", logging,
        ]
    ),
    module(
        "Webhooks",
        in: "Mail",
        ["Runtime", "Sockets", "WebClient", "Crypto", "Wire", "MailTypes", "Metrics", "Storage", "Accounts", logging]
    ),
    module(
        "Discovery",
        in: "Mail",
        [
            "Runtime", "Sockets", "Transport", "Resolver", "WebClient", "PublicSuffixes", "Wire", "MailTypes", "HTTP",
            "Autoconfig", "Storage",
        ]
    ),
    module(
        "MailServers",
        in: "Mail",
        [
            "Runtime", "Files", "Sockets", "TLS", "Transport", "Wire", "MailTypes", "MIME", "SASL", "SMTP",
            "SMTPSessions", "POP3", "POP3Sessions", "IMAP", "IMAPSessions", "JSON", "Storage",
            "Intake", "Accounts", "Delivery", logging,
        ]
    ),
    // Servers that misbehave on purpose: for tests, and for `postern simulate`.
    module("Simulation", in: "Mail", ["Runtime", "Sockets", "TLS", "Transport", "Wire", "MailTypes", "IMAP"]),
]

// MARK: The API and the command.

let product: [Target] = [
    module(
        "API",
        in: ".",
        [
            "EmbeddedFiles", "Runtime", "Files", "Sockets", "Transport", "Crypto", "Wire", "JSON", "MailTypes", "MIME",
            "HTTP", "HTTPServer", "Egress", "Resolver", "Metrics", "Storage", "Intake", "Accounts", "Backends",
            "Delivery", "Sync", "Discovery", "OAuth", "Webhooks", logging,
        ]
    ),
    // What an operator can set; and the command as a library, so that tests can import it.
    module("Configuration", in: ".", ["Egress", "Wire", .product(name: "Yams", package: "Yams")]),
    module(
        "Command",
        in: ".",
        [
            "Egress", "Runtime", "Files", "Sockets", "Resolver", "TLS", "WebClient", "Transport", "Crypto", "Wire",
            "JSON", "MailTypes", "MIME", "SASL", "HTTP", "HTTPServer", "SMTPSessions", "POP3", "POP3Sessions",
            "IMAP", "IMAPSessions", "Metrics", "Storage", "Intake", "Accounts", "Backends", "Sync", "Delivery",
            "Discovery", "OAuth", "Webhooks", "MailServers", "Simulation", "API", "Configuration", logging,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]
    ),
    .executableTarget(name: "postern", dependencies: ["Command"], path: "Sources/postern", swiftSettings: strict),
]

// MARK: Tests: the same tree.

let suites: [Target] = [
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    // What tests of protocols' machines share.
    .target(
        name: "MachineSupport",
        dependencies: ["Wire", "SASL", "TestSupport"],
        path: "Tests/MachineSupport",
        swiftSettings: strict
    ),
    // What tests of sessions share: a server that follows a script, a dialer that finds it.
    .target(
        name: "SessionSupport",
        dependencies: ["Egress", "Resolver", "Runtime", "Sockets", "TLS", "Transport", "Wire", "TestSupport"],
        path: "Tests/SessionSupport",
        swiftSettings: strict
    ),
    // What tests of access tokens share: a provider that answers as they say.
    .target(
        name: "OAuthSupport",
        dependencies: [
            "Accounts", "Egress", "Metrics", "OAuth", "Resolver", "Runtime", "Sockets", "Storage", "TLS", "Transport",
            "WebClient", "Wire", logging,
        ],
        path: "Tests/OAuthSupport",
        swiftSettings: strict
    ),
    // Prints what the MIME reader found, for comparison with other readers.
    .executableTarget(
        name: "MIMECheck",
        dependencies: ["Charsets", "JSON", "MIME", "Wire"],
        path: "Tests/Tools/MIMECheck",
        exclude: ["Disagreements.md", "MAP.py"],
        swiftSettings: strict
    ),
    // The tree itself: layers, licences, habits that no compiler checks.
    .testTarget(name: "ProjectTests", path: "Tests/ProjectTests", swiftSettings: strict),
    // The built command, from outside.
    .testTarget(
        name: "EndToEndTests",
        dependencies: ["postern", "MIMECheck", "TestSupport"],
        path: "Tests/EndToEndTests",
        exclude: ["Outside"],
        swiftSettings: strict
    ),
    tests("Crypto", in: "Platform"),
    tests("Charsets", in: "Platform"),
    tests("HTMLTrees", in: "Platform"),
    tests("Compression", in: "Platform"),
    tests("XMLDocuments", in: "Platform"),
    tests("PublicSuffixes", in: "Platform"),
    tests("Egress", in: "Platform"),
    tests("Runtime", in: "Platform"),
    tests("Sockets", in: "Platform", ["Runtime"]),
    tests("TLS", in: "Platform", ["Sockets", "Runtime"]),
    tests("Files", in: "Platform"),
    tests("SQLite", in: "Platform", ["Files"]),
    tests("Resolver", in: "Platform", ["Egress", "Runtime", "Sockets"]),
    tests(
        "WebClient",
        in: "Platform",
        ["Egress", "Resolver", "Runtime", "Sockets", "TLS", "Transport", "Wire"]
    ),
    tests("Wire", in: "Protocols"),
    tests("JSON", in: "Protocols", ["Wire"]),
    tests("MailTypes", in: "Protocols", ["Wire"]),
    tests("SASL", in: "Protocols", ["Wire"]),
    tests("MIME", in: "Protocols", ["Wire", "MailTypes", "Crypto"]),
    tests("HTTP", in: "Protocols", ["Wire"]),
    tests(
        "SMTP",
        in: "Protocols",
        ["Wire", "MailTypes", "SASL", "MachineSupport"],
        exclude: ["Transcripts", "ClientTranscripts"]
    ),
    tests(
        "IMAP",
        in: "Protocols",
        ["Wire", "MailTypes", "SASL", "MachineSupport", .product(name: "Yams", package: "Yams")],
        exclude: ["Disagreements.md", "ClientTranscripts", "ServerTranscripts"]
    ),
    tests("Autoconfig", in: "Protocols", ["Wire", "MailTypes"]),
    tests(
        "POP3",
        in: "Protocols",
        ["Wire", "SASL", "MachineSupport"],
        exclude: ["Transcripts", "ServerTranscripts"]
    ),
    tests("Transport", in: "Sessions", ["Egress", "Resolver", "Runtime", "SASL", "Sockets", "TLS", "Wire"]),
    tests("HTTPServer", in: "Sessions", ["Runtime", "Sockets", "TLS", "Transport", "Wire", "HTTP", logging]),
    tests(
        "SMTPSessions",
        in: "Sessions",
        [
            "Crypto", "Runtime", "Sockets", "Transport", "Wire", "MailTypes", "SMTP", "SASL", "SessionSupport",
            logging,
        ]
    ),
    tests(
        "IMAPSessions",
        in: "Sessions",
        [
            "Crypto", "Resolver", "Runtime", "Sockets", "TLS", "Transport", "Wire", "MailTypes", "IMAP", "SASL",
            "SessionSupport",
        ]
    ),
    tests(
        "POP3Sessions",
        in: "Sessions",
        ["Runtime", "Sockets", "Transport", "Wire", "POP3", "SASL", "SessionSupport"]
    ),
    tests("Storage", in: "Mail", ["Runtime", "Files", "Crypto", "SQLite", "Wire", "JSON", "MailTypes", logging]),
    tests("Intake", in: "Mail", ["Runtime", "Crypto", "Wire", "JSON", "MailTypes", "MIME", "Storage", logging]),
    tests("Accounts", in: "Mail", ["Runtime", "Files", "Crypto", "Wire", "MailTypes", "SASL", "Storage", logging]),
    tests("Backends", in: "Mail", ["Runtime", "Sockets"]),
    tests(
        "Sync",
        in: "Mail",
        [
            "Runtime", "Crypto", "Sockets", "Resolver", "Transport", "Metrics", "Wire", "MailTypes", "MIME", "IMAP",
            "Storage", "Intake", "Accounts", "Backends", "OAuth", "Simulation", "OAuthSupport", "SessionSupport",
            logging,
        ]
    ),
    tests(
        "Delivery",
        in: "Mail",
        [
            "Runtime", "Sockets", "Egress", "Resolver", "TLS", "Transport", "Metrics", "Wire", "JSON", "MailTypes",
            "MIME",
            "SASL", "SMTP", "SMTPSessions", "Storage", "Intake", "Accounts", "Backends", logging,
        ]
    ),
    tests(
        "MailServers",
        in: "Mail",
        [
            "Runtime", "SQLite", "Sockets", "TLS", "Transport", "Wire", "MailTypes", "SMTP", "SMTPSessions", "POP3",
            "POP3Sessions", "IMAP", "IMAPSessions", "Storage", "Intake", "Accounts", logging,
        ]
    ),
    tests(
        "Webhooks",
        in: "Mail",
        ["Runtime", "Sockets", "Crypto", "Wire", "JSON", "MailTypes", "Metrics", "Storage", "Accounts", logging]
    ),
    tests(
        "OAuth",
        in: "Mail",
        [
            "Runtime", "Sockets", "Crypto", "Wire", "JSON", "MailTypes", "Storage", "Accounts", "OAuthSupport", logging,
        ]
    ),
    tests(
        "Discovery",
        in: "Mail",
        [
            "Egress", "Resolver", "Runtime", "Sockets", "TLS", "Transport", "WebClient", "Wire", "MailTypes", "Storage",
        ]
    ),
    tests("Metrics", in: ".", ["Wire"]),
    tests("Configuration", in: ".", ["Wire"]),
    tests("Command", in: ".", ["Runtime", "Files", "Metrics", "Wire", "JSON", "Configuration", logging]),
    tests(
        "API",
        in: ".",
        [
            "EmbeddedFiles", "Runtime", "Files", "Sockets", "Transport", "Wire", "JSON", "MailTypes", "MIME", "HTTP",
            "HTTPServer", "Metrics", "Storage", "Intake", "Accounts", "Delivery", "Webhooks", "Crypto", "Backends",
            "Egress",
            "Resolver", "Sync", "TLS", "Discovery", "OAuth", "WebClient", logging,
            .product(name: "Yams", package: "Yams"),
        ]
    ),
]

// The fuzzers are libFuzzer programs without a `main`: they exist only for `Scripts/fuzz`, which sets the variable.
let fuzzers: [Target] =
    Context.environment["POSTERN_FUZZERS"] == nil
    ? []
    : [
        ("HTTPRequest", ["HTTP"]), ("ChunkedBody", ["HTTP"]), ("Multipart", ["HTTP"]), ("JSON", ["JSON"]),
        ("MIMEMessage", ["MIME"]), ("AddressHeader", ["MIME"]), ("EncodedWords", ["MIME"]),
        ("SMTPCommand", ["SMTP"]), ("SMTPReplies", ["SMTP", "SASL"]),
        ("POP3Answers", ["POP3", "SASL"]), ("POP3Command", ["POP3"]),
        ("IMAPResponses", ["IMAP", "SASL"]), ("IMAPClient", ["IMAP", "SASL"]), ("IMAPCommand", ["IMAP"]),
        ("IMAPServer", ["IMAP"]),
        ("SearchQuery", ["Storage"]),
        ("IPAddress", ["Egress"]), ("AutoconfigFile", ["Autoconfig"]),
    ].map { name, modules in
        .executableTarget(
            name: "Fuzz\(name)",
            dependencies: (modules + ["Wire", "MailTypes"]).map { .byName(name: $0) },
            path: "Tests/Fuzzers/\(name)",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]
        )
    }

let package = Package(
    name: "postern",
    products: [.executable(name: "postern", targets: ["postern"])],
    dependencies: [
        // The command line: verbs, flags and their help; a well-kept parser beats ours.
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        // Structured logging, the field's common front end; our handler writes the JSON lines.
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        // YAML for the configuration file, and for the test that compares openapi.yaml with the routes.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: platform + protocols + metrics + sessions + mail + product + suites + fuzzers
)
