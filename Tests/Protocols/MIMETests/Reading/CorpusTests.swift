// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import TestSupport
import Testing
import Wire

@testable import MIME

/// Real and odd mail that others collected, read whole and in pieces, and compared with what other readers found.
@Suite(.enabled(if: TestData.root != nil)) struct CorpusTests {
    @Test(arguments: ["mime", "bounce", "smime", "openpgp"]) func everyMessageIsReadAndItsSizesAgree(
        _ folder: String
    ) throws {
        var count = 0
        for file in try TestData.files(below: folder) where !["json", "md", "py"].contains(file.pathExtension) {
            let octets = [UInt8](try Data(contentsOf: file))
            guard octets.count < 2 << 20 else { continue }
            let message = MIMEParser.parse(octets)
            count += 1
            for part in message.parts where part.isLeaf {
                let body = message.body(of: part, in: octets)
                let size = BodyDecoder.decode(body.span, part.transferEncoding).count
                #expect(Int64(size) == part.decodedSize, "\(file.path) \(part.path)")
            }
            let layout = message.layout()
            let encoded = layout.encoded()
            #expect(MIMELayout(encoded: encoded.span) == layout, "\(file.path)")
        }
        #expect(count > 50)
    }

    @Test func theSamePartsInPieces() throws {
        for file in try TestData.files(below: "mime/mime4j-mimetools") where file.pathExtension == "msg" {
            let octets = [UInt8](try Data(contentsOf: file))
            let whole = MIMEParser.parse(octets)
            for size in [1, 1_000] where octets.count < 50_000 {
                var parser = MIMEParser()
                var start = 0
                while start < octets.count {
                    let end = min(start + size, octets.count)
                    parser.consume(octets.span.extracting(start..<end))
                    start = end
                }
                let pieces = parser.finish()
                #expect(pieces.layout() == whole.layout(), "\(file.lastPathComponent) \(size)")
                #expect(pieces.defects == whole.defects, "\(file.lastPathComponent) \(size)")
            }
        }
    }

    private struct Expected: Decodable {
        let eml: String
        let subject: String?
        let from: [String?]?
        let epoch: Int64?
        let leaves: [Leaf]
        struct Leaf: Decodable {
            let type: String
            let sha256: String
            let len: Int
        }
    }

    /// How many messages have the leaves that another reader found, and how many of these have its content.
    ///
    /// The others are listed, with reasons, in `Disagreements.md`.
    @Test(arguments: [
        ("mail-parser", 45, 123), ("mime4j-mimetools", 29, 88), ("mime4j-testmsgs", 9, 16),
    ]) func leavesAgree(_ suite: String, _ leastTypes: Int, _ leastBodies: Int) throws {
        let expectations = try JSONDecoder().decode(
            [Expected].self,
            from: Data(try TestData.bytes("mime/NEUTRAL-\(suite).json"))
        )
        var types = 0
        var bodies = 0
        for expected in expectations {
            let octets = try TestData.bytes("mime/" + expected.eml)
            let leaves = MIMEParser.parse(octets).parts.filter(\.isLeaf)
            if leaves.map(\.contentType.essence) == expected.leaves.map(\.type) { types += 1 }
            let hashes = Set(leaves.flatMap { Self.hashes(of: $0, in: octets, asText: suite == "mail-parser") })
            bodies += expected.leaves.count { $0.len == 0 || hashes.contains($0.sha256) }
        }
        #expect(types >= leastTypes, "\(types) of \(expectations.count)")
        #expect(bodies >= leastBodies)
    }

    /// With either line end, with and without those at the end.
    private static func hashes(of part: MIMEPart, in octets: [UInt8], asText: Bool) -> [String] {
        let body = octets.span.extracting(Int(part.bodyRange.lowerBound)..<Int(part.bodyRange.upperBound))
        var content = ByteBuffer()
        if asText, part.contentType.isText {
            var decoder = TextDecoder(part.transferEncoding, charset: part.charset)
            decoder.decode(body, into: &content)
            decoder.finish(into: &content)
        } else {
            content.append(BodyDecoder.decode(body, part.transferEncoding))
        }
        let exact = content.array()
        var plain: [UInt8] = []
        for byte in exact {
            if byte == ASCII.lf, plain.last == ASCII.cr { plain.removeLast() }
            plain.append(byte)
        }
        let crlf = plain.flatMap { $0 == ASCII.lf ? [ASCII.cr, ASCII.lf] : [$0] }
        var trimmed = plain
        while trimmed.last == ASCII.lf { trimmed.removeLast() }
        var trimmedExact = exact
        while let last = trimmedExact.last, last == ASCII.lf || last == ASCII.cr { trimmedExact.removeLast() }
        return [exact, plain, crlf, trimmed, trimmedExact, exact + [13, 10], exact + [10], plain + [10]].map {
            variant in
            let digest = Digest.sha256(variant)
            return Hex.encode(digest.span).span.repairedUTF8String()
        }
    }

    @Test func subjectsSendersAndDatesAgree() throws {
        let expectations = try JSONDecoder().decode(
            [Expected].self,
            from: Data(try TestData.bytes("mime/NEUTRAL-mail-parser.json"))
        )
        var wrong: [String] = []
        for expected in expectations {
            let envelope = MIMEParser.parse(try TestData.bytes("mime/" + expected.eml)).envelope
            if let subject = expected.subject, subject != envelope.subject { wrong.append("\(expected.eml) subject") }
            if let from = expected.from, from != envelope.from.map(\.address) { wrong.append("\(expected.eml) from") }
            if let epoch = expected.epoch, epoch != envelope.date?.seconds { wrong.append("\(expected.eml) date") }
        }
        #expect(wrong.count <= 4, "\(wrong)")
    }
}
