// SPDX-License-Identifier: Apache-2.0

/// A few named threads for work that blocks: key derivation, file syncs, unbounded queries.
///
/// A caller suspends, its loop goes on.
public final class BlockingPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isStopped = false
    }

    private let monitor = Monitor(State())
    private let threads: [NamedThread]
    /// At most so many jobs wait; further ones are refused.
    private let capacity: Int

    /// The pool was stopped, or too much waits already.
    public struct Refused: Error {}

    public init(name: String, threads count: Int, capacity: Int = 4096) {
        self.capacity = capacity
        let monitor = monitor
        threads = (0..<count).map { index in
            NamedThread("\(name)-\(index)") {
                while let job = monitor.wait(until: { state -> (@Sendable () -> Void)?? in
                    if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
                    return state.isStopped ? .some(nil) : nil
                }) ?? nil {
                    job()
                }
            }
        }
    }

    /// Runs `body` on one of the threads and returns what it gave.
    public func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<R, any Error>) in
            let accepted = submit { continuation.resume(with: Result(catching: body)) }
            if !accepted { continuation.resume(throwing: Refused()) }
        }
    }

    /// Runs `job` on one of the threads, some time; false when it is refused.
    public func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        monitor.signal { state in
            guard !state.isStopped, state.jobs.count < capacity else { return false }
            state.jobs.append(job)
            return true
        }
    }

    /// Lets the threads finish what waits, and waits for them.
    ///
    /// A second call does nothing: a thread is joined once.
    public func stop() {
        let isFirst = monitor.broadcast { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        for thread in threads { thread.join() }
    }
}
