// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Files that are put elsewhere as they are.
extension Files {
    /// Whether the name is a file's: no directory, link, socket or device.
    package static func isRegularFile(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Gives the file one more name, which must be free, on the same file system.
    ///
    /// The corresponding C function is `link`.
    package static func link(_ path: String, to target: String) throws(FileError) {
        _ = try retrying("link") { Glibc.link(path, target) }
    }

    /// Copies the octets of a file into a new one, mode 0600, and makes them lasting; its name is not yet.
    package static func copy(_ path: String, to target: String) throws(FileError) {
        let source = try File(path, .read)
        let copy = try File(target, .createNew)
        var offset: Int64 = 0
        while true {
            let piece = try source.read(at: offset, count: 1 << 20)
            guard !piece.isEmpty else { break }
            try copy.write(piece)
            offset += Int64(piece.count)
        }
        try copy.sync()
    }

    /// As ``copy(_:to:)``, by a further name where the file system allows it: for files that nobody changes in place.
    package static func linkOrCopy(_ path: String, to target: String) throws(FileError) {
        do {
            try link(path, to: target)
        } catch  where [EXDEV, EPERM, EMLINK, EOPNOTSUPP].contains(error.code) {
            try copy(path, to: target)
        }
    }

    /// Whether the directory holds nothing; one that is missing does not.
    package static func isEmptyDirectory(_ path: String) throws(FileError) -> Bool {
        do {
            return try list(path).isEmpty
        } catch  where error.code == ENOENT {
            return true
        }
    }

    /// Removes a directory that we made, with everything in it; links are removed, not followed.
    package static func removeTree(_ path: String) throws(FileError) {
        var found = [path]
        var index = 0
        while index < found.count {
            let directory = found[index]
            index += 1
            for name in try list(directory) {
                let entry = "\(directory)/\(name)"
                let isLink = try isSymbolicLink(entry)
                if !isLink, try status(entry).isDirectory { found.append(entry) } else { try remove(entry) }
            }
        }
        for directory in found.reversed() { try removeDirectory(directory) }
    }
}
