// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Storage

/// The index against a plain scan: thousands of messages in several scripts, random changes, random queries.
@Suite struct SearchModelTests {
    /// Words of one script each; those without spaces are looked for within the runs they are written in.
    private static let spaced = ["alpha", "beta", "gamma", "Delta", "привет", "мир", "שלום", "naïve", "Übung"]
    private static let dense = ["邮件", "会议", "中文", "ไทย", "メール", "한국"]
    private static let words = spaced + dense

    private struct Model {
        var messages: [MessageKey: TestMessage] = [:]
        /// Per content, what a reader of each field would say it has, by other means than the index: whole words folded,
        /// and those of ``dense`` that its runs contain.
        private var known: [[String]: [SearchQuery.Field: Set<String>]] = [:]

        private static func fields(of message: TestMessage) -> [(SearchQuery.Field, String)] {
            [
                (.subject, message.subject), (.from, message.from), (.to, message.to), (.cc, message.cc),
                (.bcc, message.bcc), (.body, message.body), (.filename, message.filenames),
            ]
        }

        private mutating func words(of message: TestMessage) -> [SearchQuery.Field: Set<String>] {
            let fields = Self.fields(of: message)
            if let known = known[fields.map(\.1)] { return known }
            var words: [SearchQuery.Field: Set<String>] = [.anywhere: []]
            for (field, text) in fields {
                let found = text.split(separator: " ").map { $0.lowercased() } + dense.filter { text.contains($0) }
                words[field] = Set(found)
                words[.anywhere]?.formUnion(found)
            }
            known[fields.map(\.1)] = words
            return words
        }

        private static func matches(
            _ message: TestMessage,
            _ words: [SearchQuery.Field: Set<String>],
            _ term: SearchQuery.Term
        ) -> Bool {
            switch term {
            case .phrase(let phrase):
                return words[phrase.field]?.contains(String(decoding: phrase.text, as: UTF8.self).lowercased()) == true
            case .hasAttachments: return message.hasAttachments
            case .flagged(let flags): return message.flags.isSuperset(of: flags)
            case .before(let moment): return message.second * 1000 < moment.milliseconds
            case .since(let moment): return message.second * 1000 >= moment.milliseconds
            case .larger(let octets): return message.size > octets
            case .smaller(let octets): return message.size < octets
            case .folder(let name): return name == Array((message.folder == 0 ? "inbox" : "archive").utf8)
            }
        }

        mutating func find(_ query: SearchQuery) -> Set<MessageKey> {
            var found: Set<MessageKey> = []
            for (key, message) in messages {
                let words = words(of: message)
                var stack: [Bool] = []
                for step in query.steps {
                    switch step {
                    case .term(let term): stack.append(Self.matches(message, words, term))
                    case .not: stack.append(!stack.removeLast())
                    case .all(let count):
                        let holds = stack.suffix(count).allSatisfy { $0 }
                        stack.removeLast(count)
                        stack.append(holds)
                    case .any(let count):
                        let holds = stack.suffix(count).contains(true)
                        stack.removeLast(count)
                        stack.append(holds)
                    }
                }
                if stack.last ?? true { found.insert(key) }
            }
            return found
        }
    }

