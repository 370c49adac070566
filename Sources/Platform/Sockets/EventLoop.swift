// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import Runtime

/// One thread around `epoll` that runs Swift tasks: a task whose executor preference is the loop never leaves its thread
/// between two awaits, and resuming one from that thread is a store into a ring.
///
/// A turn of the loop has three phases that never mix: kernel events (they only set flags and resume continuations), jobs,
/// waiting. So what a job closes cannot be in the batch of events being looked at.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
    // Sound: everything mutable is touched by the loop's own thread only (see `isCurrent`), except `remote`, which has its
    // lock, and `thread`, which is written before anyone else gets the loop.
    package typealias Work = @Sendable () -> Void

    private struct Remote {
        var jobs: [UnownedJob] = []
        var work: [Work] = []
        var isEmpty: Bool { jobs.isEmpty && work.isEmpty }
    }

    private struct Slot {
        var member: LoopMember?
        var generation: UInt32 = 0
    }

    private static let running = ThreadLocal<EventLoop>()
    private static let eventsPerTurn: Int32 = 512
    /// Jobs run before the kernel is asked again, so that tasks which feed each other cannot starve it.
    private static let jobsPerTurn = 4096

    /// Its number within its group, from 0.
    package let index: Int
    /// This turn's time, in nanoseconds of the monotonic clock; refreshed once a turn.
    ///
    /// On the loop's thread only.
    package private(set) var now: UInt64
    var wheel: TimerWheel
    var locals: [AnyObject?] = []

    private let clock: Clock
    private let epoll: Int32
    private let wakeUp: Int32
    private var thread = pthread_t()
    private var osThread: NamedThread?
    private let remote = Lock(Remote())
    private var ring = JobRing()
    private var work: [Work] = []
    private var slots: [Slot] = []
    private let events: UnsafeMutablePointer<epoll_event>
    private var scratch: UnsafeMutableRawBufferPointer?
    private var isStopping = false
    /// How long its turns took.
    ///
    /// On the loop's thread only.
    package private(set) var turns = LoopTurns()

    /// A running loop, on a thread of its own named `loop-` and the index.
    package init(index: Int, clock: Clock = .system) throws(IOError) {
        self.index = index
        self.clock = clock
        now = clock.monotonic()
        wheel = TimerWheel(now: now)
        epoll = try retrying { epoll_create1(Int32(EPOLL_CLOEXEC)) }
        do throws(IOError) {
            wakeUp = try retrying { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
        } catch {
            Glibc.close(epoll)
            throw error
        }
        events = .allocate(capacity: Int(Self.eventsPerTurn))
        try control(EPOLL_CTL_ADD, wakeUp, UInt32(EPOLLIN.rawValue) | clinux_epoll_edge, data: .max)
        start()
    }

    deinit {
        Glibc.close(wakeUp)
        Glibc.close(epoll)
        events.deallocate()
        scratch?.deallocate()
    }

    /// The loop whose thread this is, if it is one's.
    package static var current: EventLoop? { running.value }

    /// Whether the caller is on the loop's thread.
    package var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

    private func start() {
        let started = Monitor(false)
        osThread = NamedThread("loop-\(index)", stackOctets: 4 << 20) {
            self.thread = pthread_self()
            Self.running.value = self
            started.signal { $0 = true }
            self.run()
            Self.running.value = nil
        }
        _ = started.wait { $0 ? true : nil }
    }

    // MARK: Work from outside and inside

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            ring.push(job)
        } else {
            hand { $0.jobs.append(job) }
        }
    }

    /// Runs `work` on the loop's thread, soon and in the order of the calls of one thread.
    ///
    /// Callable from any thread.
    package func post(_ work: @escaping Work) {
        if isCurrent {
            self.work.append(work)
        } else {
            hand { $0.work.append(work) }
        }
    }

    /// Runs `body` on the loop's thread and returns what it gave; at once when the caller is there already.
    package func run<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
        if isCurrent { return body() }
        return await withUnsafeContinuation { continuation in
            post { continuation.resume(returning: body()) }
        }
    }

    /// Lets all that is ready run first, the kernel's events included: for work that goes on and on without waiting.
    ///
    /// On the loop's thread.
    package func nextTurn() async {
        precondition(isCurrent)
        await withUnsafeContinuation { continuation in post { continuation.resume() } }
    }

    private func hand(_ add: (inout Remote) -> Void) {
        let wasEmpty = remote.withLock { remote in
            let wasEmpty = remote.isEmpty
            add(&remote)
            return wasEmpty
        }
        if wasEmpty { eventfd_write(wakeUp, 1) }
    }

    private func collectRemote() {
        let arrived = remote.withLock { remote in
            let arrived = remote
            remote = Remote()
            return arrived
        }
        for job in arrived.jobs { ring.push(job) }
        work.append(contentsOf: arrived.work)
    }

    // MARK: The turn

    private func run() {
        while !isStopping || !ring.isEmpty || !work.isEmpty {
            runJobs()
            wait()
            callDue()
        }
    }

    private func runJobs() {
        if !work.isEmpty {
            let posted = work
            work.removeAll()
            for item in posted { item() }
        }
        let executor = asUnownedTaskExecutor()
        var budget = Self.jobsPerTurn
        while budget > 0, let job = ring.pop() {
            job.runSynchronously(on: executor)
            budget &-= 1
        }
    }

    private func wait() {
        let isBusy = !ring.isEmpty || !work.isEmpty || isStopping
        let start = now
        let end = isBusy ? nil : clock.monotonic()
        let count = epoll_wait(
            epoll,
            events,
            Self.eventsPerTurn,
            end.map { wheel.millisecondsUntilNext($0) } ?? 0
        )
        now = clock.monotonic()
        // Where there was no waiting, the turn ends when the kernel has answered: one look at the clock less.
        turns.add((end ?? now) &- start)
        guard count > 0 else { return }
        for index in 0..<Int(count) { dispatch(events[index]) }
    }

    private func dispatch(_ event: epoll_event) {
        let data = event.data.u64
        guard data != .max else { return collectRemote() }
        let descriptor = Int(data & 0xFFFF_FFFF)
        guard descriptor < slots.count, slots[descriptor].generation == UInt32(data >> 32) else { return }
        slots[descriptor].member?.ready(event.events)
    }

    private func callDue() {
        wheel.advance(to: now)
        while let member = wheel.nextDue() { member.due() }
    }

    // MARK: Descriptors

    /// Calls `member.ready` for these events of `descriptor` until ``deregister(_:_:)``, and keeps the member alive so long.
    func register(_ member: LoopMember, _ descriptor: Int32, events: UInt32) throws(IOError) {
        precondition(isCurrent)
        let index = Int(descriptor)
        while slots.count <= index { slots.append(Slot()) }
        slots[index].generation &+= 1
        try control(EPOLL_CTL_ADD, descriptor, events, data: data(descriptor))
        slots[index].member = member
    }

    /// Changes the events of a registered descriptor.
    func modify(_ descriptor: Int32, events: UInt32) throws(IOError) {
        try control(EPOLL_CTL_MOD, descriptor, events, data: data(descriptor))
    }

    /// Forgets the member and its descriptor, which the caller may then close.
    ///
    /// With `isClosed` he closes it at once, and epoll forgets it by itself. Should a child process hold it a moment longer, its
    /// events are those of an earlier generation.
    func deregister(_ member: LoopMember, _ descriptor: Int32, isClosed: Bool = false) {
        precondition(isCurrent)
        guard Int(descriptor) < slots.count, slots[Int(descriptor)].member === member else { return }
        slots[Int(descriptor)].generation &+= 1
        slots[Int(descriptor)].member = nil
        if !isClosed { epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }
    }

    private func data(_ descriptor: Int32) -> UInt64 {
        UInt64(slots[Int(descriptor)].generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ events: UInt32, data: UInt64) throws(IOError) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = data
        try retrying { epoll_ctl(epoll, operation, descriptor, &event) }
    }

    /// 64 KiB of memory for what is thrown away at once.
    func withScratch<R>(_ body: (UnsafeMutableRawBufferPointer) throws(IOError) -> R) throws(IOError) -> R {
        let memory = scratch ?? .allocate(byteCount: 1 << 16, alignment: 16)
        scratch = memory
        return try body(memory)
    }

    // MARK: The end

    /// Runs what is ready and ends the thread.
    ///
    /// What still waits for something is never resumed: close and await it first.
    func stop() {
        precondition(!isCurrent, "a loop cannot wait for its own end")
        post { self.isStopping = true }
        osThread?.join()
        osThread = nil
    }
}
