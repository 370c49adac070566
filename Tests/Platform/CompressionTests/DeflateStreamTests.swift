// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Compression

@Suite struct DeflateStreamTests {
    struct NoMemory: Error {}

    private static func compressed(_ pieces: [[UInt8]]) throws -> [UInt8] {
        guard var stream = DeflateStream() else { throw NoMemory() }
        var output: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { stream.compress($0) { output += $0 } } }
        return output
    }

    private static func plain(_ octets: [UInt8], pieces: Int, room: Int) throws -> [UInt8] {
        guard var stream = InflateStream() else { throw NoMemory() }
        var output: [UInt8] = []
        var memory = [UInt8](repeating: 0, count: room)
        var start = 0
        while start < octets.count {
            let end = min(start + pieces, octets.count)
            while true {
                let (used, filled) = try octets[start..<end].withUnsafeBytes { input in
                    try memory.withUnsafeMutableBytes { try stream.decompress(input, into: $0) }
                }
                output += memory[..<filled]
                start += used
                if filled < room { break }
            }
            guard start == end else { break }
        }
        return output
    }

    @Test(arguments: [1, 7, 4096], [1, 100, 65_536])
    func whatIsCompressedComesBack(_ pieces: Int, _ room: Int) throws {
        var text: [UInt8] = []
        for number in 0..<2_000 { text += Array("* \(number) FETCH (UID \(number * 7))\r\n".utf8) }
        let octets = try Self.compressed([Array(text[..<10]), Array(text[10..<30_000]), [], Array(text[30_000...])])
        #expect(octets.count < text.count / 2)
        #expect(try Self.plain(octets, pieces: pieces, room: room) == text)
    }

    @Test func eachPieceCanBeReadAtOnce() throws {
        guard var stream = DeflateStream() else { throw NoMemory() }
        guard var reader = InflateStream() else { throw NoMemory() }
        for line in ["A1 NOOP\r\n", "A2 IDLE\r\n"] {
            var octets: [UInt8] = []
            Array(line.utf8).withUnsafeBytes { stream.compress($0) { octets += $0 } }
            var memory = [UInt8](repeating: 0, count: 100)
            let (used, filled) = try octets.withUnsafeBytes { input in
                try memory.withUnsafeMutableBytes { try reader.decompress(input, into: $0) }
            }
            #expect(used == octets.count)
            #expect(Array(memory[..<filled]) == Array(line.utf8))
        }
    }

    @Test func nonsenseIsRefused() {
        #expect(throws: BadDeflateStream.self) {
            try Self.plain([UInt8](repeating: 0xFF, count: 100), pieces: 100, room: 100)
        }
    }
}