    /// Numbers that come again (SplitMix64).
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }

    private static func text(_ random: inout Seeded, words count: Int) -> String {
        (0..<Int.random(in: 0...count, using: &random)).map { _ -> String in
            if Bool.random(using: &random) { return spaced.randomElement(using: &random) ?? "" }
            return (0..<Int.random(in: 1...3, using: &random)).map { _ in dense.randomElement(using: &random) ?? "" }
                .joined()
        }.joined(separator: " ")
    }

    private static func message(_ random: inout Seeded) -> TestMessage {
        TestMessage(
            subject: text(&random, words: 2),
            from: text(&random, words: 1),
            to: text(&random, words: 1),
            cc: text(&random, words: 1),
            bcc: text(&random, words: 1),
            filenames: text(&random, words: 1),
            body: text(&random, words: 4),
            second: Int64.random(in: -5_000...5_000, using: &random),
            size: Int64.random(in: 1...5000, using: &random),
            flags: SystemFlags(rawValue: .random(in: 0..<32, using: &random)),
            folder: Int.random(in: 0...1, using: &random),
            hasAttachments: Bool.random(using: &random)
        )
    }

    private static func query(_ random: inout Seeded, depth: Int) -> String {
        func leaf() -> String {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: return "has:attachment"
            case 1: return ["is:unread", "is:flagged", "is:answered", "is:draft"].randomElement(using: &random) ?? ""
            case 2: return "larger:\(Int.random(in: 1...5000, using: &random))"
            case 3:
                return "before:\(Timestamp(seconds: Int64.random(in: -5000...5000, using: &random)))"
            case 4: return "in:\(Bool.random(using: &random) ? "inbox" : "archive")"
            case 5, 6:
                let fields = SearchQuery.Field.allCases.filter { $0 != .anywhere }
                let field = fields.randomElement(using: &random) ?? .body
                return "\(field.rawValue):\(words.randomElement(using: &random) ?? "")"
            default: return words.randomElement(using: &random) ?? ""
            }
        }
        guard depth > 0 else { return (Int.random(in: 0..<4, using: &random) == 0 ? "-" : "") + leaf() }
        let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in query(&random, depth: depth - 1) }
        let joined = parts.joined(separator: Bool.random(using: &random) ? " " : " OR ")
        return (Int.random(in: 0..<4, using: &random) == 0 ? "-" : "") + "(\(joined))"
    }

    private func change(_ model: inout Model, _ fixture: SearchFixture, _ random: inout Seeded) async throws {
        guard let key = model.messages.keys.sorted().randomElement(using: &random), var message = model.messages[key]
        else {
            return
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            let added = Self.message(&random)
            model.messages[try await fixture.add(added)] = added
        case 1:
            message.flags = SystemFlags(rawValue: .random(in: 0..<32, using: &random))
            try await fixture.setFlags(key, message.flags)
            model.messages[key] = message
        case 2:
            message.folder = 1 - message.folder
            try await fixture.move(key, to: message.folder)
            model.messages[key] = message
        case 3:
            if Bool.random(using: &random) { message.second += 1 }
            message.folder = Int.random(in: 0...1, using: &random)
            model.messages[try await fixture.copy(key, message)] = message
        default:
            try await fixture.delete(key, sweeping: Bool.random(using: &random))
            model.messages[key] = nil
        }
    }

    private func compare(_ model: inout Model, _ service: SearchService, _ random: inout Seeded) async throws {
        for _ in 0..<20 {
            let text = Self.query(&random, depth: Int.random(in: 0...3, using: &random))
            let query = try SearchQuery(parsing: Array(text.utf8).span)
            let found = try await service.all(text, pageSize: [20, 200, 10_000].randomElement(using: &random) ?? 50)
            let expected = model.find(query)
            #expect(Set(found) == expected, "\(text)")
            #expect(Set(found).count == found.count, "\(text)")
            let seconds = found.compactMap { model.messages[$0]?.second }
            #expect(zip(seconds, seconds.dropFirst()).allSatisfy { $0 >= $1 }, "\(text)")
        }
    }

    @Test(arguments: [1, 2])
    func theIndexFindsWhatAScanFinds(seed: UInt64) async throws {
        let fixture = try await SearchFixture()
        var random = Seeded(state: seed)
        var model = Model()
        for _ in 0..<10 {
            let batch = (0..<100).map { _ in Self.message(&random) }
            for (key, message) in zip(try await fixture.add(batch), batch) { model.messages[key] = message }
        }
        let service = try fixture.service()
        for round in 0..<6 {
            try await compare(&model, service, &random)
            for _ in 0..<60 { try await change(&model, fixture, &random) }
            if round == 3 { service.rebuild(SearchFixture.account) }
        }
        try await compare(&model, service, &random)
        service.stop()
    }
}
