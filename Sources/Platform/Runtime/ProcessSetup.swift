// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// What a server arranges with the kernel before it opens its first file.
public enum ProcessSetup {
    /// SIGPIPE is ignored, the signals of ``StopSignal`` are blocked (so that ``StopSignal/wait()`` gets them), new
    /// files are ours alone.
    ///
    /// Call it on the main thread, before any other thread exists.
    public static func begin() {
        clinux_prepare_signals()
        keepFilesPrivate()
    }

    /// New files are ours alone.
    public static func keepFilesPrivate() { umask(0o077) }

    /// No core file and no ptrace by other processes of our user: memory holds mail and passwords.
    ///
    /// Returns the errno of a
    /// refusal, or nil.
    public static func forbidDumps() -> Int32? {
        let failure = clinux_forbid_dumps()
        return failure == 0 ? nil : failure
    }

    /// Raises the limit of open descriptors as far as it goes, and returns it.
    public static func raiseDescriptorLimit() -> UInt { clinux_raise_file_limit() }

    /// Tells the service manager, if there is one: `READY=1`, `STOPPING=1`.
    ///
    /// Returns the errno of a failure, or nil.
    @discardableResult
    public static func notifyServiceManager(_ state: String) -> Int32? {
        let failure = clinux_notify(state)
        return failure == 0 ? nil : failure
    }

    /// The user we act as.
    public static var userID: UInt32 { geteuid() }

    public static var processID: Int32 { getpid() }

    /// Ends the process now, without letting go of anything.
    public static func endAtOnce(status: Int32) -> Never { _exit(status) }

    /// The machine's own name, or `localhost`.
    public static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        let octets = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(validating: octets, as: UTF8.self).flatMap { $0.isEmpty ? nil : $0 } ?? "localhost"
    }

    /// The environment, names that are not UTF-8 left out.
    public static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        guard var entry = clinux_environment() else { return variables }
        while let text = entry.pointee {
            if let line = String(validatingCString: text), let equals = line.utf8.firstIndex(of: 0x3D) {
                variables[String(line[..<equals])] = String(line[line.utf8.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }
}

/// The signals that a server answers.
public enum StopSignal: Sendable, Equatable {
    /// SIGTERM or SIGINT: end, in order; a second one: at once.
    case terminate
    /// SIGHUP: read the configuration again.
    case reload

    /// Blocks the calling thread until one comes.
    ///
    /// ``ProcessSetup/begin()`` must have been called.
    public static func wait() -> Self {
        clinux_wait_for_signal() == SIGHUP ? .reload : .terminate
    }
}
