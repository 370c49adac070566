// SPDX-License-Identifier: Apache-2.0

/// The jobs that are ready on a loop, first in, first out.
///
/// Grows by doubling and never shrinks.
struct JobRing: ~Copyable {
    private var jobs: UnsafeMutablePointer<UnownedJob>
    /// A power of two.
    private var capacity: Int
    private var head = 0
    private(set) var count = 0

    init(capacity: Int = 256) {
        precondition(capacity.nonzeroBitCount == 1)
        self.capacity = capacity
        jobs = .allocate(capacity: capacity)
    }

    deinit { jobs.deallocate() }

    var isEmpty: Bool { count == 0 }

    mutating func push(_ job: UnownedJob) {
        if count == capacity { grow() }
        (jobs + ((head &+ count) & (capacity &- 1))).initialize(to: job)
        count &+= 1
    }

    mutating func pop() -> UnownedJob? {
        guard count > 0 else { return nil }
        let job = (jobs + head).move()
        head = (head &+ 1) & (capacity &- 1)
        count &-= 1
        return job
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<UnownedJob>.allocate(capacity: capacity * 2)
        for index in 0..<count { (larger + index).initialize(to: (jobs + ((head + index) & (capacity - 1))).move()) }
        jobs.deallocate()
        jobs = larger
        capacity *= 2
        head = 0
    }
}
