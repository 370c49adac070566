// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import IMAP

/// What servers answered in the dialogues that MailKit has recorded.
@Suite(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"))
struct MailKitTests {
    struct Recording: CustomTestStringConvertible, Sendable {
        let name: String
        let octets: [UInt8]
        var testDescription: String { name }

        /// The lines end in LF in the files, and stand for CRLF; the tag is a stand-in too.
        func octets(tag: String) -> [UInt8] {
            var output: [UInt8] = []
            for byte in octets where byte != 13 {
                if byte == 10 { output.append(13) }
                output.append(byte)
            }
            let text = String(decoding: output, as: Unicode.ASCII.self)
            guard text.contains("A########") else { return output }
            return Array(String(decoding: output, as: UTF8.self).replacing("A########", with: tag).utf8)
        }
    }

    static func recordings() throws -> [Recording] {
        guard let root = TestData.root else { return [] }
        let prefix = root.appendingPathComponent("imap/mailkit-imap").path + "/"
        return try TestData.files(below: "imap/mailkit-imap").filter { $0.pathExtension == "txt" }.map { file in
            Recording(name: String(file.path.dropFirst(prefix.count)), octets: [UInt8](try Data(contentsOf: file)))
        }
    }

    /// The deviations that are in the recordings, and no others.
    static let deviations: [String: Set<IMAPDeviation>] = [
        "domino/fetch-extra-parens.txt": [.parenthesizedFetchItem],
        "exchange/issue115.txt": [.codeWithoutStatus, .missingText],
        "common/list-nil-folder-delim.txt": [.emptySeparator], "common/capability-greeting.txt": [.missingText],
        "common/preauth-capability-greeting.txt": [.missingText], "yahoo/examine-inbox.txt": [.missingText],
        "common/select-inbox-annotate.txt": [.missingText], "common/select-inbox-annotate-none.txt": [.missingText],
        "common/select-inbox-annotate-no-modseq.txt": [.missingText],
        "common/select-inbox-annotate-readonly.txt": [.missingText],
    ]

    @Test func thereAreRecordings() throws { #expect(try Self.recordings().count >= 130) }

    @Test(arguments: try recordings(), Feeding.allCases)
    func recording(_ recording: Recording, _ feeding: Feeding) {
        let parsed = Parsed(recording.octets(tag: "A1"), feeding)
        #expect(parsed.error == nil && !parsed.isIncomplete)
        #expect(parsed.deviations == Self.deviations[recording.name] ?? [])
    }

    // MARK: Through the client

    /// Which command a recording answers, by the beginning of its name.
    static let commands: [(prefix: String, command: IMAPCommand)] = [
        ("capabilit", .capability), ("authenticate", .login(user: [0x78], password: Secret([0x78]))),
        ("select", .select(IMAPSelection(.inbox))), ("examine", .select(IMAPSelection(.inbox, isReadOnly: true))),
        ("list", .list(IMAPListRequest(status: [.messages]))), ("notify-list", .list(IMAPListRequest())),
        ("namespace", .namespace), ("search", .search(IMAPSearchRequest(.all))),
        ("optimized-search", .search(IMAPSearchRequest(.all))), ("sort", .search(IMAPSearchRequest(.all))),
        ("thread", .search(IMAPSearchRequest(.all))),
        ("fetch", .fetch(IMAPFetchRequest(.uids(IMAPNumberSet(1...9)), [.flags]))),
        ("getquota", .quotaRoot(.inbox)), ("setquota", .quotaRoot(.inbox)), ("getmetadata", .noop),
        ("get", .fetch(IMAPFetchRequest(.uids(IMAPNumberSet(1...9)), [.section(IMAPSection())]))),
        ("store", .store(IMAPStoreRequest(.uids(IMAPNumberSet(1...9)), .add, IMAPFlags()))),
        ("setflags", .store(IMAPStoreRequest(.uids(IMAPNumberSet(1...9)), .add, IMAPFlags()))),
        ("copy", .copy(.uids(IMAPNumberSet(1...9)), to: .inbox)),
        ("move", .move(.uids(IMAPNumberSet(1...9)), to: .inbox)),
        ("issue115", .move(.uids(IMAPNumberSet(1...9)), to: .inbox)), ("expunge", .expunge(uids: nil)),
        ("uid-expunge", .expunge(uids: IMAPNumberSet(1...9))), ("append", .append(IMAPAppend(.inbox, octets: 0))),
        ("multiappend", .append(IMAPAppend(.inbox, octets: 0))), ("status", .status(.inbox, [.messages])),
        ("enable", .enable([.qresync])), ("id", .id([])), ("notify-idle-done", .noop), ("notify-idle", .idle),
        ("notify", .notify(nil)), ("noop", .noop), ("setmetadata", .noop), ("inbox-", .noop),
    ]

    @Test(arguments: try recordings(), Feeding.allCases)
    func dialogue(_ recording: Recording, _ feeding: Feeding) throws {
        var client = ClientUnderTest(["tls"])
        client.run()
        let name = String(recording.name.drop { $0 != "/" }.dropFirst())
        if name.contains("greeting") {
            client.receive(recording.octets(tag: ""), feeding)
            let isPreauth = name.contains("preauth")
            let needsCapabilities = client.lastAction == "READ capability"
            #expect(
                isPreauth
                    ? client.lastAction == "CLOSE preauthenticated" : needsCapabilities || client.events == ["ready"]
            )
            return
        }
        client.becomeReady("IMAP4rev1 LITERAL+")
        let command = try #require(Self.commands.first { name.hasPrefix($0.prefix) }?.command)
        _ = try client.machine.submit(command, &client.output)
        client.run()
        client.receive(recording.octets(tag: "A1"), feeding)
        if name == "notify-idle.txt" {
            #expect(client.lastAction == "READ idle" && client.events.first == "idling A1")
        } else {
            #expect(client.lastAction == "READ ready" && client.events.last?.hasPrefix("completed A1") == true)
        }
        #expect(!client.events.contains { $0.hasPrefix("unreadable") || $0.contains("not whole") })
    }
}
