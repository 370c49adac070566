// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import JSON

/// JSONTestSuite: every `y_` accepted and every `n_` refused, whole and octet by octet.
///
/// Where the grammar leaves it open (`i_`) our answer stands below.
@Suite(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"))
struct JSONTestSuiteTests {
    static let cases: [URL] = (try? TestData.files(below: "json/jsontestsuite/test_parsing")) ?? []

    /// We refuse duplicate names, which RFC 8259 §4 leaves open and the suite accepts.
    static let refusedByChoice: Set<String> = [
        "y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json",
    ]

    /// The grammar of numbers has no limit: they are numbers, and no integers of ours.
    static let acceptedByChoice: Set<String> = [
        "i_number_double_huge_neg_exp.json", "i_number_huge_exp.json", "i_number_neg_int_huge_exp.json",
        "i_number_pos_double_huge_exp.json", "i_number_real_neg_overflow.json", "i_number_real_pos_overflow.json",
        "i_number_real_underflow.json", "i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json",
        "i_number_very_big_negative_int.json",
    ]

    @Test func dataIsThere() {
        #expect(Self.cases.contains { $0.lastPathComponent.hasPrefix("y_") })
        #expect(Self.cases.contains { $0.lastPathComponent.hasPrefix("n_") })
    }

    @Test(arguments: cases) func verdict(_ file: URL) throws {
        let name = file.lastPathComponent
        let text = [UInt8](try Data(contentsOf: file))
        let isExpected =
            switch name.prefix(2) {
            case "y_": !Self.refusedByChoice.contains(name)
            case "n_": false
            default: Self.acceptedByChoice.contains(name)
            }
        let whole = Result { try JSONValue(parsing: text.span) }
        let isAccepted = (try? whole.get()) != nil
        #expect(isAccepted == isExpected, "\(name): \(whole)")
        let piecemeal = Result { try parseOctetByOctet(text) }
        switch (whole, piecemeal) {
        case (.success(let a), .success(let b)): #expect(a == b, "\(name)")
        case (.failure(let a), .failure(let b)): #expect(a as? JSONError == b as? JSONError, "\(name)")
        default: Issue.record("\(name): whole and piecemeal differ")
        }
    }
}

/// The value of a text that arrives one octet at a time.
func parseOctetByOctet(_ text: [UInt8], limits: JSONLimits = JSONLimits()) throws -> JSONValue {
    var parser = JSONDocumentParser(limits: limits)
    for octet in text { try parser.consume([octet].span) }
    return try parser.finish()
}
