// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing

@testable import Storage

@Suite struct RemoteServersTests {
    private let test: TestStore

    init() throws { test = try TestStore() }

    private func server(_ service: RemoteService, secret: [UInt8]? = [1, 2, 3, 4, 5, 6]) -> RemoteServer {
        RemoteServer(
            service: service,
            host: "mail.example.net",
            port: 993,
            security: .implicit,
            username: "ann",
            credential: secret == nil ? .none : .password,
            secret: secret,
            pin: [UInt8](repeating: 7, count: 32),
            deleteAfterDays: service == .pop3 ? 0 : nil,
            onUnknown: service == .smtp ? .report : .retry,
            filesSent: service == .smtp ? false : nil
        )
    }

    @Test func eachServiceHasOneServer() async throws {
        let account = try await test.account()
        let servers = RemoteService.allCases.map { server($0) }
        try await test.store.write { tx in
            for server in servers { try tx.remoteServers.put(server, of: account.key) }
        }
        #expect(try await test.store.read { try $0.remoteServers.list(of: account.key) } == servers)
        var other = server(.imap)
        other.host = "other.example.net"
        other.port = 143
        other.security = .starttls
        try await test.store.write { [other] tx in
            try tx.remoteServers.put(other, of: account.key)
            try tx.remoteServers.remove(.pop3, of: account.key)
        }
        let now = try await test.store.read { try $0.remoteServers.list(of: account.key) }
        #expect(now == [other, server(.smtp)])
        #expect(try await test.store.read { try $0.remoteServers.get(.imap, of: account.key) } == other)
        #expect(try await test.store.read { try $0.remoteServers.get(.pop3, of: account.key) } == nil)
    }

    @Test func secretsCountAsSealedAndGoWithTheAccount() async throws {
        let account = try await test.account()
        try await test.store.write { [server = server(.imap)] tx in
            try tx.remoteServers.put(server, of: account.key)
        }
        #expect(try await test.store.read { try $0.sealedValues() } == [SealedValues(head: [1, 2, 3, 4, 5], rows: 1)])
        try await test.store.write { try $0.accounts.delete(account.key) }
        #expect(try await test.store.read { try $0.sealedValues() }.isEmpty)
    }

    @Test func anIMAPAccountBeginsWithoutFolders() async throws {
        let address = try #require(EmailAddress("bea@example.net"))
        let account = try await test.store.write {
            try $0.accounts.create(NewAccount(kind: .imap, address: address))
        }
        #expect(try await test.store.read { try $0.folders.list(of: account.key) }.isEmpty)
    }
}
