// SPDX-License-Identifier: Apache-2.0

import Foundation
import TLS
import TestSupport
import Testing

@testable import WebClient

/// Servers have to prove who they are.
@Suite struct WebTLSTests {
    /// A server that is `origin.test`, and whom the client trusts: nobody but it, or the system's authorities.
    private func setup(isTrusted: Bool, days: Int = 30, _ folder: URL) throws -> Origin.Setup {
        let (certificate, key) = try TLSServerContext.makeSelfSigned(
            hostnames: ["origin.test", "127.0.0.1"],
            days: days
        )
        var setup = Origin.Setup()
        setup.tls = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        setup.script = { question, _ in question.name == "other.test" ? .addresses(["127.0.0.1"]) : .code(3) }
        if isTrusted {
            let path = folder.appendingPathComponent("authorities.pem")
            try Data(certificate).write(to: path)
            setup.authoritiesPath = path.path
        }
        return setup
    }

    private func withFolder<R>(_ body: (URL) async throws -> R) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    @Test func aServerOfATrustedAuthorityIsCalled() async throws {
        let responses = try await withFolder { folder in
            try await Origin.run(try setup(isTrusted: true, folder)) { origin in
                var responses: [WebResponse] = []
                for host in ["origin.test", "origin.test", "127.0.0.1"] {
                    responses.append(
                        try await origin.clients.send(
                            WebRequest("GET", origin.url("/429", host: host, scheme: "https"))
                        )
                    )
                }
                return responses
            }
        }
        #expect(responses.map(\.status) == [429, 429, 429])
        #expect(responses.map(\.isReused) == [false, true, false])
        #expect(responses[0].timing.tls > 0)
        #expect(responses[1].timing.tls == 0)
    }

    @Test func aServerThatVouchesForItselfIsNot() async throws {
        let (error, seen) = try await withFolder { folder in
            try await Origin.run(try setup(isTrusted: false, folder)) { origin in
                (await origin.error(WebRequest("GET", origin.url("/429", scheme: "https"))), origin.seen.requests.count)
            }
        }
        guard case .tlsFailed(let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("certificate"))
        #expect(seen == 0)
    }

    @Test func aServerOfAnotherNameIsNot() async throws {
        let (error, seen) = try await withFolder { folder in
            try await Origin.run(try setup(isTrusted: true, folder)) { origin in
                let url = origin.url("/429", host: "other.test", scheme: "https")
                return (await origin.error(WebRequest("GET", url)), origin.seen.requests.count)
            }
        }
        guard case .tlsFailed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(seen == 0)
    }

    @Test func aCertificateThatHasExpiredIsNotTaken() async throws {
        let error = try await withFolder { folder in
            try await Origin.run(try setup(isTrusted: true, days: -1, folder)) { origin in
                await origin.error(WebRequest("GET", origin.url("/429", scheme: "https")))
            }
        }
        guard case .tlsFailed(let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("expired"))
    }

    @Test func aHandshakeThatNeverEndsTimesOut() async throws {
        // The server waits for a request in the clear.
        let error = try await Origin.run { origin in
            var request = WebRequest("GET", origin.url("/", scheme: "https"))
            request.totalMilliseconds = 200
            return await origin.error(request)
        }
        #expect(error == .timeout(.tls))
    }

    @Test func authoritiesThatCannotBeReadAreAnError() async throws {
        let error = try await withFolder { folder in
            var setup = try setup(isTrusted: false, folder)
            setup.authoritiesPath = folder.appendingPathComponent("nothing.pem").path
            return try await Origin.run(setup) { await $0.error(WebRequest("GET", $0.url("/", scheme: "https"))) }
        }
        guard case .tlsFailed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
