// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Testing
import Wire

@testable import IMAP
@testable import Sync

/// Which folders a round looks into, by what STATUS says of them.
@Suite struct FolderLookTests {
    private static let now = Timestamp(milliseconds: 1_000_000_000)
    private static let interval = 600_000

    /// A folder of an account whose STATUS says the same as the mirror.
    private func looks(
        _ folders: [(name: String, messages: Int, modseq: UInt64?, minutesAgo: Int?)]
    ) async throws -> [FolderLook] {
        let place = try TemporaryStore()
        defer { place.close() }
        let address = try #require(EmailAddress("ann@example.net"))
        return try await place.store.write { tx in
            let account = try tx.accounts.create(NewAccount(kind: .imap, address: address))
            return try folders.map { entry in
                var remote = RemoteFolder(path: Array(entry.name.utf8), separator: ASCII.slash)
                (remote.uidValidity, remote.uidNext, remote.low, remote.modseq) = (7, 100, 1, entry.modseq)
                remote.verified = entry.minutesAgo.map {
                    Timestamp(milliseconds: Self.now.milliseconds - Int64($0) * 60_000)
                }
                let folder = try tx.mirror.add(try FolderName(entry.name), role: nil, remote, to: account.key)
                var status = IMAPMailboxStatus(mailbox: IMAPMailboxName(octets: remote.path))
                (status.uidValidity, status.uidNext, status.messages) = (7, 100, UInt32(folder.total))
                (status.unseen, status.highestModSeq) = (0, entry.modseq)
                return FolderLook(folder: folder, remote: remote, status: status)
            }
        }
    }

    private func plan(_ looks: [FolderLook], messages: Int = 20_000) -> (due: [String], proven: [String]) {
        let plan = FolderLook.plan(looks, at: Self.now, flagsAfter: Self.interval, messages: messages)
        return (plan.due.map(\.folder.name.text), plan.proven.map(\.folder.name.text))
    }

    @Test func whatTheServerCountsIsProvenByStatus() async throws {
        let plan = plan(try await looks([("a", 0, 5, 60), ("b", 0, nil, 5), ("c", 0, 9, nil)]))
        #expect(plan.due == [])
        #expect(plan.proven == ["a", "c"])
    }

    @Test func flagsThatNothingProvesAreLookedAtWhenThatIsLongAgo() async throws {
        let found = try await looks([("a", 0, nil, 30), ("b", 0, nil, 9), ("c", 0, nil, nil), ("d", 0, nil, 10)])
        let all = plan(found)
        #expect(all.due == ["c", "a", "d"])
        #expect(all.proven == [])
    }

    @Test func whatStatusSaysIsDifferentIsLookedAtAtOnce() async throws {
        var found = try await looks([("a", 0, 5, 0), ("b", 0, nil, 0)])
        found = found.map { look in
            guard look.folder.name.text == "b", var status = look.status else { return look }
            status.unseen = 3
            return FolderLook(folder: look.folder, remote: look.remote, status: status)
        }
        let plan = plan(found)
        #expect(plan.due == ["b"])
        #expect(plan.proven == ["a"])
    }

    @Test(
        arguments: [
            ("abc", [], "abc"), ("gr\u{FC}n", [], "gr\u{FC}n"), ("gr\u{FC}n", ["US-ASCII", "iso-8859-1"], "gr\u{FC}n"),
            ("gr\u{FC}n", ["US-ASCII"], nil), ("\u{20AC}", [], nil), ("\u{4E2D}", ["ISO-8859-1"], nil),
        ] as [(String, [String], String?)]
    )
    func aTextIsWrittenInLatin1WhereItCanBe(text: String, known: [String], expected: String?) {
        let octets = SearchCharset.latin1(Array(text.utf8), known: known.map { Array($0.utf8) })
        #expect(octets == expected.map { $0.unicodeScalars.map { UInt8($0.value) } })
    }
}
