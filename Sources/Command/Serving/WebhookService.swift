// SPDX-License-Identifier: Apache-2.0

internal import API
internal import Accounts
internal import Configuration
internal import Runtime
internal import Sockets
internal import Storage
internal import WebClient
internal import Webhooks

/// The webhooks of a server: made before the API that manages them, started once everything listens.
enum WebhookService {
    static func make(_ foundation: Server.Foundation, _ box: SecretBox) throws -> WebhookDispatcher {
        let settings = foundation.settings
        return WebhookDispatcher(
            WebhookParts(
                store: foundation.store,
                search: foundation.search,
                vault: WebhookVault(box),
                transport: WebTransport(
                    foundation.outgoing.web,
                    totalMilliseconds: settings.webhooks.timeoutSeconds * 1000,
                    answerOctets: settings.webhooks.answerOctets
                ),
                bodies: WebhookBodies(store: foundation.store),
                limits: settings.webhookLimits,
                metrics: foundation.metrics,
                clock: foundation.clock,
                logger: foundation.logs.logger("webhooks")
            ),
            loops: foundation.group.loops
        )
    }
}
