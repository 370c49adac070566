// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Files

@Suite struct CopyingTests {
    /// A directory that nobody else has, removed afterwards.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let (file, path) = try File.temporary(in: "/tmp", prefix: "postern-copying-")
        _ = file
        try Files.remove(path)
        try Files.makeDirectories(path)
        defer { try? Files.removeTree(path) }
        try body(path)
    }

    @Test func aCopyIsAnotherFile() throws {
        try withDirectory { directory in
            let octets = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            try File("\(directory)/a", .createNew).write(octets)
            try Files.copy("\(directory)/a", to: "\(directory)/b")
            try File("\(directory)/a", .createEmpty).write([1])
            #expect(try Files.contents("\(directory)/b", limit: 1 << 24) == octets)
            // A name that is taken is not overwritten.
            #expect(throws: FileError.self) { try Files.copy("\(directory)/a", to: "\(directory)/b") }
        }
    }

    @Test func aLinkIsTheSameFile() throws {
        try withDirectory { directory in
            try File("\(directory)/a", .createNew).write([1, 2])
            try Files.linkOrCopy("\(directory)/a", to: "\(directory)/b")
            try File("\(directory)/a", .append).write([3])
            #expect(try Files.contents("\(directory)/b", limit: 10) == [1, 2, 3])
            #expect(throws: FileError.self) { try Files.linkOrCopy("\(directory)/a", to: "\(directory)/b") }
        }
    }

    @Test func aTreeIsRemovedWithoutFollowingLinks() throws {
        try withDirectory { directory in
            try Files.makeDirectories("\(directory)/tree/a/b/c")
            try File("\(directory)/tree/a/b/file", .createNew).write([1])
            try Files.link("\(directory)/tree/a/b/file", to: "\(directory)/kept")
            try Files.removeTree("\(directory)/tree")
            #expect(!Files.exists("\(directory)/tree"))
            #expect(try Files.contents("\(directory)/kept", limit: 10) == [1])
        }
    }

    @Test func anEmptyDirectoryIsToldFromAFullOne() throws {
        try withDirectory { directory in
            #expect(try Files.isEmptyDirectory(directory))
            #expect(try Files.isEmptyDirectory("\(directory)/missing"))
            try File("\(directory)/a", .createNew).write([1])
            #expect(try !Files.isEmptyDirectory(directory))
            #expect(Files.isRegularFile("\(directory)/a") && !Files.isRegularFile(directory))
        }
    }
}
