// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct TimestampTests {
    @Test func civilFieldsRoundTripThroughEveryDayOfFourCenturies() throws {
        var day: Int64 = -141_427  // 1582-10-15, a Friday
        var weekday = 5
        while day < 146_097 {
            let stamp = Timestamp(seconds: day * 86_400 + 3661)
            let civil = stamp.civil
            #expect(Timestamp(civil) == stamp)
            #expect(civil.weekday == weekday)
            weekday = (weekday + 1) % 7
            day += 1
        }
    }

    @Test(
        arguments: [
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000Z"),
            ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000Z"), ("2026-04-01", "2026-04-01T00:00:00.000Z"),
            ("2026-02-29", nil), ("2026-04-01T25:00:00Z", nil), ("2026-04-01T09:30:00", nil), ("+026-04-01", nil),
            ("2026-04-01T09:30:00.Z", nil),
        ] as [(String, String?)]
    )
    func rfc3339(_ text: String, _ canonical: String?) {
        #expect(Timestamp(rfc3339: Array(text.utf8).span)?.description == canonical)
    }

    @Test func extremesDoNotTrap() {
        for milliseconds in [Int64.min, Int64.min + 1, -1, 0, 1, Int64.max] {
            _ = Timestamp(milliseconds: milliseconds).description
        }
        #expect(Timestamp(seconds: .max).milliseconds == .max)
    }
}
