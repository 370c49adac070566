// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import IMAP

/// The vectors of swift-nio-imap that are pieces of responses, each within a response that could hold it: what is read there
/// is read here, with the numbers and words that are expected, and what is refused there is not taken here.
///
/// What is not as there has its reason in `Disagreements.md`.
@Suite(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"))
struct NIOIMAPTests {
    struct Vector: CustomTestStringConvertible, Sendable {
        let kind: String
        let input: String
        let verdict: String
        let expected: String
        /// A whole response, or of one that is incomplete its beginning.
        let response: String
        var testDescription: String { "\(kind): \(Said.octets(Array(input.utf8)) as String)" }
    }

    /// By the kind of a vector, what stands around it in a response.
    static let frames: [String: (String, String)] = [
        "responsePayload": ("* ", "\r\n"), "mailboxData": ("* ", "\r\n"), "messageData": ("* ", "\r\n"),
        "capabilityData": ("* ", "\r\n"), "enableData": ("* ", "\r\n"), "idResponsePayload": ("* ", "\r\n"),
        "metadataResponse": ("* ", "\r\n"), "untaggedStatus": ("* ", "\r\n"), "responseTextCode": ("* OK [", "] y\r\n"),
        "responseText": ("* OK ", "\r\n"), "taggedResponse": ("", ""), "taggedResponseState": ("t ", "\r\n"),
        "continuationRequest": ("", ""), "responseData": ("", ""), "mailboxStatus": ("* STATUS x (", ")\r\n"),
        "messageAttribute": ("* 1 FETCH (", ")\r\n"), "fetchStreamingResponse": ("* 1 FETCH (", " NIL)\r\n"),
        "quotaLimits": ("* QUOTA r ", "\r\n"), "namespace": ("* NAMESPACE ", " NIL NIL\r\n"),
        "namespaceDescription": ("* NAMESPACE (", ") NIL NIL\r\n"),
        "namespaceResponseExtension": ("* NAMESPACE ((\"\" NIL", ")) NIL NIL\r\n"), "idParamsList": ("* ID ", "\r\n"),
        "flagList": ("* FLAGS ", "\r\n"), "flag": ("* FLAGS (", ")\r\n"), "attributeFlag": ("* FLAGS (", ")\r\n"),
        "permanentFlag": ("* OK [PERMANENTFLAGS (", ")] y\r\n"), "mailboxInfo": ("* LIST ", "\r\n"),
        "mailboxListFlags": ("* LIST (", ") NIL x\r\n"), "useAttribute": ("* LIST (", ") NIL x\r\n"),
        "extendedSearchResponse": ("* ESEARCH", "\r\n"), "searchReturnData": ("* ESEARCH ", "\r\n"),
        "searchReturnDataPartial": ("* ESEARCH ", "\r\n"), "searchCorrelator": ("* ESEARCH", "\r\n"),
        "searchSortModificationSequence": ("* SEARCH 1 ", "\r\n"), "messageIdentifierSet": ("* VANISHED ", "\r\n"),
        "messageIdentifierRange": ("* VANISHED ", "\r\n"),
        "modificationSequenceValue": ("* 1 FETCH (MODSEQ (", "))\r\n"),
        "uidValidity": ("* OK [UIDVALIDITY ", "] y\r\n"), "capability": ("* CAPABILITY ", "\r\n"),
        "gmailLabel": ("* 1 FETCH (X-GM-LABELS (", "))\r\n"), "section": ("* 1 FETCH (BODY", " NIL)\r\n"),
        "sectionSpecifier": ("* 1 FETCH (BODY[", "] NIL)\r\n"),
        "bodyExtension": ("* 1 FETCH (BODYSTRUCTURE (\"a\" \"b\" NIL NIL NIL \"c\" 1 NIL NIL NIL NIL ", "))\r\n"),
        "invalidBodyStructure": ("* 1 FETCH (BODYSTRUCTURE ", ")\r\n"),
        "optionalEnvelopeEmailAddresses": ("* 1 FETCH (ENVELOPE (NIL NIL ", " NIL NIL NIL NIL NIL NIL NIL))\r\n"),
        "emailAddress": ("* 1 FETCH (ENVELOPE (NIL NIL (", ") NIL NIL NIL NIL NIL NIL NIL))\r\n"),
        "nstring": ("* 1 FETCH (BODY[] ", ")\r\n"), "nil": ("* 1 FETCH (BODY[] ", ")\r\n"),
        "string": ("* 1 FETCH (BODY[] ", ")\r\n"), "stringAllowingNonASCII": ("* 1 FETCH (BODY[] ", ")\r\n"),
        "astring": ("* STATUS ", " (MESSAGES 1)\r\n"), "userId": ("* STATUS ", " (MESSAGES 1)\r\n"),
        "atom": ("* CAPABILITY ", "\r\n"), "number": ("* 1 FETCH (RFC822.SIZE ", ")\r\n"),
        "nzNumber": ("* 1 FETCH (UID ", ")\r\n"), "tag": ("", " OK y\r\n"), "newline": ("* OK y", ""),
        "childinfoExtendedItem": ("* LIST () NIL x (", ")\r\n"), "fetchResponse": ("* 1 FETCH (", ")\r\n"),
    ]

    static func vectors() throws -> [Vector] {
        let data = try TestData.bytes("imap/nio-imap/parse-fixtures.json")
        guard let all = try JSONSerialization.jsonObject(with: Data(data)) as? [[String: Any]] else { return [] }
        return all.compactMap { one in
            guard let kind = one["kind"] as? String, let input = one["input"] as? String,
                let verdict = one["verdict"] as? String, let frame = frames[kind]
            else { return nil }
            // Backslashes are twice in some of the inputs, which were lifted from source.
            let plain = input.replacing("\\\\", with: "\\")
            let end = verdict == "incomplete" ? "" : frame.1
            return Vector(
                kind: kind,
                input: plain,
                verdict: verdict,
                expected: one["expected"] as? String ?? "",
                response: frame.0 + plain + end
            )
        }
    }

    /// Kind and input of those that are not as there.
    static let differently: [String: Set<String>] = [
        "fetchResponse": [")\r\n"], "fetchStreamingResponse": ["BODY<0>"], "sectionSpecifier": ["MIME"],
        "userId": ["\\"], "messageData": ["GENURLAUTH test"], "metadataResponse": ["METADATA INBOX \"a\" \"b\" \"c\""],
        "continuationRequest": ["+ YQ==\r\n"], "responsePayload": ["QUOTAROOT INBOX"],
        "searchCorrelator": [" (MAILBOX \"mb\")", " (UIDVALIDITY 5)", " (TAG \"test1\" MAILBOX \"mb\")"],
        "searchReturnData": ["modifier 5"], "nil": ["\"NIL\""], "tag": ["+"],
        "namespaceDescription": ["(\"str\" NIL \"ext-key\" (\"val1\" \"val2\"))"],
        "namespaceResponseExtension": [" \"str1\" (\"str2\" \"str3\" \"str4\")"],
    ]

    @Test func thereAreVectors() throws { #expect(try Self.vectors().count >= 190) }

    @Test(arguments: try vectors(), [Feeding.whole, .byOctet])
    func vector(_ vector: Vector, _ feeding: Feeding) {
        let parsed = Parsed(Array(vector.response.utf8), feeding)
        if Self.differently[vector.kind]?.contains(vector.input) == true { return }
        let lines = parsed.lines
        let isRead = parsed.error == nil && !parsed.deviations.contains(.unreadableResponse)
        switch vector.verdict {
        case "success":
            #expect(isRead && !parsed.isIncomplete && !lines.isEmpty, "\(lines)")
            let text = lines.joined(separator: "\n").lowercased()
            for word in Self.words(vector.expected) {
                #expect(text.contains(word.lowercased()), "\(word) is not in \(lines)")
            }
        case "failure":
            let isTaken = isRead && !lines.contains { $0.contains("other") || $0.contains("unknown") }
            #expect(!isTaken, "\(lines)")
        default: #expect(parsed.isIncomplete && parsed.error == nil)
        }
    }

    /// The numbers and the strings of an expectation, which is Swift.
    static func words(_ expected: String) -> [String] {
        guard let start = expected.firstRange(of: ".success(") else { return [] }
        let text = expected[start.upperBound...]
        let strings = text.matches(of: #/"([^"\\]*)"/#).map { String($0.1) }
        let numbers = text.replacing(#/"[^"]*"/#, with: "").matches(of: #/[0-9][0-9_]*/#)
            .map { String($0.0).replacing("_", with: "") }
        return (strings + numbers).filter { !$0.isEmpty }
    }
}
