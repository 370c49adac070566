// SPDX-License-Identifier: Apache-2.0

package import Backends
import Runtime
package import Sockets
package import Storage
import Wire

/// Empties the outbox: sends what is due through each account's server, records what became of it, and tries again what did
/// not come through.
///
/// Every account that something waits for has a courier of its own on one loop, woken by commits.
package final class Courier: Sendable {
    private struct State {
        var accounts: [AccountKey: AccountCourier] = [:]
        var tasks: [AccountKey: Task<Void, Never>] = [:]
        var subscription: StoreSubscription?
        /// Accounts in which something was committed, to be looked at.
        var unseen: Set<AccountKey> = []
        var isLooking = false
        var isStopped = false
        var patrol: Task<Void, Never>?
    }

    package let parts: CourierParts
    private let loops: [EventLoop]
    private let state = Lock(State())

    package init(_ parts: CourierParts, loops: [EventLoop]) {
        precondition(!loops.isEmpty)
        self.parts = parts
        self.loops = loops
    }

    /// How things stand with the servers.
    package var standings: [HostLedger.Standing] { parts.ledger.standings }

    /// Begins with what the store has.
    package func start() {
        let subscription = parts.store.subscribe { [weak self] change in self?.note(change.accountKey) }
        let loop = loops[0]
        let patrol = Task(executorPreference: loop) {
            while !Task.isCancelled {
                await self.look()
                try? await loop.sleep(milliseconds: self.parts.limits.lookMilliseconds)
            }
        }
        state.withLock { state in
            state.subscription = subscription
            state.patrol = patrol
        }
    }

    /// Looks for accounts that something waits for: at start, now and then, and when a held queue was released.
    package func look() async {
        guard let accounts = try? await parts.store.read({ try $0.outbox.waitingAccounts() }) else { return }
        for account in accounts {
            if let courier = state.withLock({ $0.accounts[account] }) { courier.wake() } else { begin(account) }
        }
    }

    /// On the writer's thread.
    private func note(_ account: AccountKey) {
        let (courier, mustLook) = state.withLock { state -> (AccountCourier?, Bool) in
            if let courier = state.accounts[account] { return (courier, false) }
            state.unseen.insert(account)
            defer { state.isLooking = true }
            return (nil, !state.isLooking && !state.isStopped)
        }
        courier?.wake()
        guard mustLook else { return }
        let loop = loops[0]
        loop.post { Task(executorPreference: loop) { await self.lookAtUnseen() } }
    }

    private func lookAtUnseen() async {
        while true {
            let unseen = state.withLock { state -> Set<AccountKey> in
                defer { state.unseen = [] }
                state.isLooking = !state.unseen.isEmpty
                return state.unseen
            }
            guard !unseen.isEmpty else { return }
            let waiting = try? await parts.store.read { snapshot in
                try unseen.filter {
                    try snapshot.outbox.nextDue(of: $0, after: Timestamp(milliseconds: .min)) != nil
                }
            }
            for account in waiting ?? [] { begin(account) }
        }
    }

    private func begin(_ account: AccountKey) {
        let loop = loops[Int(account.value % Int64(loops.count))]
        state.withLock { state in
            guard !state.isStopped, state.accounts[account] == nil else { return }
            let courier = AccountCourier(account, parts, on: loop)
            state.accounts[account] = courier
            state.tasks[account] = Task(executorPreference: loop) {
                await courier.run()
                self.ended(account)
            }
        }
    }

    private func ended(_ account: AccountKey) {
        let isStopped = state.withLock { state in
            state.accounts[account] = nil
            state.tasks[account] = nil
            return state.isStopped
        }
        // What was committed while it was ending woke nobody.
        if !isStopped { note(account) }
    }

    /// Lets the messages under way end within so many milliseconds, and gives up those that do not.
    package func stop(milliseconds: Int) async {
        let (couriers, tasks, patrol) = state.withLock { state in
            state.isStopped = true
            state.subscription?.cancel()
            state.subscription = nil
            return (Array(state.accounts.values), Array(state.tasks.values), state.patrol)
        }
        patrol?.cancel()
        await patrol?.value
        for courier in couriers { courier.stop() }
        let loop = loops[0]
        let cut = Task(executorPreference: loop) {
            do {
                try await loop.sleep(milliseconds: milliseconds)
            } catch {
                return
            }
            for task in tasks { task.cancel() }
        }
        for task in tasks { await task.value }
        cut.cancel()
        await cut.value
    }
}
