// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Testing
import Wire

@testable import Webhooks

@Suite struct EndpointStateTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)
    private let nothing = PendingDeliveries(tried: 0, nextDue: nil)

    private func state(
        cursor: Int64 = 10,
        failures: Int = 0,
        _ change: (inout WebhookLimits) -> Void = { _ in }
    )
        -> EndpointState
    {
        var limits = WebhookLimits()
        limits.schedule = RetrySchedule(seconds: [10, 20])
        limits.concurrency = 4
        limits.failuresUntilDown = 3
        change(&limits)
        return EndpointState(cursor: cursor, failures: failures, limits)
    }

    private func job(_ position: Int64, attempts: Int = 0, isFresh: Bool = true) -> DeliveryJob {
        let event = DeliveryEvent(
            position: position,
            account: .random(),
            accountKey: AccountKey(1),
            seq: position,
            type: "message.received",
            time: now
        )
        return DeliveryJob(event: event, attempts: attempts, due: isFresh ? nil : now, isFresh: isFresh)
    }

    private func attempt(_ error: String? = nil) -> DeliveryAttempt {
        DeliveryAttempt(time: now, milliseconds: 5, status: error == nil ? 200 : 500, error: error, answer: nil)
    }

    private func refused(retryAfter: Int64? = nil, isGone: Bool = false) -> AttemptOutcome {
        .refused(attempt("no"), retryAfterMilliseconds: retryAfter, isGone: isGone)
    }

    /// Begins jobs as they come from the log.
    private func begin(_ state: inout EndpointState, _ jobs: [DeliveryJob]) {
        for job in jobs {
            state.begin(job)
            state.looked(to: job.event.position)
        }
    }

    @Test func theCursorWaitsForTheOldestUnderWay() {
        var state = state()
        let jobs = [job(11), job(13), job(14)]
        begin(&state, jobs)
        #expect(state.cursor == 10)
        state.finish(jobs[1], .delivered(attempt()), at: now, jitter: 0)
        #expect(state.cursor == 10)
        state.finish(jobs[0], .delivered(attempt()), at: now, jitter: 0)
        #expect(state.cursor == 13)
        state.finish(jobs[2], refused(), at: now, jitter: 0)
        #expect(state.cursor == 14)
        let progress = state.takeProgress()
        #expect(progress?.cursor == 14)
        #expect(progress?.results.map(\.state) == [.delivered, .delivered, .pending])
        #expect(state.takeProgress() == nil || state.takeProgress()?.isEmpty == true)
    }

    @Test func whatFailsIsTriedAgainByItsScheduleAndThenRunsOut() {
        for (attempts, expected) in [(0, Int64(10_000)), (1, 20_000)] {
            var state = state()
            let job = job(11, attempts: attempts)
            begin(&state, [job])
            state.finish(job, refused(), at: now, jitter: 0)
            let result = state.takeProgress()?.results.first
            #expect(result?.state == .pending && result?.attempts == attempts + 1)
            #expect(result?.due?.milliseconds == now.milliseconds + expected)
        }
        var state = state()
        let last = job(11, attempts: 2)
        begin(&state, [last])
        state.finish(last, refused(), at: now, jitter: 0)
        #expect(state.takeProgress()?.results.first?.state == .failed)
    }

    @Test func oneThatIsDownIsOnlyProbedAndComesBack() {
        var state = state()
        for position in Int64(11)...13 {
            let job = job(position)
            begin(&state, [job])
            state.finish(job, refused(), at: now, jitter: 0)
        }
        #expect(state.isDown)
        let turns = state.takeProgress()?.turns.map(\.turn)
        #expect(turns == [.failing(reason: "no")])
        let later = PendingDeliveries(tried: 3, nextDue: Timestamp(milliseconds: now.milliseconds + 10_000))
        // Nothing new while something waits; a probe once its time has come.
        var allowance = state.allowance(at: now, isOrdered: false, pending: later)
        #expect(allowance.fresh == 0 && allowance.due == 1 && !allowance.probe)
        allowance = state.allowance(at: state.probeTime, isOrdered: false, pending: later)
        #expect(allowance.fresh == 0 && allowance.probe)
        var probe = job(11, attempts: 1, isFresh: false)
        probe.due = Timestamp(milliseconds: now.milliseconds + 900_000)
        probe.isProbe = true
        state.begin(probe)
        state.finish(probe, refused(), at: state.probeTime, jitter: 0)
        let failed = state.takeProgress()?.results.first
        #expect(failed?.attempts == 1 && failed?.due == probe.due && failed?.state == .pending)
        state.begin(probe)
        state.finish(probe, .delivered(attempt()), at: state.probeTime, jitter: 0)
        #expect(!state.isDown)
        #expect(state.takeProgress()?.turns.map(\.turn) == [.recovered])
    }

    @Test func oneFailureAmongSuccessesStopsNobody() {
        var state = state()
        let jobs = [job(11), job(12)]
        begin(&state, jobs)
        state.finish(jobs[0], refused(), at: now, jitter: 0)
        state.finish(jobs[1], .delivered(attempt()), at: now, jitter: 0)
        #expect(!state.isDown)
        let waiting = PendingDeliveries(tried: 1, nextDue: Timestamp(milliseconds: now.milliseconds + 10_000))
        #expect(state.allowance(at: now, isOrdered: false, pending: waiting).fresh > 0)
        // But an ordered one waits for what failed.
        #expect(state.allowance(at: now, isOrdered: true, pending: waiting).fresh == 0)
    }

    @Test func anOrderedOneGoesOnWithoutWaitingForTheDisk() {
        var state = state()
        let first = job(11)
        begin(&state, [first])
        #expect(state.allowance(at: now, isOrdered: true, pending: nothing).fresh == 0)
        state.finish(first, .delivered(attempt()), at: now, jitter: 0)
        #expect(state.allowance(at: now, isOrdered: true, pending: nothing).fresh == 1)
        let second = job(12)
        begin(&state, [second])
        state.finish(second, refused(), at: now, jitter: 0)
        // Its failure is not written down yet, and counts all the same.
        #expect(state.allowance(at: now, isOrdered: true, pending: nothing).fresh == 0)
        let taken = state.takeProgress()
        #expect(state.allowance(at: now, isOrdered: true, pending: nothing).fresh == 0)
        if let taken { state.saved(taken) }
        #expect(state.allowance(at: now, isOrdered: true, pending: nothing).fresh == 1)
    }

    @Test func retryAfterHoldsTheWholeEndpoint() {
        var state = state()
        let job = job(11)
        begin(&state, [job])
        state.finish(job, refused(retryAfter: 15_000), at: now, jitter: 0)
        #expect(state.allowance(at: now, isOrdered: false, pending: nothing) == .init())
        let then = Timestamp(milliseconds: now.milliseconds + 15_000)
        #expect(state.allowance(at: then, isOrdered: false, pending: nothing).fresh == 1)
        #expect(state.takeProgress()?.results.first?.due == then)
    }

    @Test func retryAfterIsBoundedByTheSchedule() {
        var state = state()
        let job = job(11)
        begin(&state, [job])
        state.finish(job, refused(retryAfter: .max), at: now, jitter: 0)
        #expect(state.heldUntil.milliseconds == now.milliseconds + 22_000)
    }

    @Test func goneDisablesAndKeepsTheEvent() {
        var state = state()
        let job = job(11)
        begin(&state, [job])
        state.finish(job, refused(isGone: true), at: now, jitter: 0)
        let progress = state.takeProgress()
        #expect(progress?.turns.map(\.turn) == [.disabled(reason: "no")])
        #expect(progress?.results.first?.state == .pending)
    }

    @Test func whatCannotBeMadeReadyIsNotTheEndpointsFault() {
        var state = state()
        for position in Int64(11)...20 {
            let job = job(position)
            begin(&state, [job])
            state.finish(job, .notSent(attempt("broken")), at: now, jitter: 0)
        }
        #expect(!state.isDown && state.failures == 0)
        #expect(state.allowance(at: now, isOrdered: false, pending: nothing).fresh == 4)
    }

    @Test func whatWasGivenUpIsLookedAtAgain() {
        var state = state()
        let jobs = [job(11), job(12)]
        begin(&state, jobs)
        state.finish(jobs[0], .cancelled, at: now, jitter: 0)
        #expect(state.scanned == 10)
        #expect(state.cursor == 10)
    }

    @Test func whatIsNotSavedIsSaidAgain() {
        var state = state()
        let job = job(11)
        begin(&state, [job])
        state.finish(job, .delivered(attempt()), at: now, jitter: 0)
        guard let taken = state.takeProgress() else {
            Issue.record("nothing to save")
            return
        }
        #expect(state.isBusy(11))
        state.notSaved(taken)
        let again = state.takeProgress()
        #expect(again?.cursor == 11 && again?.results == taken.results)
    }

    @Test func tooManyWaitingKeepNewOnesInTheLog() {
        let state = state { $0.maximumWaiting = 5 }
        let full = PendingDeliveries(tried: 5, nextDue: now)
        let allowance = state.allowance(at: now, isOrdered: false, pending: full)
        #expect(allowance.fresh == 0 && allowance.due > 0)
    }

    @Test func oldAndNewShare() {
        let allowance = state().allowance(
            at: now,
            isOrdered: false,
            pending: PendingDeliveries(tried: 3, nextDue: now)
        )
        #expect(allowance.due == 2 && allowance.fresh == 2)
    }
}
