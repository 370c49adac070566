// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A blocking connection to a unix socket: for the command's verbs, never for an event loop.
package final class LocalStream {
    /// What the kernel answered.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let code: Int32

        /// Nobody listens there.
        package var isAbsence: Bool { code == ENOENT || code == ECONNREFUSED }
        package var description: String { String(cString: strerror(code)) }
    }

    private let descriptor: Int32

    /// Connects; `timeoutSeconds` is how long one read or write may take.
    package init(path: String, timeoutSeconds: Int) throws(Failure) {
        descriptor = clinux_connect_local(path, Int32(clamping: timeoutSeconds))
        guard descriptor >= 0 else { throw Failure(code: errno) }
    }

    deinit { close(descriptor) }

    /// Sends some of the octets, and says how many.
    package func send(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Int {
        try retrying { Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Puts what comes into `memory`, which is not empty, and says how much; 0 is the end.
    package func receive(into memory: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        try retrying { recv(descriptor, memory.baseAddress, memory.count, 0) }
    }

    private func retrying(_ call: () -> Int) throws(Failure) -> Int {
        while true {
            let count = call()
            if count >= 0 { return count }
            guard errno == EINTR else { throw Failure(code: errno) }
        }
    }
}
