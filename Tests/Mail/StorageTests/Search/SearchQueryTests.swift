// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Storage

@Suite struct SearchQueryTests {
    private static func query(_ text: String) throws -> SearchQuery {
        try SearchQuery(parsing: Array(text.utf8).span)
    }

    private static func word(
        _ text: String,
        _ field: SearchQuery.Field = .anywhere,
        prefix: Bool = false
    )
        -> SearchQuery.Step
    {
        .term(.phrase(.init(Array(text.utf8), in: field, isPrefix: prefix)))
    }

    private static func day(_ year: Int, _ month: Int, _ day: Int) throws -> Timestamp {
        try #require(Timestamp(Timestamp.Civil(year: year, month: month, day: day)))
    }

    @Test(
        arguments: [
            ("", []),
            ("  \t ", []),
            ("hello", [word("hello")]),
            ("hello world", [word("hello"), word("world"), .all(2)]),
            ("hello AND world", [word("hello"), word("world"), .all(2)]),
            ("\"hello  world\"", [word("hello  world")]),
            ("a\"b c\"d", [word("a"), word("b c"), word("d"), .all(3)]),
            ("post*", [word("post", prefix: true)]),
            ("\"post*\"", [word("post*")]),
            ("-spam", [word("spam"), .not]),
            ("--spam", [word("-spam"), .not]),
            ("NOT spam", [word("spam"), .not]),
            ("x -\"a b\"", [word("x"), word("a b"), .not, .all(2)]),
            ("Q - A & B", [word("Q"), word("A"), word("B"), .all(3)]),
            ("well-known", [word("well-known")]),
            ("a OR b", [word("a"), word("b"), .any(2)]),
            ("a b OR c d", [word("a"), word("b"), .all(2), word("c"), word("d"), .all(2), .any(2)]),
            ("a or b", [word("a"), word("or"), word("b"), .all(3)]),
            ("a (b OR c)", [word("a"), word("b"), word("c"), .any(2), .all(2)]),
            ("a -(b OR c) d", [word("a"), word("b"), word("c"), .any(2), .not, word("d"), .all(3)]),
            ("((a))", [word("a")]),
            ("from:ann@example.com", [word("ann@example.com", .from)]),
            ("FROM:Ann", [word("Ann", .from)]),
            ("subject:\"annual report\"", [word("annual report", .subject)]),
            ("to:bob cc:eve bcc:mal", [word("bob", .to), word("eve", .cc), word("mal", .bcc), .all(3)]),
            ("body:inv* filename:pdf", [word("inv", .body, prefix: true), word("pdf", .filename), .all(2)]),
            ("-from:ann", [word("ann", .from), .not]),
            ("has:attachment", [.term(.hasAttachments)]),
            ("-has:Attachments", [.term(.hasAttachments), .not]),
            ("is:unread", [.term(.flagged(.seen)), .not]),
            ("-is:unread", [.term(.flagged(.seen))]),
            ("is:read is:starred", [.term(.flagged(.seen)), .term(.flagged(.flagged)), .all(2)]),
            ("larger:10k", [.term(.larger(10_240))]),
            ("smaller:2MB", [.term(.smaller(2 << 20))]),
            ("larger:7", [.term(.larger(7))]),
            ("in:inbox", [.term(.folder(Array("inbox".utf8)))]),
            ("in:\"My work\"", [.term(.folder(Array("My work".utf8)))]),
            ("https://example.com/a", [word("https://example.com/a")]),
            ("10:30", [word("10:30")]),
            ("Note: x", [word("Note:"), word("x"), .all(2)]),
            ("邮件", [word("邮件")]),
        ] as [(String, [SearchQuery.Step])]
    )
    func text(_ text: String, becomes steps: [SearchQuery.Step]) throws {
        #expect(try Self.query(text).steps == steps)
    }

