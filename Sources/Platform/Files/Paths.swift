// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What is done to files by name.
package enum Files {
    /// Whether something of that name exists.
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes the directory (mode 0700), and those above it that are missing, each by a name that lasts.
    package static func makeDirectories(_ path: String) throws(FileError) {
        var made = path.utf8.first == 0x2F ? "/" : ""
        for level in path.split(separator: "/") {
            let above = made.isEmpty ? "." : made
            made += made.isEmpty || made == "/" ? level : "/" + level
            do {
                _ = try retrying("mkdir") { mkdir(made, 0o700) }
                try syncName(in: above)
            } catch  where error.alreadyExists {
                continue
            } catch  where error.code == EACCES || error.code == EROFS {
                if !exists(made) { throw error }
            }
        }
    }

    /// Gives the file another name, in one step, over whatever had it.
    ///
    /// Lasting only after ``syncDirectory(_:)``.
    package static func rename(_ path: String, to target: String) throws(FileError) {
        _ = try retrying("rename") { Glibc.rename(path, target) }
    }

    /// Removes the name.
    ///
    /// A missing one is an error that says so (``FileError/isNotFound``).
    package static func remove(_ path: String) throws(FileError) {
        _ = try retrying("unlink") { unlink(path) }
    }

    package static func removeDirectory(_ path: String) throws(FileError) {
        _ = try retrying("rmdir") { rmdir(path) }
    }

    /// As ``syncDirectory(_:)``, for a directory that may be somebody else's: one that we may not open is left to the kernel.
    package static func syncName(in directory: String) throws(FileError) {
        do {
            try syncDirectory(directory)
        } catch  where error.code == EACCES {
            return
        }
    }

    /// The directory that a path's last name is in.
    package static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: 0x2F) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes names added to or removed from a directory lasting.
    package static func syncDirectory(_ path: String) throws(FileError) {
        let descriptor = try retrying("open") { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = close(descriptor) }
        _ = try retrying("fsync") { fsync(descriptor) }
    }

    /// The names in a directory, `.` and `..` left out, in no order.
    package static func list(_ path: String) throws(FileError) -> [String] {
        guard let directory = opendir(path) else { throw FileError(code: errno, function: "opendir") }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        if errno != 0 { throw FileError(code: errno, function: "readdir") }
        return names
    }

    /// What is known of a file, behind symbolic links, without opening it.
    package struct Status: Sendable {
        /// Octets.
        package let size: Int64
        /// When it was last changed, in milliseconds since 1970.
        package let modified: Int64
        package let isDirectory: Bool
        /// Neither a directory nor a pipe, a socket or a device.
        package let isRegular: Bool
    }

    /// The corresponding C function is `stat`.
    package static func status(_ path: String) throws(FileError) -> Status {
        var status = stat()
        _ = try retrying("stat") { stat(path, &status) }
        let modified = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
        let type = status.st_mode & S_IFMT
        return Status(
            size: Int64(status.st_size),
            modified: modified,
            isDirectory: type == S_IFDIR,
            isRegular: type == S_IFREG
        )
    }

    /// The absolute path without `.`, `..` and symbolic links.
    ///
    /// The corresponding C function is `realpath`.
    package static func canonicalPath(_ path: String) throws(FileError) -> String {
        guard let resolved = realpath(path, nil) else { throw FileError(code: errno, function: "realpath") }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Whether the name itself is a symbolic link, wherever it leads.
    package static func isSymbolicLink(_ path: String) throws(FileError) -> Bool {
        var status = stat()
        _ = try retrying("lstat") { lstat(path, &status) }
        return status.st_mode & S_IFMT == S_IFLNK
    }

    /// Octets that may still be written to the file system of `path` by us.
    package static func freeSpace(_ path: String) throws(FileError) -> UInt64 {
        var status = statvfs()
        _ = try retrying("statvfs") { statvfs(path, &status) }
        let (octets, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : octets
    }
}
