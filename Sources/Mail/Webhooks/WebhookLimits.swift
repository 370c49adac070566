// SPDX-License-Identifier: Apache-2.0

/// How webhooks are served.
package struct WebhookLimits: Sendable {
    package var schedule = RetrySchedule.standard
    /// Requests under way to one endpoint, at most.
    package var concurrency = 8
    /// Requests under way to all endpoints, besides one that each always may have.
    package var totalConcurrency = 256
    /// Failed attempts in a row after which an endpoint is taken to be down, and only probed.
    package var failuresUntilDown = 5
    /// How long after an attempt one that is down is probed at the latest, whatever its events' own schedules say.
    package var probeMilliseconds: Int64 = 300_000
    /// Events of one endpoint that were tried and wait to be tried again; when there are so many, newer ones wait in the log.
    package var maximumWaiting = 1000
    /// How many times faster than time the clock of the schedules runs.
    package var clockRate = 1
    /// How long what came of attempts is gathered before it is written down: so much is sent again after a crash.
    package var gatherMilliseconds = 50
    /// Endpoints there may be.
    package var endpoints = 100

    package init() {}
}
