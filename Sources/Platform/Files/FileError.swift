// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What the kernel answered to a file operation.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The `errno` value.
    package let code: Int32
    /// The C function that failed.
    package let function: StaticString

    package init(code: Int32, function: StaticString) {
        self.code = code
        self.function = function
    }

    /// No room: the disk, the quota or the allowed size of a file is used up.
    ///
    /// Goes away by itself when room is made.
    package var isDiskFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
    package var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
    package var alreadyExists: Bool { code == EEXIST }

    package var description: String { "\(function): \(String(cString: strerror(code)))" }

    package static func == (a: Self, b: Self) -> Bool { a.code == b.code }
    package func hash(into hasher: inout Hasher) { hasher.combine(code) }
}

/// Repeats a call that a signal interrupted; -1 becomes an error.
func retrying<R: SignedInteger>(_ function: StaticString, _ call: () -> R) throws(FileError) -> R {
    while true {
        let result = call()
        if result != -1 { return result }
        guard errno == EINTR else { throw FileError(code: errno, function: function) }
    }
}
