// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Runtime

/// That something was committed in an account: a wake-up, no data.
///
/// Who gets it reads from its own cursor.
package struct StoreChange: Hashable, Sendable {
    package let account: AccountID
    package let accountKey: AccountKey
    /// The folders whose messages or names changed, in no particular order.
    package let folders: [FolderKey]
    /// The account's highest MODSEQ and last event number after the commit.
    package let modseq: UInt64
    package let seq: Int64
}

/// Wakes somebody after commits, until it is cancelled or let go.
package final class StoreSubscription: Sendable {
    fileprivate let number: Int
    private let subscribers: Subscribers

    fileprivate init(number: Int, subscribers: Subscribers) {
        self.number = number
        self.subscribers = subscribers
    }

    package func cancel() { subscribers.remove(number) }

    deinit { subscribers.remove(number) }
}

/// Who is to be woken.
final class Subscribers: Sendable {
    typealias Handler = @Sendable (StoreChange) -> Void

    private struct State {
        var next = 0
        var all: [Int: Handler] = [:]
        var byAccount: [AccountID: [Int: Handler]] = [:]
        var accounts: [Int: AccountID] = [:]
    }

    private let state = Lock(State())

    func add(_ account: AccountID?, _ handler: @escaping Handler) -> StoreSubscription {
        let number = state.withLock { state in
            state.next += 1
            if let account {
                state.byAccount[account, default: [:]][state.next] = handler
                state.accounts[state.next] = account
            } else {
                state.all[state.next] = handler
            }
            return state.next
        }
        return StoreSubscription(number: number, subscribers: self)
    }

    fileprivate func remove(_ number: Int) {
        state.withLock { state in
            state.all[number] = nil
            guard let account = state.accounts.removeValue(forKey: number) else { return }
            state.byAccount[account]?[number] = nil
            if state.byAccount[account]?.isEmpty == true { state.byAccount[account] = nil }
        }
    }

    func wake(_ changes: [StoreChange]) {
        for change in changes {
            let handlers = state.withLock { state in
                Array(state.all.values) + Array((state.byAccount[change.account] ?? [:]).values)
            }
            for handler in handlers { handler(change) }
        }
    }
}
