// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import MailTypes

@Suite struct IdentifierTests {
    @Test func textAndOctetsRoundTrip() {
        for _ in 0..<1000 {
            let id = PlacementID.random()
            #expect(PlacementID(id.description) == id)
            #expect(PlacementID(octets: id.octets.span) == id)
            #expect(id.description.utf8.count == 20)
        }
    }

    @Test func textOfAnotherKindCaseOrLengthIsRefused() {
        let text = FolderID.random().description
        #expect(PlacementID(text) == nil)
        #expect(FolderID(text.uppercased()) == nil)
        #expect(FolderID(text + "a") == nil)
        #expect(FolderID("fld_000000000000000") == nil)
    }
}
