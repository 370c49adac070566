// SPDX-License-Identifier: Apache-2.0

package import Sockets

/// A session with a server that can be kept for later.
package protocol PooledSession: AnyObject {
    /// Whether it still works, as far as can be known without asking.
    var isUsable: Bool { get }
    /// Ends it in order, without waiting for an answer.
    func dismiss()
    /// Ends it at once.
    func close()
}

/// Why there is no session at the moment.
package enum PoolRefusal<Failure: Error & Sendable>: Error, Sendable {
    /// The account has as many as it may, or the server has.
    case full
    /// The server failed and is not to be tried before so many milliseconds.
    case wait(milliseconds: Int64)
    /// It was tried, and failed.
    case failed(Failure)
}

/// The sessions of one account with one server: as many as are needed, up to a limit, made when they are wanted, kept for a
/// while when they are not.
///
/// It belongs to the loop of its account.
package final class SessionPool<Session: PooledSession, Failure: Error & Sendable> {
    package struct Limits: Sendable {
        /// Sessions at a time.
        package var sessions = 4
        /// How long one is kept that nobody uses.
        package var idleMilliseconds = 30_000

        package init() {}
    }

    private struct Idle {
        let session: Session
        let timer: LoopTimer
        let number: Int
    }

    /// `name:port`, as the ledger knows it.
    package let host: String
    private let loop: EventLoop
    private let limits: Limits
    private let ledger: HostLedger
    private let make: () async throws(Failure) -> Session
    private let judge: (Failure) -> (HostLedger.Trouble, words: String)
    private var idle: [Idle] = []
    /// Sessions there are, those being made included.
    package private(set) var count = 0
    private var lastNumber = 0

    /// - Parameters:
    ///   - make: opens a session.
    ///   - judge: what its failure means for the server.
    package init(
        host: String,
        limits: Limits,
        ledger: HostLedger,
        on loop: EventLoop,
        judge: @escaping (Failure) -> (HostLedger.Trouble, words: String),
        make: @escaping () async throws(Failure) -> Session
    ) {
        self.host = host
        self.limits = limits
        self.ledger = ledger
        self.loop = loop
        self.judge = judge
        self.make = make
    }

    /// A session, which must be given back: one that is there, or a new one.
    package func take() async throws(PoolRefusal<Failure>) -> Session {
        while let last = idle.popLast() {
            last.timer.cancel()
            if last.session.isUsable { return last.session }
            forget(last.session)
        }
        guard count < limits.sessions else { throw .full }
        switch ledger.admit(host) {
        case .granted: break
        case .full: throw .full
        case .wait(let milliseconds): throw .wait(milliseconds: milliseconds)
        }
        count += 1
        do throws(Failure) {
            let session = try await make()
            ledger.opened(host)
            return session
        } catch {
            count -= 1
            let (trouble, words) = judge(error)
            ledger.failed(host, trouble, words: words)
            throw .failed(error)
        }
    }

    /// Gives a session back, to be kept if it can be used again.
    package func give(_ session: Session, mayKeep: Bool = true) {
        // Whoever waits for a place at the server needs it more than somebody who may come back.
        guard mayKeep, session.isUsable, !ledger.takeWanted(host) else { return forget(session) }
        lastNumber += 1
        let number = lastNumber
        let timer = loop.schedule(afterMilliseconds: limits.idleMilliseconds) { self.dismiss(number) }
        idle.append(Idle(session: session, timer: timer, number: number))
    }

    private func forget(_ session: Session) {
        session.close()
        count -= 1
        ledger.closed(host)
    }

    private func dismiss(_ number: Int) {
        guard let index = idle.firstIndex(where: { $0.number == number }) else { return }
        end(idle.remove(at: index).session)
    }

    private func end(_ session: Session) {
        session.dismiss()
        count -= 1
        ledger.closed(host)
    }

    /// Ends all that nobody uses.
    package func closeIdle() {
        let all = idle
        idle = []
        for one in all {
            one.timer.cancel()
            end(one.session)
        }
    }
}
