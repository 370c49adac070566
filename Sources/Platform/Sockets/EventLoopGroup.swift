// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import Runtime
internal import Synchronization

/// The process's event loops, usually one for each processor.
package final class EventLoopGroup: Sendable {
    package let loops: [EventLoop]
    private let turn = Atomic<Int>(0)

    /// Starts `count` loops; from here on SIGPIPE is ignored in the process.
    package init(count: Int = EventLoopGroup.processorCount, clock: Clock = .system) throws(IOError) {
        precondition(count > 0)
        clinux_ignore_broken_pipes()
        var loops: [EventLoop] = []
        for index in 0..<count { loops.append(try EventLoop(index: index, clock: clock)) }
        self.loops = loops
    }

    /// Processors this process may run on.
    package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// The loops in turn.
    ///
    /// Callable from any thread.
    package func next() -> EventLoop {
        let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(UInt(bitPattern: number) % UInt(loops.count))]
    }

    /// Ends the loops' threads and waits for them; blocks the caller, which is none of them.
    package func stop() {
        for loop in loops { loop.stop() }
    }
}
