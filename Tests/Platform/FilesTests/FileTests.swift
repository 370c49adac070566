// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Files

@Suite struct FileTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let (file, path) = try File.temporary(in: "/tmp", prefix: "postern-files-")
        _ = file
        try Files.remove(path)
        try Files.makeDirectories(path + "/a/b")
        defer {
            for directory in ["\(path)/a/b", "\(path)/a", path] {
                for name in (try? Files.list(directory)) ?? [] { try? Files.remove("\(directory)/\(name)") }
                try? Files.removeDirectory(directory)
            }
        }
        try body(path + "/a/b")
    }

    @Test func roomThatIsSetAsideIsThere() throws {
        try withDirectory { directory in
            let file = try File("\(directory)/x", .createNew)
            try file.write([1, 2, 3])
            try file.reserve(70_000)
            #expect(try file.size() == 70_000)
            #expect(try file.read(at: 0, count: 4) == [1, 2, 3, 0])
            // Fewer than there are change nothing.
            try file.reserve(10)
            #expect(try file.size() == 70_000)
            #expect(throws: FileError.self) { try file.reserve(.max) }
        }
    }

    @Test(arguments: [("/a/b/c", "/a/b"), ("/a", "/"), ("a", "."), ("a/b", "a")])
    func theParentIsWhatTheNameIsIn(_ path: String, _ parent: String) {
        #expect(Files.parent(of: path) == parent)
    }

    @Test func writtenOctetsAreReadBackInRanges() throws {
        try withDirectory { directory in
            let file = try File("\(directory)/x", .createNew)
            let bytes = (0..<70_000).map { UInt8($0 % 251) }
            try file.write(bytes)
            try file.sync()
            #expect(try file.size() == 70_000)
            #expect(try file.read(at: 0, count: 70_000) == bytes)
            #expect(try file.read(at: 69_990, count: 100) == Array(bytes.suffix(10)))
            #expect(try file.read(at: 80_000, count: 10).isEmpty)
        }
    }

    @Test func aSecondOpenFileDoesNotGetTheLock() throws {
        try withDirectory { directory in
            var first: File? = try File("\(directory)/lock", .readWrite)
            #expect(try first?.lockExclusively() == true)
            let second = try File("\(directory)/lock", .readWrite)
            #expect(try second.lockExclusively() == false)
            first = nil
            #expect(try second.lockExclusively())
        }
    }

    @Test func namesAreListedRenamedAndRemoved() throws {
        try withDirectory { directory in
            _ = try File("\(directory)/one", .createNew)
            #expect(throws: FileError(code: 17, function: "open")) { try File("\(directory)/one", .createNew) }
            try Files.rename("\(directory)/one", to: "\(directory)/two")
            try Files.syncDirectory(directory)
            #expect(try Files.list(directory) == ["two"])
            try Files.remove("\(directory)/two")
            let error = #expect(throws: FileError.self) { try Files.remove("\(directory)/two") }
            #expect(error?.isNotFound == true)
            #expect(try Files.freeSpace(directory) > 0)
        }
    }

    @Test func aFullDiskIsRecognised() throws {
        let file = try File("/dev/full", .readWrite)
        let error = #expect(throws: FileError.self) { try file.write([1, 2, 3]) }
        #expect(error?.isDiskFull == true)
    }

    @Test func mappedOctetsAreSeenThroughTheFile() throws {
        try withDirectory { directory in
            let mapped = try MappedFile("\(directory)/map", size: 128)
            mapped.store([1, 2, 3], at: 125)
            #expect(try File("\(directory)/map", .read).read(at: 124, count: 10) == [0, 1, 2, 3])
            #expect(mapped.load(at: 125, count: 3) == [1, 2, 3])
        }
    }
}
