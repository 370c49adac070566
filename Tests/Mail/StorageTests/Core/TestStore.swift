// SPDX-License-Identifier: Apache-2.0

import JSON
import Logging
import MailTypes
import Runtime
import Testing
import Wire

@testable import Storage

/// A store in a directory of its own, with a clock the test turns.
final class TestStore: Sendable {
    let directory: TemporaryDirectory
    let store: Store
    private let time: Lock<Int64>
    private let isOver = Lock(false)

    init(_ directory: TemporaryDirectory? = nil, _ configure: (inout StoreConfiguration) -> Void = { _ in }) throws {
        let directory = try directory ?? TemporaryDirectory()
        let time = Lock<Int64>(1_800_000_000_000)
        var configuration = StoreConfiguration(directory: directory.path)
        configure(&configuration)
        let clock = Clock(now: { time.withLock { $0 } }, monotonic: Clock.system.monotonic)
        self.directory = directory
        self.time = time
        store = try Store.open(
            configuration,
            clock: clock,
            logger: Self.silent
        )
    }

    deinit { store.close() }

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }

    func account(_ name: String = "ann") async throws -> AccountRow {
        let address = try #require(EmailAddress("\(name)@example.org"))
        return try await store.write { try $0.accounts.create(NewAccount(address: address, alias: name)) }
    }

    func folder(_ role: FolderRole, of account: AccountRow) async throws -> FolderRow {
        try #require(try await store.read { try $0.folders.find(role, in: account.key) })
    }

    /// A message whose octets are `text`.
    func content(
        _ text: String,
        id: String? = nil,
        references: [String] = [],
        hasAttachments: Bool = false
    ) async throws -> NewContent {
        let spool = Spool(files: store.bodies, pool: store.blocking, limit: 1 << 20)
        try spool.append(Array(text.utf8))
        return NewContent(
            summary: Array("\"subject\":\"\(text)\"".utf8),
            detail: Array("\"headers\":[]".utf8),
            layout: [1, 2, 3],
            messageID: id.map { Array($0.utf8) },
            references: references.map { Array($0.utf8) },
            baseSubject: text,
            hasAttachments: hasAttachments,
            body: try await spool.finish()
        )
    }

    @discardableResult
    func deliver(
        _ text: String,
        to folder: FolderRow,
        flags: MessageFlags = MessageFlags(),
        date: Int64? = nil,
        id: String? = nil,
        references: [String] = []
    ) async throws -> MessageRow {
        let content = try await content(text, id: id, references: references)
        return try await store.write {
            try $0.messages.append(
                to: folder,
                content,
                flags: flags,
                internalDate: date.map(Timestamp.init(milliseconds:))
            )
        }
    }

    /// What a list shows of the folder's messages, newest first.
    func shown(in folder: FolderRow) async throws -> [[UInt8]] {
        try await store.read { snapshot in
            var shown: [[UInt8]] = []
            let filter = MessageFilter(folder: folder.key)
            _ = try snapshot.messages.list(filter, in: folder.account, limit: 100) { shown.append($0.shown.array()) }
            return shown
        }
    }

    func current(_ folder: FolderRow) async throws -> FolderRow {
        try #require(try await store.read { try $0.folders.get(folder.key, in: folder.account) })
    }

    func current(_ message: MessageRow) async throws -> MessageRow? {
        try await store.read { try $0.messages.find(message.id, in: message.account) }
    }

    struct Event: Equatable {
        let seq: Int64
        let type: String
        let data: String
    }

    func events(of account: AccountRow, after: Int64 = 0) async throws -> [Event] {
        try await store.read { snapshot in
            var events: [Event] = []
            try snapshot.events.list(of: account.key, after: after, limit: 10_000) {
                events.append(
                    Event(
                        seq: $0.seq,
                        type: $0.type.repairedUTF8String(),
                        data: $0.data.repairedUTF8String()
                    )
                )
                return true
            }
            return events
        }
    }

    func expectSound(_ location: SourceLocation = #_sourceLocation) async throws {
        let findings = try await store.verify()
        #expect(findings.isEmpty, sourceLocation: location)
    }
}

extension MessageView {
    /// The JSON of a member among what lists show; empty where there is none of that name.
    borrowing func member(_ name: StaticString) -> String {
        let shown = shown
        var members = JSONMembers()
        while let member = members.next(of: shown) {
            guard shown.extracting(member.name).equals(name) else { continue }
            return shown.extracting(member.name.upperBound + 2..<member.whole.upperBound).repairedUTF8String()
        }
        return ""
    }

    /// A string among what lists show, its escapes as they are.
    borrowing func text(_ name: StaticString) -> String { String(member(name).dropFirst().dropLast()) }
}
