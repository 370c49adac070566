// SPDX-License-Identifier: Apache-2.0

internal import CLinux

/// What the process takes up, as the kernel says.
public struct ProcessUsage: Sendable {
    /// CPU time so far, in nanoseconds.
    public let cpuNanoseconds: UInt64
    /// Octets of memory; nil where the kernel does not say.
    public let residentOctets: Int?
    public let virtualOctets: Int?
    /// Open descriptors; nil where none is left to look with.
    public let openDescriptors: Int?
    public let descriptorLimit: UInt
    /// When it began, in milliseconds since 1970.
    public let startMilliseconds: Int64?

    /// Asks the kernel; reads files of `/proc`, which never blocks.
    public static func now() -> ProcessUsage {
        var (resident, total) = (-1, -1)
        clinux_memory(&resident, &total)
        let open = clinux_open_files()
        let start = clinux_start_time()
        return ProcessUsage(
            cpuNanoseconds: UInt64(clinux_cpu_time()),
            residentOctets: resident < 0 ? nil : resident,
            virtualOctets: total < 0 ? nil : total,
            openDescriptors: open < 0 ? nil : open,
            descriptorLimit: clinux_file_limit(),
            startMilliseconds: start < 0 ? nil : Int64(start * 1000)
        )
    }
}
