// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Webhooks

@Suite struct RetryScheduleTests {
    @Test func theStandardOneBeginsAsTheSpecificationAndLastsFourDays() {
        let schedule = RetrySchedule.standard
        #expect(Array(schedule.seconds.prefix(9)) == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
        #expect(schedule.seconds.reduce(0, +) >= 96 * 3600)
    }

    @Test func jitterOnlyAdds() {
        let schedule = RetrySchedule(seconds: [100])
        #expect(schedule.delay(afterAttempts: 1, jitter: 0) == 100_000)
        #expect(schedule.delay(afterAttempts: 1, jitter: 1) == 110_000)
        #expect(schedule.delay(afterAttempts: 1, jitter: 7) == 110_000)
        #expect(schedule.longestDelay == 110_000)
    }

    @Test func itEnds() {
        let schedule = RetrySchedule(seconds: [1, 2])
        #expect(schedule.delay(afterAttempts: 2, jitter: 0) == 2000)
        #expect(schedule.delay(afterAttempts: 3, jitter: 0) == nil)
        #expect(RetrySchedule(seconds: []).delay(afterAttempts: 1, jitter: 0) == nil)
    }
}

@Suite struct RetryAfterTests {
    private let now = Timestamp(seconds: 784_111_777)

    @Test(arguments: [
        ("0", 0), ("120", 120_000), ("Sun, 06 Nov 1994 08:49:47 GMT", 10_000), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
    ])
    func isRead(_ text: String, _ milliseconds: Int64) {
        #expect(RetryAfter.milliseconds(Array(text.utf8), now: now) == milliseconds)
    }

    @Test(arguments: [
        "", "-1", "+1", "1.5", "1 s", "99999999999999999999", "Sun, 06 Non 1994 08:49:37 GMT",
        "Sun, 36 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "06 Nov 1994",
    ])
    func isNot(_ text: String) {
        #expect(RetryAfter.milliseconds(Array(text.utf8), now: now) == nil)
    }
}
