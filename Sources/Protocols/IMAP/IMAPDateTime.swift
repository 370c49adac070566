// SPDX-License-Identifier: Apache-2.0

package import Wire

/// `date-time` of RFC 9051 §9: a moment, and the offset in which it was written.
package struct IMAPDateTime: Hashable, Sendable {
    package let timestamp: Timestamp
    /// East of Greenwich: -1439…1439.
    package let offsetMinutes: Int

    package init(_ timestamp: Timestamp, offsetMinutes: Int = 0) {
        self.timestamp = timestamp
        self.offsetMinutes = offsetMinutes
    }

    /// `date-day-fixed "-" date-month "-" date-year SP time SP zone`, without the quotation marks; the day may have one
    /// digit, and stand alone.
    package init?(_ text: Span<UInt8>) {
        var index = 0
        func number(_ digits: ClosedRange<Int>) -> Int? {
            var end = index
            while end < text.count, end - index < digits.upperBound, ASCII.isDigit(text[end]) { end += 1 }
            guard end - index >= digits.lowerBound else { return nil }
            defer { index = end }
            return StrictInteger.decimal(text.extracting(index..<end)).map(Int.init)
        }
        func take(_ byte: UInt8) -> Bool {
            guard index < text.count, text[index] == byte else { return false }
            index += 1
            return true
        }
        _ = take(ASCII.space)
        guard let day = number(1...2), take(ASCII.hyphen), index + 3 <= text.count else { return nil }
        let name = text.extracting(index..<index + 3)
        guard let month = Timestamp.monthNames.firstIndex(where: { ASCII.equalsIgnoringCase(name, $0) }) else {
            return nil
        }
        index += 3
        guard take(ASCII.hyphen), let year = number(4...4), take(ASCII.space),
            let hour = number(2...2), take(ASCII.colon), let minute = number(2...2), take(ASCII.colon),
            let second = number(2...2), take(ASCII.space), index < text.count
        else { return nil }
        let isWest = text[index] == ASCII.hyphen
        guard isWest || text[index] == ASCII.plus else { return nil }
        index += 1
        guard let zone = number(4...4), index == text.count, zone % 100 < 60, zone / 100 < 24 else { return nil }
        let offset = (zone / 100 * 60 + zone % 100) * (isWest ? -1 : 1)
        let civil = Timestamp.Civil(
            year: year,
            month: month + 1,
            day: day,
            hour: hour,
            minute: minute,
            second: min(second, 59)
        )
        guard let timestamp = Timestamp(civil, offsetMinutes: offset) else { return nil }
        self.init(timestamp, offsetMinutes: offset)
    }

    /// With the quotation marks.
    package func append(to output: inout ByteBuffer) {
        let civil = Timestamp(milliseconds: timestamp.milliseconds &+ Int64(offsetMinutes) &* 60_000).civil
        output.append(ASCII.quote)
        if civil.day < 10 { output.append(ASCII.space) }
        Self.append(civil, to: &output)
        output.append(ASCII.space)
        for (index, value) in [civil.hour, civil.minute, civil.second].enumerated() {
            if index > 0 { output.append(ASCII.colon) }
            output.append(value, digits: 2)
        }
        output.append(offsetMinutes < 0 ? " -" : " +")
        output.append(abs(offsetMinutes) / 60, digits: 2)
        output.append(abs(offsetMinutes) % 60, digits: 2)
        output.append(ASCII.quote)
    }

    /// `date-day "-" date-month "-" date-year`.
    static func append(_ civil: Timestamp.Civil, to output: inout ByteBuffer) {
        output.append(decimal: civil.day)
        output.append(ASCII.hyphen)
        output.append(Timestamp.monthNames[max(1, min(civil.month, 12)) - 1])
        output.append(ASCII.hyphen)
        output.append(civil.year, digits: 4)
    }
}
