// SPDX-License-Identifier: Apache-2.0

import Logging
import MailTypes
import Runtime
package import Sockets
package import Storage
import Wire

/// Sends what happens to the webhooks, each on its own.
///
/// Every webhook has a task on one loop, woken by commits; what they share is the number of requests under way.
package final class WebhookDispatcher: Sendable {
    private struct State {
        var endpoints: [WebhookKey: WebhookEndpoint] = [:]
        var tasks: [WebhookKey: Task<Void, Never>] = [:]
        var subscription: StoreSubscription?
        var isStopped = false
        /// Loops that a wake-up is on its way to.
        var isWaking: Set<Int> = []
    }

    package let parts: WebhookParts
    private let loops: [EventLoop]
    private let state = Lock(State())

    package init(_ parts: WebhookParts, loops: [EventLoop]) {
        precondition(!loops.isEmpty)
        self.parts = parts
        self.loops = loops
    }

    package var limits: WebhookLimits { parts.limits }
    package var vault: WebhookVault { parts.vault }

    /// Begins with what the store has.
    package func start() async throws {
        let webhooks = try await parts.store.read { try $0.webhooks.list() }
        for webhook in webhooks { begin(webhook) }
        let subscription = parts.store.subscribe { [weak self] _ in self?.wakeAll() }
        state.withLock { $0.subscription = subscription }
    }

    /// A webhook was made, changed or deleted, or got something to send again.
    package func note(_ webhook: WebhookRow) {
        let endpoint = state.withLock { $0.endpoints[webhook.key] }
        if let endpoint { endpoint.wake() } else { begin(webhook) }
    }

    /// Ends all sending; what was delivered is written down.
    package func stop() async {
        let tasks = state.withLock { state in
            state.isStopped = true
            state.subscription?.cancel()
            state.subscription = nil
            defer { state.tasks = [:] }
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func begin(_ webhook: WebhookRow) {
        let loop = loops[Int(webhook.key.value % Int64(loops.count))]
        let endpoint = WebhookEndpoint(webhook, parts, on: loop)
        state.withLock { state in
            guard !state.isStopped, state.endpoints[webhook.key] == nil else { return }
            state.endpoints[webhook.key] = endpoint
            state.tasks[webhook.key] = Task(executorPreference: loop) {
                await endpoint.run()
                self.ended(webhook.key)
            }
        }
    }

    private func ended(_ key: WebhookKey) {
        state.withLock { state in
            state.endpoints[key] = nil
            state.tasks[key] = nil
        }
    }

    /// On the writer's thread: leaves the waking to the loops, once for however many commits come meanwhile.
    private func wakeAll() {
        let waking = state.withLock { state in
            guard !state.endpoints.isEmpty else { return [EventLoop]() }
            return loops.filter { state.isWaking.insert($0.index).inserted }
        }
        for loop in waking {
            loop.post {
                let endpoints = self.state.withLock { state in
                    state.isWaking.remove(loop.index)
                    return Array(state.endpoints.values)
                }
                for endpoint in endpoints where endpoint.isServed(by: loop) { endpoint.wake() }
            }
        }
    }

    // MARK: A test

    /// Sends the event that tests a webhook, now and once, and says how that went; nil when the server stops.
    package func test(_ webhook: WebhookRow) async throws -> (id: [UInt8], attempt: DeliveryAttempt)? {
        let key = webhook.key
        let secrets = try await parts.store.read { try $0.webhooks.secrets(of: key) }
        let credentials = WebhookCredentials(
            version: webhook.version,
            signer: try vault.signer(secrets, of: webhook.id),
            headers: try vault.headers(webhook.settings.headers, of: webhook.id)
        )
        let event = parts.bodies.test(of: webhook, now: Timestamp(milliseconds: parts.clock.now()))
        switch await parts.send(event, to: webhook, credentials) {
        case .delivered(let attempt), .refused(let attempt, _, _), .notSent(let attempt): return (event.id, attempt)
        case .lost, .unwanted, .cancelled: return nil
        }
    }
}
