// SPDX-License-Identifier: Apache-2.0

/// Work that a loop does later, once.
package final class LoopTimer: LoopMember, @unchecked Sendable {
    // Sound: used on the loop's thread; others only hand it back there through `post`.
    private unowned let loop: EventLoop
    private var work: (() -> Void)?
    /// The wheel holds no references, so the timer holds itself while it is in.
    private var itself: LoopTimer?

    fileprivate init(_ loop: EventLoop, _ work: @escaping () -> Void) {
        self.loop = loop
        self.work = work
    }

    fileprivate func start(at time: UInt64) {
        itself = self
        loop.wheel.insert(self, at: time)
    }

    override func due() {
        let work = work
        finish()
        work?()
    }

    /// The work will not be done, if it has not been yet.
    ///
    /// On the loop's thread.
    package func cancel() {
        precondition(loop.isCurrent)
        loop.wheel.remove(self)
        finish()
    }

    private func finish() {
        work = nil
        itself = nil
    }
}

extension EventLoop {
    /// Does `work` on the loop once so many milliseconds have passed, up to 9 ms late; on the loop's thread.
    ///
    /// The timer may be dropped: the work is done all the same.
    @discardableResult
    package func schedule(afterMilliseconds milliseconds: Int, _ work: @escaping () -> Void) -> LoopTimer {
        precondition(isCurrent)
        let timer = LoopTimer(self, work)
        timer.start(at: time(afterMilliseconds: milliseconds))
        return timer
    }

    /// The loop's time so much later; negative counts as 0, and more than thirty years as thirty years.
    package func time(afterMilliseconds milliseconds: Int) -> UInt64 {
        now &+ UInt64(min(max(milliseconds, 0), 1_000_000_000_000)) &* 1_000_000
    }

    /// Suspends the caller's task, which runs on this loop, for so long; ends early with `.cancelled` when it is cancelled.
    package func sleep(milliseconds: Int) async throws(IOError) {
        precondition(isCurrent)
        let sleeper = Sleeper()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                sleeper.begin(continuation, on: self, milliseconds)
            }
        } onCancel: {
            post { sleeper.cancel() }
        }
        if sleeper.isCancelled { throw .cancelled }
    }
}

/// One call of ``EventLoop/sleep(milliseconds:)``.
private final class Sleeper: @unchecked Sendable {
    // Sound: used on the loop's thread only.
    private var continuation: UnsafeContinuation<Void, Never>?
    private var timer: LoopTimer?
    private(set) var isCancelled = false

    func begin(_ continuation: UnsafeContinuation<Void, Never>, on loop: EventLoop, _ milliseconds: Int) {
        guard !Task.isCancelled else {
            isCancelled = true
            return continuation.resume()
        }
        self.continuation = continuation
        timer = loop.schedule(afterMilliseconds: milliseconds) { self.wake() }
    }

    func cancel() {
        guard continuation != nil else { return }
        isCancelled = true
        timer?.cancel()
        wake()
    }

    private func wake() {
        timer = nil
        continuation.take()?.resume()
    }
}
