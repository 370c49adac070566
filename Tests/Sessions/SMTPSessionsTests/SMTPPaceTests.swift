// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SMTP
@testable import SMTPSessions

@Suite struct SMTPPaceTests {
    @Test func oneCommandHasOneDeadlineHoweverItDribbles() {
        var pace = SMTPPace()
        #expect(pace.remaining(of: 300, for: .command(1), at: 1000) == 300)
        #expect(pace.remaining(of: 300, for: .command(1), at: 1250) == 50)
        #expect(pace.remaining(of: 300, for: .command(1), at: 9999) == 1)
        #expect(pace.remaining(of: 300, for: .command(2), at: 9999) == 300)
    }

    @Test func aMessageHasItsTimeForEachPartButARateInAll() {
        var pace = SMTPPace()
        #expect(pace.remaining(of: 300, for: .message, at: 0) == 300)
        let early = pace.isTooSlow(after: 1, at: 30_000, minimum: 500, grace: 30_000)
        #expect(!early)
        #expect(pace.remaining(of: 300, for: .message, at: 30_000) == 300)
        let enough = pace.isTooSlow(after: 20_000, at: 40_000, minimum: 500, grace: 30_000)
        #expect(!enough)
        let slow = pace.isTooSlow(after: 100, at: 41_000, minimum: 500, grace: 30_000)
        #expect(slow)
    }

    @Test func commandsHaveNoRate() {
        var pace = SMTPPace()
        _ = pace.remaining(of: 300_000, for: .command(1), at: 0)
        let slow = pace.isTooSlow(after: 1, at: 200_000, minimum: 500, grace: 30_000)
        #expect(!slow)
    }
}
