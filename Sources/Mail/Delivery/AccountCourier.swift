// SPDX-License-Identifier: Apache-2.0

import Sockets
import Storage

/// Sends what one account has in the outbox, on one loop.
final class AccountCourier: Sendable {
    private let work: LoopBound<AccountWork>
    private let wakeup = Wakeup()

    init(_ account: AccountKey, _ parts: CourierParts, on loop: EventLoop) {
        work = LoopBound(AccountWork(account, parts, on: loop, wakeup), to: loop)
    }

    /// There may be something to do.
    func wake() { wakeup.signal() }

    /// Nothing more is begun.
    func stop() {
        work.loop.post { [work, wakeup] in
            work.value.isStopping = true
            wakeup.signal()
        }
    }

    /// Runs until nothing waits any more, or it is stopped, or the task is cancelled, by which connections are cut.
    func run() async {
        let work = work
        work.value.itself = work
        await withDiscardingTaskGroup { group in
            while let pause = await work.value.turn() {
                for _ in 0..<work.value.takeVacancies() { group.addTask { await work.value.work() } }
                if pause > 0 { await wakeup.sleep(milliseconds: pause, on: work.loop) }
            }
        }
        // This task may be cancelled, and then waits for nothing any more.
        await Task(executorPreference: work.loop) { await work.value.finish() }.value
    }
}
