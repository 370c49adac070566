// SPDX-License-Identifier: Apache-2.0

import Files
import Foundation
import Glibc
import Testing

@testable import Command

@Suite struct MailSourceTests {
    private let root = NSTemporaryDirectory() + "/postern-source-\(UInt64.random(in: 0 ... .max))"

    private func put(_ path: String, _ text: String) throws {
        let whole = "\(root)/\(path)"
        try Files.makeDirectories(String(whole[..<(whole.lastIndex(of: "/") ?? whole.endIndex)]))
        try Files.replaceContents(of: whole, with: Array(text.utf8))
    }

    private func messages() throws -> [ImportedMessage] {
        var found: [ImportedMessage] = []
        for source in try MailSource.found(at: root) {
            try source.forEach(limit: 1000) { item in
                if case .message(let message) = item { found.append(message) }
            }
        }
        return found
    }

    @Test func aDirectoryIsWalked() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try put("b.eml", "B: 1\n\n")
        try put("a.mbox", "From a 09:30\n\none\n\nFrom b 09:31\n\ntwo\n")
        try put("Archive/2025/c", "C: 1\n\n")
        try put(".hidden", "H: 1\n\n")
        let found = try messages()
        #expect(found.map(\.folder) == ["", "", "", "Archive/2025"])
        #expect(
            found.map { String(decoding: $0.octets, as: UTF8.self) } == ["\none\n", "\ntwo\n", "B: 1\n\n", "C: 1\n\n"]
        )
    }

    @Test func aMaildirGivesFlagsAndFolders() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        for name in ["cur", "new", "tmp", ".Sent.2025/cur", ".Sent.2025/new"] {
            try Files.makeDirectories("\(root)/\(name)")
        }
        try put("cur/1.M1.host:2,FRS", "A: 1\n\n")
        try put("new/2.M2.host", "B: 1\n\n")
        try put("tmp/3.M3.host", "unfinished")
        try put(".Sent.2025/cur/4.M4.host:2,", "C: 1\n\n")
        let found = try messages()
        #expect(found.map(\.key) == ["1.M1.host", "2.M2.host", "4.M4.host"])
        #expect(found.map(\.flags) == [["flagged", "answered", "seen"], [], []])
        #expect(found.map(\.folder) == ["", "", "Sent/2025"])
        #expect(found.allSatisfy { $0.internalDate != nil })
    }

    @Test func circlesOfLinksEnd() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try put("sub/a.eml", "A: 1\n\n")
        try FileManager.default.createSymbolicLink(atPath: "\(root)/sub/up", withDestinationPath: "..")
        #expect(try messages().count == 1)
    }

    /// One entry that nobody can read is no reason to leave the others; a pipe would be waited for without end.
    @Test func whatCannotBeReadIsSaidAndTheRestIsTaken() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try put("a.eml", "A: 1\n\n")
        try put("z.eml", "Z: 1\n\n")
        try FileManager.default.createSymbolicLink(atPath: "\(root)/gone", withDestinationPath: "nowhere")
        #expect(mkfifo("\(root)/pipe", 0o600) == 0)
        for name in ["box/cur", "box/new"] { try Files.makeDirectories("\(root)/\(name)") }
        #expect(mkfifo("\(root)/box/new/1.M1.host", 0o600) == 0)
        try put("box/cur/2.M2.host:2,", "B: 1\n\n")
        var keys: [String] = []
        var unreadable: [String] = []
        for source in try MailSource.found(at: root) {
            try source.forEach(limit: 1000) { item in
                switch item {
                case .message(let message): keys.append(message.key)
                case .unreadable(let failure): unreadable.append(failure.key)
                }
            }
        }
        #expect(keys == ["a.eml", "z.eml", "2.M2.host"])
        #expect(unreadable == ["gone"])
    }

    @Test func whatIsTooLargeIsSaid() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try put("a.eml", String(repeating: "x", count: 2000))
        var reasons: [String] = []
        for source in try MailSource.found(at: root) {
            try source.forEach(limit: 1000) { item in
                if case .unreadable(let failure) = item { reasons.append(failure.reason) }
            }
        }
        #expect(reasons == ["it is larger than the limit of 1000 octets"])
    }
}