    @Test func datesAreMidnightUTCOrMoments() throws {
        let april = try Self.day(2026, 4, 1)
        #expect(try Self.query("before:2026-04-01").steps == [.term(.before(april))])
        #expect(try Self.query("after:2026-04-01").steps == [.term(.since(april))])
        #expect(try Self.query("since:2026-04-01T02:00:00+02:00").steps == [.term(.since(april))])
        #expect(try Self.query("since:2026-04-01T00:00:00Z").steps == [.term(.since(april))])
        let next = try Self.day(2026, 4, 2)
        #expect(try Self.query("on:2026-04-01").steps == [.term(.since(april)), .term(.before(next)), .all(2)])
        #expect(
            try Self.query("-on:2026-04-01").steps == [.term(.since(april)), .term(.before(next)), .all(2), .not]
        )
    }

    @Test(
        arguments: [
            ("\"open", .unterminatedQuote(offset: 0)),
            ("a subject:\"open", .unterminatedQuote(offset: 10)),
            ("(a", .unbalancedParenthesis(offset: 0)),
            ("a (b (c)", .unbalancedParenthesis(offset: 2)),
            ("a)", .unbalancedParenthesis(offset: 1)),
            ("()", .missingOperand(offset: 1)),
            ("a OR", .missingOperand(offset: 2)),
            ("OR a", .missingOperand(offset: 0)),
            ("a OR OR b", .missingOperand(offset: 5)),
            ("(a OR) b", .missingOperand(offset: 3)),
            ("a AND", .missingOperand(offset: 2)),
            ("NOT", .missingOperand(offset: 0)),
            ("a NOT", .missingOperand(offset: 2)),
            ("NOT NOT a", .missingOperand(offset: 4)),
            ("from:", .missingValue(field: "from", offset: 0)),
            ("x from: ann", .missingValue(field: "from", offset: 2)),
            ("form:ann", .unknownField("form", offset: 0)),
            ("x Re:\"y\"", .unknownField("re", offset: 2)),
            ("is:happy", .invalidValue(field: "is", offset: 0)),
            ("has:wings", .invalidValue(field: "has", offset: 0)),
            ("before:tomorrow", .invalidValue(field: "before", offset: 0)),
            ("before:2026-02-30", .invalidValue(field: "before", offset: 0)),
            ("on:2026-01-01T00:00:00Z", .invalidValue(field: "on", offset: 0)),
            ("larger:+5", .invalidValue(field: "larger", offset: 0)),
            ("larger:99999999999999999999", .invalidValue(field: "larger", offset: 0)),
            ("larger:9999999999g", .invalidValue(field: "larger", offset: 0)),
            ("larger:m", .invalidValue(field: "larger", offset: 0)),
            ("!!!", .nothingSearchable(offset: 0)),
            ("x \"!!!\"", .nothingSearchable(offset: 2)),
            ("subject:--", .nothingSearchable(offset: 0)),
        ] as [(String, SearchQueryError)]
    )
    func text(_ text: String, isRefusedWith error: SearchQueryError) {
        #expect(throws: error) { try Self.query(text) }
    }

    @Test func limitsHold() throws {
        let long = String(repeating: "x", count: SearchQuery.maximumOctets)
        #expect(try Self.query(long).steps == [Self.word(long)])
        #expect(throws: SearchQueryError.tooLong) { try Self.query(long + "x") }
        let many = String(repeating: "x ", count: SearchQuery.maximumTerms)
        #expect(try Self.query(many).steps.count == SearchQuery.maximumTerms + 1)
        #expect(throws: SearchQueryError.tooManyTerms(offset: 128)) { try Self.query(many + "x") }
        let open = String(repeating: "(", count: SearchQuery.maximumDepth)
        let close = String(repeating: ")", count: SearchQuery.maximumDepth)
        #expect(try Self.query(open + "x" + close).steps == [Self.word("x")])
        #expect(throws: SearchQueryError.tooDeep(offset: 16)) { try Self.query(open + "(x)" + close) }
        #expect(throws: SearchQueryError.notUTF8) { try SearchQuery(parsing: [0x61, 0xFF].span) }
    }

    @Test func whatComesByOtherDoorsIsJoinedToTheText() throws {
        var query = try Self.query("a OR b")
        query.require(.flagged(.seen), negated: true)
        #expect(query.steps == [Self.word("a"), Self.word("b"), .any(2), .term(.flagged(.seen)), .not, .all(2)])
        var empty = SearchQuery()
        empty.require(.hasAttachments)
        #expect(empty.steps == [.term(.hasAttachments)])
    }
}
