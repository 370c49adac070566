// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Command

@Suite struct WatchdogTests {
    @Test(
        arguments: [
            ([:], nil), (["WATCHDOG_USEC": "30000000"], 30_000_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], 30_000_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil), (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "-1"], nil), (["WATCHDOG_USEC": "soon"], nil),
        ] as [([String: String], UInt64?)]
    )
    func isServedWhereItIsAskedFor(_ environment: [String: String], _ microseconds: UInt64?) {
        #expect(Watchdog.interval(environment, process: 7) == microseconds)
    }
}
