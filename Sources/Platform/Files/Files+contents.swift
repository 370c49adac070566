// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Small files, whole: configuration, tokens, certificates.
extension Files {
    /// The octets of a file, a pipe or a device that ends; more than `limit` is the error EFBIG.
    package static func contents(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let descriptor = try retrying("open") { open(path, O_RDONLY | O_CLOEXEC) }
        defer { _ = close(descriptor) }
        return try readToEnd(descriptor, limit: limit)
    }

    static func readToEnd(_ descriptor: Int32, limit: Int) throws(FileError) -> [UInt8] {
        var octets: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = try retrying("read") { read(descriptor, &piece, piece.count) }
            guard count > 0 else { return octets }
            guard octets.count + count <= limit else { throw FileError(code: EFBIG, function: "read") }
            octets += piece[..<count]
        }
    }

    /// Puts a file in place as a whole, lasting and readable by us alone: a temporary one beside it, renamed.
    package static func replaceContents(of path: String, with octets: [UInt8]) throws(FileError) {
        let parent = parent(of: path)
        let (file, temporary) = try File.temporary(in: parent, prefix: ".new-")
        do throws(FileError) {
            try file.write(octets)
            try file.sync()
            try Files.rename(temporary, to: path)
        } catch {
            unlink(temporary)
            throw error
        }
        try syncDirectory(parent)
    }
}

/// The three descriptors that every process is born with.
package enum StandardStreams {
    /// What standard input holds, to its end.
    package static func readInput(limit: Int) throws(FileError) -> [UInt8] { try Files.readToEnd(0, limit: limit) }

    /// Whether a person sits at standard input.
    package static var inputIsTerminal: Bool { isatty(0) == 1 }

    /// Whether a person looks at standard error.
    package static var errorIsTerminal: Bool { isatty(2) == 1 }

    /// One line of standard input, without its end, that the terminal does not show while it is typed; nil at the end.
    package static func readHiddenLine(limit: Int) -> [UInt8]? {
        var before = termios()
        let isTerminal = tcgetattr(0, &before) == 0
        if isTerminal {
            var hidden = before
            hidden.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(0, TCSAFLUSH, &hidden)
        }
        defer { if isTerminal { tcsetattr(0, TCSAFLUSH, &before) } }
        var line: [UInt8] = []
        var octet: UInt8 = 0
        while line.count < limit {
            guard let count = try? retrying("read", { read(0, &octet, 1) }), count == 1 else {
                return line.isEmpty ? nil : line
            }
            if octet == 0x0A { return line }
            line.append(octet)
        }
        return line
    }

    /// Writes all of it to standard output.
    package static func writeOutput(_ octets: [UInt8]) throws(FileError) { try writeAll(1, octets) }

    /// Writes to standard error, in one call unless the kernel takes less; what fails is lost.
    package static func writeError(_ octets: Span<UInt8>) {
        octets.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest)
                guard let count = try? retrying("write", { write(2, piece.baseAddress, piece.count) }), count > 0 else {
                    return
                }
                rest = rest.dropFirst(count)
            }
        }
    }

    private static func writeAll(_ descriptor: Int32, _ octets: [UInt8]) throws(FileError) {
        var rest = octets[...]
        while !rest.isEmpty {
            let count = try retrying("write") { rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } }
            rest = rest.dropFirst(count)
        }
    }
}
