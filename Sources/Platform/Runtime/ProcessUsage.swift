// SPDX-License-Identifier: Apache-2.0

internal import CLinux

/// What the process takes up, as the kernel says.
package struct ProcessUsage: Sendable {
    /// CPU time so far, in nanoseconds.
    package let cpuNanoseconds: UInt64
    /// Octets of memory; nil where the kernel does not say.
    package let residentOctets: Int?
    package let virtualOctets: Int?
    /// Open descriptors; nil where none is left to look with.
    package let openDescriptors: Int?
    package let descriptorLimit: UInt
    /// When it began, in milliseconds since 1970.
    package let startMilliseconds: Int64?

    /// Asks the kernel; reads files of `/proc`, which never blocks.
    package static func now() -> ProcessUsage {
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
