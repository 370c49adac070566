// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Runtime
import Storage
import Testing
import Wire

@testable import Intake
@testable import MIME

/// Messages that are read by their parts, which come from elsewhere in pieces.
@Suite struct SectionTests {
    /// Gives some octets of a part at a time.
    private struct Source: SectionSource {
        let parts: [String: [UInt8]]
        let pieceOctets: Int

        func read(_ part: MIMELayout.Part, _ range: Range<Int64>, into buffer: inout ByteBuffer) async throws {
            let octets = try #require(parts[part.path])
            let start = Int(range.lowerBound)
            buffer.append(octets[start..<min(start + pieceOctets, Int(range.upperBound))])
        }
    }

    private static func part(
        _ path: String,
        _ type: String,
        _ encoding: TransferEncoding,
        _ octets: [UInt8],
        _ role: MIMELayout.Role = .attachment
    ) -> MIMELayout.Part {
        MIMELayout.Part(
            path: path,
            container: nil,
            contentType: type,
            headerRange: 0..<0,
            bodyRange: 0..<Int64(octets.count),
            transferEncoding: encoding,
            charset: nil,
            decodedSize: 0,
            role: role,
            filename: nil,
            contentID: nil,
            isInline: false
        )
    }

    private static let text = Array("Gr=C3=BC=C3=9Fe aus =\r\nder Ferne\r\n".utf8)
    private static let file = Array("SGVsbG8s\r\nIHdvcmxk\r\nIQ==\r\n".utf8)

    private static func reader(_ parts: [MIMELayout.Part], _ octets: [String: [UInt8]], piece: Int) -> MessageReader {
        let layout = MIMELayout(parts: parts).encoded()
        return MessageReader(layout: layout.span, sections: Source(parts: octets, pieceOctets: piece), pool: nil)
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func whateverThePiecesTheContentIsTheSame(piece: Int) async throws {
        let parts = [
            Self.part("1", "text/plain", .quotedPrintable, Self.text, .text),
            Self.part("2", "application/pdf", .base64, Self.file),
            Self.part("3", "application/zip", .binary, Self.file),
        ]
        let reader = Self.reader(parts, ["1": Self.text, "2": Self.file, "3": Self.file], piece: piece)
        let text = try #require(try await reader.text(limit: 1000))
        #expect(String(decoding: text.octets, as: UTF8.self) == "Grüße aus der Ferne\r\n")
        func content(_ part: MIMELayout.Part, _ range: Range<Int64>?) async throws -> [UInt8] {
            var stream = reader.content(of: part, range: range)
            var octets = ByteBuffer()
            while try await stream.read(into: &octets) > 0 {}
            return octets.array()
        }
        #expect(try await content(parts[1], nil) == Array("Hello, world!".utf8))
        #expect(try await content(parts[1], 7..<12) == Array("world".utf8))
        #expect(try await content(parts[2], nil) == Self.file)
        #expect(try await content(parts[2], 8..<Int64.max) == Array(Self.file.dropFirst(8)))
    }

    @Test func whatIsNotEncodedAsItWasSaidIsNoContent() async throws {
        let plain = Array("This is plain; it has spaces, and: signs\r\n".utf8)
        for type in ["application/pdf", "text/plain"] {
            let part = Self.part("1", type, .base64, plain, .text)
            let reader = Self.reader([part], ["1": plain], piece: 100)
            await #expect(throws: SectionMismatch.self) {
                var stream = reader.content(of: part)
                var octets = ByteBuffer()
                while try await stream.read(into: &octets) > 0 {}
            }
            await #expect(throws: SectionMismatch.self) { _ = try await reader.text(limit: 100) }
        }
    }

    @Test func firstWordsAreReadFromTheBeginningOfThePart() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sections-\(UUID().uuidString)").path
        let store = try Store.open(
            StoreConfiguration(directory: folder),
            clock: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        defer {
            store.close()
            try? FileManager.default.removeItem(atPath: folder)
        }
        let html = Array("<style>p {}</style><p>Dear <b>Ann</b>,</p><p>this is".utf8)
        let parts = [
            Self.part("1.1", "text/plain", .quotedPrintable, Self.text, .text),
            Self.part("1.2", "text/html", .sevenBit, html, .html),
        ]
        let both = try #require(MirroredPreview(layout: MIMELayout(parts: parts).encoded()))
        #expect(both.part.path == "1.1" && both.octets == 2048)
        #expect(try both.words(Array(Self.text.prefix(14)), quarantine: store.quarantine) == "Grüß")
        let only = try #require(MirroredPreview(layout: MIMELayout(parts: [parts[1]]).encoded()))
        #expect(try only.words(html, quarantine: store.quarantine) == "Dear Ann, this is")
        #expect(
            MirroredPreview(layout: MIMELayout(parts: [Self.part("1", "image/png", .base64, html)]).encoded()) == nil
        )
        #expect(MirroredPreview.words(told: Array("  a\r\n b ".utf8)) == "a b")
    }
}
