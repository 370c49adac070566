// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What holds for every file of ours, whoever writes it.
@Suite struct SourceTreeTests {
    private struct Source {
        /// Below the project's folder.
        let path: String
        let text: String

        /// The modules it imports, in its own words.
        var imports: [String] {
            lines.compactMap { line in
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index < 3, index + 1 < words.count,
                    words[..<index].allSatisfy({
                        ["package", "internal", "private", "fileprivate", "public", "@testable"].contains($0)
                    })
                else { return nil }
                return String(words[index + 1])
            }
        }

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

        /// The lines without comments and without the text of string literals, so far as a line alone can tell.
        var codeLines: [(number: Int, text: String)] {
            var found: [(number: Int, text: String)] = []
            for (index, line) in lines.enumerated() where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                let end = line.firstRange(of: " // ")?.lowerBound ?? line.endIndex
                found.append((index + 1, String(line[..<end]).replacing(#/"[^"]*"/#, with: "\"\"")))
            }
            return found
        }
    }

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func sources(_ folder: String, extensions: Set<String>) throws -> [Source] {
        let base = root.appendingPathComponent(folder, isDirectory: true)
        let walk = try #require(FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil))
        let files = walk.compactMap { $0 as? URL }.filter { extensions.contains($0.pathExtension) }
        return try files.map {
            Source(
                path: String($0.standardizedFileURL.path.dropFirst(root.standardizedFileURL.path.count + 1)),
                text: try String(contentsOf: $0, encoding: .utf8)
            )
        }.sorted { $0.path < $1.path }
    }

    private static func swift(_ folder: String) throws -> [Source] {
        let found = try sources(folder, extensions: ["swift"])
        try #require(!found.isEmpty)
        return found
    }

    @Test func everyFileBeginsWithItsLicence() throws {
        let found =
            try Self.sources("Sources", extensions: ["swift", "c", "h"]) + Self.sources("Tests", extensions: ["swift"])
        for source in found {
            #expect(source.text.hasPrefix("// SPDX-License-Identifier: Apache-2.0\n"), "\(source.path)")
        }
    }

    @Test func protocolsKnowNeitherTheSystemNorFoundation() throws {
        let forbidden: Set = [
            "Glibc", "Foundation", "FoundationEssentials", "Dispatch", "Runtime", "Sockets", "TLS", "SQLite", "CLinux",
            "Resolver", "WebClient",
        ]
        for source in try Self.swift("Sources/Protocols") {
            #expect(forbidden.isDisjoint(with: source.imports), "\(source.path)")
            for line in source.codeLines {
                #expect(!line.text.contains(" await "), "\(source.path):\(line.number)")
            }
        }
    }

    @Test func nothingInTheServerImportsFoundation() throws {
        for source in try Self.swift("Sources") {
            #expect(!source.imports.contains { $0.hasPrefix("Foundation") }, "\(source.path)")
        }
    }

    @Test func eachLibraryOfCHasOneWrapper() throws {
        let wrappers: [String: Set<String>] = [
            "COpenSSL": ["Crypto", "TLS"],  // one computes, the other has connections
            "CSQLite": ["SQLite"],
            "CICU": ["Charsets"],
            "CGumbo": ["HTMLTrees"],
            "CAres": ["Resolver"],
            "CCurl": ["WebClient"],
            "CZlib": ["Compression"],
            "CExpat": ["XMLDocuments"],
            "CPSL": ["PublicSuffixes"],
            // Ours, not libraries.
            "CLinux": ["Runtime", "Sockets", "TLS", "Storage"],
            "CEmbeddedFiles": ["EmbeddedFiles"],
        ]
        for source in try Self.swift("Sources") {
            let module =
                source.path.split(separator: "/").dropLast().dropFirst().dropFirst().first.map(String.init) ?? ""
            for name in source.imports where name.hasPrefix("C") && name.dropFirst().first?.isUppercase == true {
                let allowed = try #require(
                    wrappers[name],
                    "\(source.path) imports \(name), which this test does not know"
                )
                #expect(allowed.contains(module), "\(source.path) imports \(name)")
            }
        }
    }

    @Test func onlyPlatformPromisesWhatTheCompilerCannotCheck() throws {
        // Those that hold memory, and a pool that lends connections; each says in a comment why it holds.
        let known: Set = [
            "Sources/Protocols/Wire/ByteBuffer.swift", "Sources/Protocols/Wire/Secret.swift",
            "Sources/Mail/Storage/Search/SearchHandles.swift",
        ]
        for source in try Self.swift("Sources")
        where !source.path.hasPrefix("Sources/Platform/") && !known.contains(source.path) {
            for line in source.codeLines {
                #expect(!line.text.contains("@unchecked Sendable"), "\(source.path):\(line.number)")
                #expect(!line.text.contains("nonisolated(unsafe)"), "\(source.path):\(line.number)")
            }
        }
    }

    @Test func nothingTrapsOnPurposeOrLeavesItsLoop() throws {
        let forbidden: [(pattern: Regex<Substring>, why: String)] = [
            (/\btry!/, "traps on an error"),
            (/\bas!/, "traps on another type"),
            (/\bfatalError\(/, "ends the process for everybody"),
            (/\bTask \{/, "does not inherit the loop: pass executorPreference"),
            (/\bTask\.detached \{/, "does not inherit the loop: pass executorPreference"),
            (/\bTODO\b|\bFIXME\b/, "is not finished"),
        ]
        for source in try Self.swift("Sources") {
            for line in source.codeLines {
                for (pattern, why) in forbidden where line.text.contains(pattern) {
                    Issue.record("\(source.path):\(line.number): \(line.text) \(why)")
                }
            }
        }
    }

    @Test func everyPathThatTheGuideNamesExists() throws {
        for page in ["README.md", "CONTRIBUTING.md"] {
            let text = try String(contentsOf: Self.root.appendingPathComponent(page), encoding: .utf8)
            let named = text.matches(of: /`((?:Sources|Tests|Scripts|Examples|docker)\/[A-Za-z0-9_+\/.-]+)`/).map {
                String($0.1)
            }
            #expect(!named.isEmpty)
            for path in named {
                #expect(
                    FileManager.default.fileExists(atPath: Self.root.appendingPathComponent(path).path),
                    "\(page): \(path)"
                )
            }
        }
    }
}
