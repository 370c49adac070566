// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import IMAP

@Suite struct IMAPClientCommandEncoderTests {
    /// A command in a line, its pauses as `⏸` and what is supplied as `‹octets›`.
    static func written(
        _ command: IMAPCommand,
        _ literals: IMAPClientCommandEncoder.Literals = .plus,
        isUTF8: Bool = false
    ) -> String {
        do throws(IMAPClientCommandError) {
            let pieces = try IMAPClientCommandEncoder.encode(command, tag: [0x61], literals, isUTF8: isUTF8)
            return pieces.map { piece in
                switch piece {
                case .octets(let octets): Said.octets(octets)
                case .pause: "⏸"
                case .supply(let octets): "‹\(octets)›"
                }
            }.joined()
        } catch {
            return "\(error)"
        }
    }

    static func name(_ text: String) -> IMAPMailboxName { IMAPMailboxName(text, isUTF8: false) }
    static func uids(_ numbers: UInt32...) -> IMAPMessages { .uids(IMAPNumberSet(numbers)) }
    static let day = Timestamp(milliseconds: 1_700_000_000_000)

    static let commands: [(IMAPCommand, String)] = [
        (.capability, "a CAPABILITY"), (.noop, "a NOOP"), (.logout, "a LOGOUT"), (.startTLS, "a STARTTLS"),
        (.namespace, "a NAMESPACE"), (.compress, "a COMPRESS DEFLATE"), (.close, "a CLOSE"), (.unselect, "a UNSELECT"),
        (.idle, "a IDLE"), (.authenticate(mechanism: "PLAIN", initialResponse: nil), "a AUTHENTICATE PLAIN"),
        (.authenticate(mechanism: "PLAIN", initialResponse: []), "a AUTHENTICATE PLAIN ="),
        (.authenticate(mechanism: "PLAIN", initialResponse: Array("AGE=".utf8)), "a AUTHENTICATE PLAIN AGE="),
        (.login(user: Array("me".utf8), password: Secret(Array("p w".utf8))), "a LOGIN \"me\" \"p w\""),
        (.login(user: Array("me".utf8), password: Secret(Array("p\"".utf8))), "a LOGIN \"me\" {2+}␍␊p\""),
        (.enable([.qresync, .utf8Accept]), "a ENABLE QRESYNC UTF8=ACCEPT"), (.id([]), "a ID NIL"),
        (.id([IMAPParameter(name: Array("name".utf8), value: nil)]), "a ID (\"name\" NIL)"),
        (.select(IMAPSelection(name("Entwürfe"))), "a SELECT Entw&APw-rfe"),
        (.select(IMAPSelection(name("NIL"), isReadOnly: true, usesCondStore: true)), "a EXAMINE \"NIL\" (CONDSTORE)"),
        (
            .select(IMAPSelection(.inbox, known: .init(uidValidity: 5, modSeq: 6, uids: IMAPNumberSet(1...9)))),
            "a SELECT INBOX (QRESYNC (5 6 1:9))"
        ),
        (
            .create(name("a b"), specialUse: [.sent, .archive, .subscribed]),
            "a CREATE \"a b\" (USE (\\Archive \\Sent))"
        ),
        (.create(name("x")), "a CREATE x"), (.delete(name("x")), "a DELETE x"),
        (.rename(name("x"), to: name("y")), "a RENAME x y"), (.subscribe(name("x")), "a SUBSCRIBE x"),
        (.unsubscribe(name("x")), "a UNSUBSCRIBE x"), (.list(IMAPListRequest()), "a LIST \"\" \"*\""),
        (.list(IMAPListRequest([Array("%".utf8)], verb: .lsub, reference: [0x78])), "a LSUB \"x\" \"%\""),
        (
            .list(
                IMAPListRequest(
                    [[0x2A], [0x25]],
                    selections: [.subscribed, .recursiveMatch],
                    returns: [.children, .specialUse],
                    status: [.messages, .uidNext]
                )
            ),
            "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"*\" \"%\") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UIDNEXT))"
        ),
        (.list(IMAPListRequest(status: [.size])), "a LIST \"\" \"*\" RETURN (STATUS (SIZE))"),
        (.status(.inbox, [.messages, .highestModSeq]), "a STATUS INBOX (MESSAGES HIGHESTMODSEQ)"),
        (.append(IMAPAppend(.inbox, octets: 5)), "a APPEND INBOX {5+}␍␊‹5›"),
        (
            .append(
                IMAPAppend(
                    .inbox,
                    octets: 5,
                    flags: IMAPFlags(MessageFlags([.seen], keywords: ["$x"]), isRecent: true),
                    internalDate: IMAPDateTime(day, offsetMinutes: 60),
                    isUTF8: true
                )
            ),
            "a APPEND INBOX (\\Seen $x) \"14-Nov-2023 23:13:20 +0100\" UTF8 (~{5+}␍␊‹5›)"
        ),
        (.expunge(uids: nil), "a EXPUNGE"), (.expunge(uids: IMAPNumberSet(3...4)), "a UID EXPUNGE 3:4"),
        (.copy(uids(1, 2, 5), to: name("x")), "a UID COPY 1:2,5 x"), (.move(uids(1), to: name("x")), "a UID MOVE 1 x"),
        (.quotaRoot(.inbox), "a GETQUOTAROOT INBOX"), (.notify(nil), "a NOTIFY NONE"),
        (
            .notify(
                IMAPNotifyRequest(
                    wantsStatus: true,
                    [
                        .init(.selected, [.messageNew, .messageExpunge], newMessageItems: [.uid, .flags]),
                        .init(.personal, [.mailboxName]), .init(.subtree([name("x y")]), []),
                    ]
                )
            ),
            "a NOTIFY SET STATUS (SELECTED (MessageNew (UID FLAGS) MessageExpunge)) (PERSONAL (MailboxName)) (SUBTREE (\"x y\") NONE)"
        ),
        (
            .fetch(
                IMAPFetchRequest(
                    uids(7),
                    [
                        .uid, .flags, .internalDate, .size, .envelope, .bodyStructure, .modSeq, .emailID, .threadID,
                        .saveDate, .preview, .binarySize([1, 2]), .gmailMessageID, .gmailThreadID, .gmailLabels,
                    ],
                    changedSince: 9,
                    wantsVanished: true
                )
            ),
            "a UID FETCH 7 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE MODSEQ EMAILID THREADID SAVEDATE PREVIEW"
                + " BINARY.SIZE[1.2] X-GM-MSGID X-GM-THRID X-GM-LABELS) (CHANGEDSINCE 9 VANISHED)"
        ),
        (
            .fetch(
                IMAPFetchRequest(
                    .sequence(IMAPNumberSet(1...IMAPNumberSet.largest)),
                    [
                        .section(IMAPSection()), .section(IMAPSection(part: [1], .mime), setsSeen: true),
                        .section(IMAPSection(.binary, part: [2]), length: 10),
                        .section(IMAPSection(.body, .headerFields([Array("From".utf8)]), origin: 4), length: 6),
                    ]
                )
            ),
            "a FETCH 1:* (BODY.PEEK[] BODY[1.MIME] BINARY.PEEK[2]<0.10> BODY.PEEK[HEADER.FIELDS (From)]<4.6>)"
        ),
        (
            .store(
                IMAPStoreRequest(uids(1), .add, IMAPFlags(MessageFlags([.deleted])), isSilent: true, unchangedSince: 4)
            ),
            "a UID STORE 1 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Deleted)"
        ),
        (.store(IMAPStoreRequest(uids(1), .replace, IMAPFlags())), "a UID STORE 1 FLAGS ()"),
        (.store(IMAPStoreRequest(uids(1), .remove, IMAPFlags(MessageFlags([.seen])))), "a UID STORE 1 -FLAGS (\\Seen)"),
        (.search(IMAPSearchRequest(.all)), "a UID SEARCH ALL"),
        (.search(IMAPSearchRequest(.and([]), isUID: false)), "a SEARCH ALL"),
        (
            .search(
                IMAPSearchRequest(
                    .and([
                        .flags([.seen, .flagged], areSet: false),
                        .not(.or(.from([0x78]), .and([.since(day), .larger(5)]))),
                        .keyword("$x", isSet: true), .header(name: Array("X-Y".utf8), []), .uids(IMAPNumberSet(1...3)),
                    ]),
                    returns: [.minimum, .all, .count]
                )
            ),
            "a UID SEARCH RETURN (MIN ALL COUNT) ((UNSEEN UNFLAGGED) NOT OR FROM \"x\" (SINCE 14-Nov-2023 LARGER 5)"
                + " KEYWORD $x HEADER X-Y \"\" UID 1:3)"
        ),
        (.search(IMAPSearchRequest(.all, returns: [.partial(-10...(-1))])), "a UID SEARCH RETURN (PARTIAL -1:-10) ALL"),
        (.search(IMAPSearchRequest(.text(Array("ü".utf8)))), "a UID SEARCH CHARSET UTF-8 TEXT {2+}␍␊ü"),
        (
            .search(IMAPSearchRequest(.body([0xFC]), charset: Array("ISO-8859-1".utf8))),
            "a UID SEARCH CHARSET ISO-8859-1 BODY {1+}␍␊\u{FFFD}"
        ),
        (
            .search(IMAPSearchRequest(.body(Array(#"a" OR ALL \ {3}"#.utf8)))),
            #"a UID SEARCH BODY {15+}␍␊a" OR ALL \ {3}"#
        ),
        (.search(IMAPSearchRequest(.emailID(Array("M1".utf8)))), "a UID SEARCH EMAILID M1"),
        (
            .search(
                IMAPSearchRequest(
                    .and([
                        .savedBefore(day), .savedOn(day), .savedSince(day), .saveDateSupported, .younger(60),
                        .older(3600), .saved,
                    ]),
                    returns: [.save, .count]
                )
            ),
            "a UID SEARCH RETURN (SAVE COUNT) (SAVEDBEFORE 14-Nov-2023 SAVEDON 14-Nov-2023 SAVEDSINCE 14-Nov-2023"
                + " SAVEDATESUPPORTED YOUNGER 60 OLDER 3600 $)"
        ),
        (.copy(.saved(isUID: true), to: name("x")), "a UID COPY $ x"),
        (
            .sort(
                IMAPSortRequest(
                    [.init(.subject), .init(.arrival, isReverse: true)],
                    IMAPSearchRequest(.flags([.seen], areSet: true), isUID: false)
                )
            ),
            "a SORT (SUBJECT REVERSE ARRIVAL) UTF-8 SEEN"
        ),
        (.thread(IMAPThreadRequest(.references, IMAPSearchRequest(.all))), "a UID THREAD REFERENCES UTF-8 ALL"),
        (.quota(root: []), "a GETQUOTA \"\""),
        (
            .fetch(IMAPFetchRequest(uids(7), [.uid, .body], changedSince: 9, partial: -30...(-1))),
            "a UID FETCH 7 (UID BODY) (CHANGEDSINCE 9 PARTIAL -1:-30)"
        ),
    ]

    @Test(arguments: commands) func command(_ command: IMAPCommand, _ written: String) {
        #expect(Self.written(command) == written + "␍␊")
    }

    @Test func literalsWaitWhereTheyMust() {
        let search = IMAPCommand.search(IMAPSearchRequest(.or(.from(Array("ä".utf8)), .to(Array("ö".utf8)))))
        #expect(
            Self.written(search, .synchronizing)
                == "a UID SEARCH CHARSET UTF-8 OR FROM {2}␍␊⏸ä TO {2}␍␊⏸ö␍␊"
        )
        #expect(Self.written(search, .minus) == "a UID SEARCH CHARSET UTF-8 OR FROM {2+}␍␊ä TO {2+}␍␊ö␍␊")
        let append = IMAPCommand.append(IMAPAppend(.inbox, octets: 4097))
        #expect(Self.written(append, .minus) == "a APPEND INBOX {4097}␍␊⏸‹4097›␍␊")
        #expect(Self.written(append, .plus) == "a APPEND INBOX {4097+}␍␊‹4097›␍␊")
    }

    @Test func utf8IsQuotedWhereItWasEnabled() {
        let name = IMAPMailboxName("Entwürfe", isUTF8: true)
        #expect(Self.written(.delete(name), .synchronizing, isUTF8: true) == "a DELETE \"Entwürfe\"␍␊")
        #expect(Self.written(.delete(name), .synchronizing) == "a DELETE {9}␍␊⏸Entwürfe␍␊")
        let broken = IMAPMailboxName(octets: [0xE4])
        #expect(Self.written(.delete(broken), isUTF8: true) == "a DELETE {1+}␍␊\u{FFFD}␍␊")
        let search = IMAPCommand.search(IMAPSearchRequest(.subject(Array("ü".utf8))))
        #expect(Self.written(search, isUTF8: true) == "a UID SEARCH SUBJECT \"ü\"␍␊")
    }

    static let evil: [[UInt8]] = [[13], [10], [0], Array("x\r\na LOGOUT".utf8), Array("x\ny".utf8), Array("x\0".utf8)]

    @Test(arguments: evil) func nothingBreaksOutOfAString(_ text: [UInt8]) {
        let name = IMAPMailboxName(octets: text)
        let commands: [IMAPCommand] = [
            .login(user: text, password: Secret([0x78])), .login(user: [0x78], password: Secret(text)), .delete(name),
            .rename(.inbox, to: name), .select(IMAPSelection(name)), .status(name, [.messages]),
            .list(IMAPListRequest([text])), .list(IMAPListRequest([[0x2A]], reference: text)),
            .append(IMAPAppend(name, octets: 1)), .copy(Self.uids(1), to: name),
            .id([IMAPParameter(name: text, value: nil)]),
            .id([IMAPParameter(name: [0x78], value: text)]), .search(IMAPSearchRequest(.text(text))),
            .search(IMAPSearchRequest(.not(.header(name: text, [])))), .search(IMAPSearchRequest(.gmail(text))),
            .search(IMAPSearchRequest(.emailID(text))),
            .notify(IMAPNotifyRequest(wantsStatus: false, [.init(.mailboxes([name]), [])])),
            .search(IMAPSearchRequest(.keyword(String(decoding: text, as: UTF8.self), isSet: true))),
            .fetch(IMAPFetchRequest(Self.uids(1), [.section(IMAPSection(.body, .headerFields([text])))])),
            .authenticate(mechanism: String(decoding: text, as: UTF8.self), initialResponse: nil),
        ]
        for command in commands {
            for literals: IMAPClientCommandEncoder.Literals in [.plus, .minus, .synchronizing] {
                #expect(Self.written(command, literals) == "unencodable")
                #expect(Self.written(command, literals, isUTF8: true) == "unencodable")
            }
        }
    }

    @Test func nothingIsNoName() {
        #expect(Self.written(.delete(IMAPMailboxName(octets: []))) == "unencodable")
        #expect(Self.written(.copy(.uids(IMAPNumberSet()), to: .inbox)) == "unencodable")
        #expect(Self.written(.fetch(IMAPFetchRequest(Self.uids(1), []))) == "unencodable")
        #expect(Self.written(.copy(.uids(IMAPNumberSet(0...3)), to: .inbox)) == "unencodable")
    }

    @Test func deepKeysAreWrittenWithoutRecursion() {
        var key = IMAPSearchKey.all
        for _ in 0..<5_000 { key = .not(key) }
        #expect(Self.written(.search(IMAPSearchRequest(key))).hasPrefix("a UID SEARCH NOT NOT"))
    }
}
