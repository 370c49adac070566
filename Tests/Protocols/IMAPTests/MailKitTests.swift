// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

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
}
