// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Storage
import Testing

@testable import Sync

@Suite struct RemoteFolderNamesTests {
    private static let dots = RemoteFolderNames(isUTF8: false, prefix: Array("INBOX.".utf8), separator: 0x2E)
    private static let slashes = RemoteFolderNames(isUTF8: false, separator: 0x2F)
    private static let utf8 = RemoteFolderNames(isUTF8: true, separator: 0x2E)
    private static let flat = RemoteFolderNames(isUTF8: false, separator: nil)

    @Test(arguments: [
        (dots, "INBOX", "INBOX"), (dots, "INBOX.Sent", "Sent"), (dots, "INBOX.a.b", "a/b"),
        (dots, "INBOX.a/b", "a=2Fb"), (slashes, "a/b", "a/b"), (slashes, "&ANw-bersicht/x", "Übersicht/x"),
        (utf8, "Über.x", "Über/x"), (flat, "a.b", "a.b"), (utf8, "a. b", "a/=20b"),
    ])
    func namesGoThereAndBack(_ names: RemoteFolderNames, _ wire: String, _ ours: String) throws {
        let mailbox = IMAPMailboxName(octets: Array(wire.utf8))
        let name = try #require(names.name(of: mailbox, separator: names.separator))
        #expect(name.text == ours)
        #expect(names.mailbox(name) == mailbox)
    }

    @Test(
        arguments: [
            (["INBOX", "INBOX.Sent", "inbox.a.b"], "INBOX."), (["INBOX", "INBOX.Sent", "Other"], ""), (["INBOX"], ""),
            (["INBOX", "INBOX."], ""), (["INBOX", "INBOXES.a"], ""), ([], ""),
        ] as [([String], String)]
    )
    func aListTellsWhatNamesBeginWith(_ mailboxes: [String], _ prefix: String) {
        let listed = mailboxes.map { (name: IMAPMailboxName(octets: Array($0.utf8)), separator: UInt8?(0x2E)) }
        #expect(RemoteFolderNames(isUTF8: false, of: listed).prefix == Array(prefix.utf8))
    }

    @Test(arguments: ["INBOX.inbox", "INBOX.a..b", "INBOX."])
    func someStandForNothing(_ wire: String) {
        #expect(Self.dots.name(of: IMAPMailboxName(octets: Array(wire.utf8)), separator: 0x2E) == nil)
    }

    @Test(arguments: [(flat, "a/b"), (dots, "a.b/c")])
    func someCannotBeHadThere(_ names: RemoteFolderNames, _ ours: String) throws {
        #expect(names.mailbox(try FolderName(ours)) == nil)
    }

    @Test func controlsAreEscaped() {
        let name = Self.slashes.name(of: IMAPMailboxName(octets: Array("a\tb".utf8)), separator: 0x2F)
        #expect(name?.text == "a=09b")
        let c1 = Self.utf8.name(of: IMAPMailboxName(octets: Array("a\u{85}b".utf8)), separator: 0x2E)
        #expect(c1?.text == "a=C2=85b")
    }

    @Test(
        arguments: [
            ("Sent", FolderRole.sent), ("sent items", .sent), ("Deleted Messages", .trash), ("SPAM", .junk),
            ("Draft", .drafts), ("Archives", .archive), ("Work", nil), ("Work/Sent", nil),
        ] as [(String, FolderRole?)]
    )
    func usualNamesHaveRoles(_ name: String, _ role: FolderRole?) throws {
        #expect(UsualFolderRoles.role(of: try FolderName(name)) == role)
    }
}
