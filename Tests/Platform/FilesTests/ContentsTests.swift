// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Files

@Suite struct ContentsTests {
    private let folder = NSTemporaryDirectory() + "/postern-contents-\(UInt64.random(in: 0 ... .max))"

    @Test func whatIsPutInPlaceIsReadBackAndOursAlone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Files.makeDirectories(folder)
        try Files.replaceContents(of: folder + "/f", with: [1, 2, 3])
        try Files.replaceContents(of: folder + "/f", with: [4, 5])
        #expect(try Files.contents(folder + "/f", limit: 2) == [4, 5])
        #expect(try Files.list(folder) == ["f"])
        let mode = try FileManager.default.attributesOfItem(atPath: folder + "/f")[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func whatIsTooLargeOrAbsentIsAnError() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Files.makeDirectories(folder)
        try Files.replaceContents(of: folder + "/f", with: [1, 2, 3])
        #expect(throws: FileError(code: EFBIG, function: "read")) { try Files.contents(folder + "/f", limit: 2) }
        #expect { try Files.contents(folder + "/g", limit: 2) } throws: { ($0 as? FileError)?.isNotFound == true }
    }
}
