// SPDX-License-Identifier: Apache-2.0

import Foundation
import MailTypes
import SASL
import TestSupport
import Testing
import Wire

@testable import SMTP

@Suite struct SMTPReplyParserTests {
    struct Fixture: CustomTestStringConvertible, Sendable {
        let input: String
        let outcome: Result<[SMTPReply], SMTPReplySyntaxError>
        var testDescription: String { input.debugDescription }
    }

    static let fixtures: [Fixture] = [
        Fixture(input: "250 2.1.0 ok\r\n", outcome: .success([SMTPReply(250, .init(2, 1, 0), "ok")])),
        Fixture(input: "250\r\n", outcome: .success([SMTPReply(250, nil, "")])),
        Fixture(input: "250 \r\n", outcome: .success([SMTPReply(250, nil, "")])),
        Fixture(input: "354 go\n", outcome: .success([SMTPReply(354, nil, "go")])),
        Fixture(input: "250-first\r\n", outcome: .success([])),
        Fixture(input: "250-a\r\n250-b\r\n250 c\r\n", outcome: .success([SMTPReply(250, nil, "a", "b", "c")])),
        Fixture(
            input: "550-5.7.1 a\r\n550 5.7.1 b\r\n",
            outcome: .success([SMTPReply(550, .init(5, 7, 1), "a", "b")])
        ),
        // A status of another class is not this reply's.
        Fixture(input: "450 5.7.1 a\r\n", outcome: .success([SMTPReply(450, nil, "5.7.1 a")])),
        Fixture(input: "250 2.1234.0 a\r\n", outcome: .success([SMTPReply(250, nil, "2.1234.0 a")])),
        Fixture(input: "250 2.1.0x\r\n", outcome: .success([SMTPReply(250, nil, "2.1.0x")])),
        Fixture(
            input: "221 a\r\n220 b\r\n",
            outcome: .success([SMTPReply(221, nil, "a"), SMTPReply(220, nil, "b")])
        ),
        Fixture(input: "25O ok\r\n", outcome: .failure(.badCode)),
        Fixture(input: "+50 ok\r\n", outcome: .failure(.badCode)),
        Fixture(input: "150 ok\r\n", outcome: .failure(.badCode)),
        Fixture(input: "600 ok\r\n", outcome: .failure(.badCode)),
        Fixture(input: "25\r\n", outcome: .failure(.badCode)),
        Fixture(input: "2500 ok\r\n", outcome: .failure(.badCode)),
        Fixture(input: "250\tok\r\n", outcome: .failure(.badCode)),
        Fixture(input: "\r\n", outcome: .failure(.badCode)),
        Fixture(input: "250-a\r\n251 b\r\n", outcome: .failure(.codeChanged)),
        Fixture(input: String(repeating: "2", count: 4096), outcome: .failure(.lineTooLong)),
        Fixture(
            input: "250 " + String(repeating: "x", count: 4096) + "\r\n",
            outcome: .failure(.lineTooLong)
        ),
        Fixture(input: String(repeating: "250-x\r\n", count: 129), outcome: .failure(.tooManyLines)),
    ]

    private func parse(_ input: [UInt8], step: Int) -> Result<[SMTPReply], SMTPReplySyntaxError> {
        var parser = SMTPReplyParser()
        var buffer = ByteBuffer()
        var replies: [SMTPReply] = []
        var start = 0
        do throws(SMTPReplySyntaxError) {
            while start < input.count {
                buffer.append(input[start..<min(start + step, input.count)])
                start += step
                while let reply = try parser.next(&buffer) { replies.append(reply) }
            }
            return .success(replies)
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: fixtures, [1, 1 << 20]) func replies(_ fixture: Fixture, _ step: Int) {
        #expect(parse(Array(fixture.input.utf8), step: step) == fixture.outcome)
    }

    /// Replies that others recorded: each is one, with the code its line begins with.
    @Test(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"))
    func recordedRepliesAreRead() throws {
        let files = try TestData.files(below: "smtp/mailkit-smtp").filter { $0.pathExtension == "txt" }
        #expect(files.count >= 17)
        for file in files {
            let octets = try TestData.bytes("smtp/mailkit-smtp/" + file.lastPathComponent)
            let expected = octets.split(separator: 10).filter { $0.count > 3 && $0[$0.startIndex + 3] == 0x20 }
            guard case .success(let replies) = parse(octets, step: 1) else {
                Issue.record("\(file.lastPathComponent) is refused")
                continue
            }
            #expect(replies.map { Array("\($0.code)".utf8) } == expected.map { Array($0.prefix(3)) })
            if file.lastPathComponent == "comcast-ehlo+dsn.txt" {
                let capabilities = SMTPCapabilities(try #require(replies.first))
                #expect(capabilities.dsn && capabilities.pipelining && capabilities.startTLS)
                #expect(capabilities.maximumMessageOctets == 36_700_160)
                #expect(capabilities.mechanisms == [.plain, .login])
            }
        }
    }
}
