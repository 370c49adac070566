// SPDX-License-Identifier: Apache-2.0

internal import Runtime
internal import Sockets

/// The way from the main thread, which may block, to the loops, which may not.
///
/// Main is the main actor's and stands still here, so nothing may be left for that actor to do: the work is a task of the
/// loop's from its beginning.
enum Blocking {
    /// Runs `body` on the loop and waits for it.
    static func run<R: Sendable, E: Error>(
        on loop: EventLoop,
        _ body: @escaping @Sendable () async throws(E) -> R
    ) throws(E) -> R {
        let done = Monitor<Result<R, E>?>(nil)
        Task(executorPreference: loop) {
            let result: Result<R, E>
            do throws(E) { result = .success(try await body()) } catch { result = .failure(error) }
            done.broadcast { $0 = result }
        }
        return try done.wait { $0 }.unsafelyUnwrapped.get()
    }

    /// Lets so much time pass.
    static func sleep(on loop: EventLoop, milliseconds: Int) {
        let done = Monitor(false)
        loop.post { loop.schedule(afterMilliseconds: milliseconds) { done.broadcast { $0 = true } } }
        done.wait { $0 ? () : nil }
    }
}
