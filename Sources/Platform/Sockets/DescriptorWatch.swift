// SPDX-License-Identifier: Apache-2.0

internal import CLinux

/// Level-triggered readiness of a descriptor that somebody else owns: for libraries that do their own reading and writing.
package final class DescriptorWatch: LoopMember {
    /// What a descriptor is ready for.
    ///
    /// Errors and hang-ups count as both.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let read = Readiness(rawValue: 1)
        package static let write = Readiness(rawValue: 2)

        fileprivate var events: UInt32 {
            (contains(.read) ? UInt32(EPOLLIN.rawValue) | UInt32(EPOLLRDHUP.rawValue) : 0)
                | (contains(.write) ? UInt32(EPOLLOUT.rawValue) : 0)
        }

        fileprivate init(events: UInt32) {
            let broken = events & (UInt32(EPOLLERR.rawValue) | UInt32(EPOLLHUP.rawValue)) != 0
            self = broken ? [.read, .write] : []
            if events & (UInt32(EPOLLIN.rawValue) | UInt32(EPOLLRDHUP.rawValue)) != 0 { insert(.read) }
            if events & UInt32(EPOLLOUT.rawValue) != 0 { insert(.write) }
        }
    }

    private unowned let loop: EventLoop
    private let descriptor: Int32
    private var handler: ((Readiness) -> Void)?

    fileprivate init(_ loop: EventLoop, _ descriptor: Int32, _ handler: @escaping (Readiness) -> Void) {
        self.loop = loop
        self.descriptor = descriptor
        self.handler = handler
    }

    override func ready(_ events: UInt32) { handler?(Readiness(events: events)) }

    /// Watches for something else from now on.
    package func update(_ interest: Readiness) throws(IOError) {
        guard handler != nil else { return }
        try loop.modify(descriptor, events: interest.events)
    }

    /// The handler is not called again.
    ///
    /// Before the descriptor is closed.
    package func cancel() {
        guard handler != nil else { return }
        handler = nil
        loop.deregister(self, descriptor)
    }
}

extension EventLoop {
    /// Calls `handler` on the loop's thread whenever the descriptor is ready for some of `interest`, until `cancel`.
    package func watch(
        _ descriptor: Int32,
        _ interest: DescriptorWatch.Readiness,
        _ handler: @escaping (DescriptorWatch.Readiness) -> Void
    ) throws(IOError) -> DescriptorWatch {
        let watch = DescriptorWatch(self, descriptor, handler)
        try register(watch, descriptor, events: interest.events)
        return watch
    }
}
