// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Files
internal import Runtime
internal import Simulation
internal import Sockets
internal import TLS

/// `postern simulate`: mail servers that misbehave, on loopback, to see what becomes of an application then.
struct SimulateVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run mail servers that misbehave on purpose, on 127.0.0.1.",
        discussion: """
            The mail is in memory: an inbox with some messages, and the usual folders. The login is `user` with the \
            password `pw`. Prints a line of JSON for each server when it listens, and runs until it is told to stop; a \
            line for each then says what its clients did. `postern simulate --list` shows what servers can be made to do.
            """
    )
    @Option(help: "imap, pop3 or smtp; may be given several times.") var service: [String] = ["imap"]
    @Option(help: "What the server does wrong; several times for several things.") var misbehaviour: [String] = []
    @Flag(help: "A server for each misbehaviour there is, and one that behaves.") var all = false
    @Flag(help: "Show the misbehaviours, and end.") var list = false
    @Option(help: "Misbehave on so many connections, and behave on those that follow.") var times: Int?
    @Flag(help: "Have no extensions: RFC 3501, RFC 1939 or RFC 5321 alone.") var bare = false
    @Option(help: "The port; 0 is any. Only where one server is run.") var port: UInt16 = 0
    @Option(help: "Messages in the inbox.") var messages = 20
    @Option(help: ArgumentHelp("TLS: none, starttls or implicit, with a certificate made for it.")) var tls = "none"

    func run() throws {
        if list {
            for one in Misbehaviour.allCases {
                let services = one.services.map(\.rawValue).sorted().joined(separator: ", ")
                try Console.print("\(one.rawValue) (\(services)): \(one.summary)")
            }
            return
        }
        let configurations = try configurations()
        guard port == 0 || configurations.count == 1 else { throw ValidationError("--port is for one server") }
        ProcessSetup.begin()
        _ = ProcessSetup.raiseDescriptorLimit()
        let group = try EventLoopGroup(count: 1)
        var servers: [SimulatedServer] = []
        for configuration in configurations {
            let server = try Console.reporting("cannot listen") {
                try SimulatedServer.start(
                    configuration,
                    SimulatedMailbox(messages: min(max(messages, 0), 1_000_000)),
                    at: .loopback(port: port),
                    loops: group.loops
                )
            }
            servers.append(server)
            try Console.print(Self.line(server, ["\"port\":\(server.port)"]))
        }
        while StopSignal.wait() == .reload {}
        for server in servers {
            let counts = server.counts
            try Console.print(
                Self.line(
                    server,
                    [
                        "\"connections\":\(counts.connections)", "\"commands\":\(counts.commands)",
                        "\"logins\":\(counts.logins)", "\"clearLogins\":\(counts.clearLogins)",
                        "\"messages\":\(counts.messages)", "\"recipients\":\(counts.recipients)",
                    ]
                )
            )
        }
    }

    /// Names of ours alone: nothing in them needs to be escaped.
    private static func line(_ server: SimulatedServer, _ members: [String]) -> String {
        let names = server.configuration.misbehaviours.map { "\"\($0.rawValue)\"" }.sorted().joined(separator: ",")
        let head = ["\"service\":\"\(server.configuration.service.rawValue)\"", "\"misbehaviours\":[\(names)]"]
        return "{\((head + members).joined(separator: ","))}"
    }

    private func configurations() throws -> [SimulatedServer.Configuration] {
        let named = try misbehaviour.map { name in
            guard let one = Misbehaviour(rawValue: name) else {
                throw ValidationError("there is no misbehaviour \(name); --list shows them")
            }
            return one
        }
        guard ["none", "starttls", "implicit"].contains(tls) else {
            throw ValidationError("--tls is none, starttls or implicit")
        }
        let context = try tls == "none" ? nil : Self.makeTLS()
        return try service.flatMap { name in
            guard let service = SimulatedServer.Service(rawValue: name) else {
                throw ValidationError("a service is imap, pop3 or smtp")
            }
            let sets =
                all ? [[]] + Misbehaviour.allCases.filter { $0.services.contains(service) }.map { [$0] } : [Set(named)]
            return sets.map { set in
                var configuration = SimulatedServer.Configuration(service, set.union(named))
                configuration.times = times
                configuration.isBare = bare
                configuration.tls = context
                configuration.isImplicitTLS = tls == "implicit"
                return configuration
            }
        }
    }

    private static func makeTLS() throws -> TLSServerContext {
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["127.0.0.1", "localhost"])
        return try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
    }
}
