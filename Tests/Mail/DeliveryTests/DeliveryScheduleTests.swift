// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Delivery

@Suite struct DeliveryScheduleTests {
    @Test func theLastDelayGoesOn() {
        let schedule = DeliverySchedule(seconds: [60, 300])
        #expect((1...4).map { schedule.delay(afterTries: $0, jitter: 0) } == [60_000, 300_000, 300_000, 300_000])
        #expect(schedule.delay(afterTries: 1, jitter: 1) == 72_000)
        #expect(schedule.delay(afterTries: 0, jitter: 7) == 72_000)
    }

    /// RFC 5321 §4.5.4.1: at least 30 minutes between tries, once it has been tried some times; for four or five days.
    @Test func theStandardOneSlowsDown() {
        let delays = (1...10).map { DeliverySchedule.standard.delay(afterTries: $0, jitter: 0) }
        #expect(delays == delays.sorted())
        #expect(delays[3...].allSatisfy { $0 >= 1_800_000 })
    }
}
