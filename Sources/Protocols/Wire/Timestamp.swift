// SPDX-License-Identifier: Apache-2.0

/// A point in time in UTC, to the millisecond.
///
/// Reading the clock is for others: this is arithmetic and text.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z; negative before.
    public var milliseconds: Int64

    @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    @inlinable public init(seconds: Int64) {
        milliseconds =
            seconds.multipliedReportingOverflow(by: 1000).overflow ? (seconds < 0 ? .min : .max) : seconds * 1000
    }

    /// Whole seconds since 1970, rounded down.
    @inlinable public var seconds: Int64 {
        milliseconds >= 0
            ? milliseconds / 1000 : (milliseconds == .min ? milliseconds / 1000 - 1 : (milliseconds - 999) / 1000)
    }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.milliseconds < b.milliseconds }

    /// The range that four-digit years can write: 0001-01-01 to 9999-12-31.
    public static let writable = Timestamp(milliseconds: firstWritable)...Timestamp(milliseconds: lastWritable)
    private static var firstWritable: Int64 { -62_135_596_800_000 }
    private static var lastWritable: Int64 { 253_402_300_799_999 }

    /// A moment in the proleptic Gregorian calendar, UTC.
    public struct Civil: Hashable, Sendable {
        public var year: Int
        /// 1…12.
        public var month: Int
        /// 1…31.
        public var day: Int
        /// 0…23.
        public var hour: Int
        /// 0…59.
        public var minute: Int
        /// 0…60: a leap second is taken as the second that follows.
        public var second: Int
        /// 0…999.
        public var millisecond: Int
        /// 0 is Sunday.
        ///
        /// Not read when a timestamp is made.
        public var weekday: Int

        public init(
            year: Int,
            month: Int,
            day: Int,
            hour: Int = 0,
            minute: Int = 0,
            second: Int = 0,
            millisecond: Int = 0,
            weekday: Int = 0
        ) {
            self.year = year
            self.month = month
            self.day = day
            self.hour = hour
            self.minute = minute
            self.second = second
            self.millisecond = millisecond
            self.weekday = weekday
        }
    }

    /// The calendar fields; times outside ``writable`` are clamped to it.
    public var civil: Civil {
        let clamped = Timestamp(milliseconds: min(max(milliseconds, Self.firstWritable), Self.lastWritable))
        let seconds = clamped.seconds
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        // Days since 0000-03-01 in eras of 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return Civil(
            year: Int(yearOfEra + era * 400 + (month <= 2 ? 1 : 0)),
            month: Int(month),
            day: Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1),
            hour: Int(rest / 3600),
            minute: Int(rest / 60 % 60),
            second: Int(rest % 60),
            millisecond: Int(clamped.milliseconds - seconds * 1000),
            weekday: Int(((days + 4) % 7 + 7) % 7)
        )
    }

    /// The moment of these fields at `offsetMinutes` east of UTC, or nil where a field is outside its range.
    public init?(_ civil: Civil, offsetMinutes: Int = 0) {
        guard (1...9999).contains(civil.year), (1...12).contains(civil.month),
            civil.day >= 1, civil.day <= Self.days(inMonth: civil.month, year: civil.year),
            (0...23).contains(civil.hour), (0...59).contains(civil.minute), (0...60).contains(civil.second),
            (0...999).contains(civil.millisecond), (-1440...1440).contains(offsetMinutes)
        else { return nil }
        let year = civil.month <= 2 ? civil.year - 1 : civil.year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (civil.month > 2 ? civil.month - 3 : civil.month + 9) + 2) / 5 + civil.day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + civil.hour * 3600 + (civil.minute - offsetMinutes) * 60 + civil.second
        self.init(milliseconds: Int64(seconds) * 1000 + Int64(civil.millisecond))
    }

    /// 28…31.
    public static func days(inMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    public static let monthNames: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    public static let weekdayNames: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
}

extension ByteBuffer {
    /// `2026-04-01T09:30:00.000Z` (RFC 3339 §5.6, always UTC and milliseconds).
    public mutating func append(rfc3339 timestamp: Timestamp) {
        let civil = timestamp.civil
        _ = fill(atLeast: 24) { room in
            func put(_ value: Int, at place: Int) {
                let value = UInt8(truncatingIfNeeded: value)
                room[place] = 0x30 &+ value / 10
                room[place &+ 1] = 0x30 &+ value % 10
            }
            put(civil.year / 100, at: 0)
            put(civil.year % 100, at: 2)
            room[4] = 0x2D
            put(civil.month, at: 5)
            room[7] = 0x2D
            put(civil.day, at: 8)
            room[10] = 0x54
            put(civil.hour, at: 11)
            room[13] = 0x3A
            put(civil.minute, at: 14)
            room[16] = 0x3A
            put(civil.second, at: 17)
            room[19] = 0x2E
            room[20] = 0x30 &+ UInt8(truncatingIfNeeded: civil.millisecond / 100)
            put(civil.millisecond % 100, at: 21)
            room[23] = 0x5A
            return 24
        }
    }

    /// `Wed, 01 Apr 2026 09:30:00 +0000` (RFC 5322 §3.3, always UTC).
    public mutating func append(rfc5322 timestamp: Timestamp) {
        appendDate(timestamp.civil)
        append(" +0000")
    }

    /// `Wed, 01 Apr 2026 09:30:00 GMT` (IMF-fixdate, RFC 9110 §5.6.7).
    public mutating func append(imfFixdate timestamp: Timestamp) {
        appendDate(timestamp.civil)
        append(" GMT")
    }

    private mutating func appendDate(_ civil: Timestamp.Civil) {
        append(Timestamp.weekdayNames[civil.weekday])
        append(", ")
        append(civil.day, digits: 2)
        append(ASCII.space)
        append(Timestamp.monthNames[civil.month - 1])
        append(ASCII.space)
        append(civil.year, digits: 4)
        append(ASCII.space)
        appendTime(civil)
    }

    private mutating func appendTime(_ civil: Timestamp.Civil) {
        append(civil.hour, digits: 2)
        append(ASCII.colon)
        append(civil.minute, digits: 2)
        append(ASCII.colon)
        append(civil.second, digits: 2)
    }

    /// The last `digits` digits of a number that is not negative, with leading zeros.
    public mutating func append(_ value: Int, digits: Int) {
        var divisor = 1
        for _ in 1..<max(digits, 1) { divisor *= 10 }
        while divisor > 0 {
            append(ASCII.zero &+ UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339, UTC.
    public var description: String {
        var buffer = ByteBuffer()
        buffer.append(rfc3339: self)
        return buffer.bytes.repairedUTF8String()
    }

    /// `date-time` of RFC 3339 §5.6, or `full-date` alone (midnight UTC); fractions beyond milliseconds are cut.
    public init?(rfc3339 text: Span<UInt8>) {
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= text.count else { return nil }
            return StrictInteger.decimal(text.extracting(range)).flatMap { Int(exactly: $0) }
        }
        guard text.count >= 10, text[4] == ASCII.hyphen, text[7] == ASCII.hyphen,
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10)
        else { return nil }
        var civil = Civil(year: year, month: month, day: day)
        guard text.count > 10 else {
            self.init(civil)
            return
        }
        guard text.count >= 20, ASCII.lowercased(text[10]) == 0x74 || text[10] == ASCII.space,
            text[13] == ASCII.colon, text[16] == ASCII.colon,
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19)
        else { return nil }
        civil.hour = hour
        civil.minute = minute
        civil.second = second
        var index = 19
        if text[index] == ASCII.dot {
            index += 1
            let first = index
            var scale = 100
            while index < text.count, ASCII.isDigit(text[index]) {
                civil.millisecond += Int(text[index] &- ASCII.zero) * scale
                scale /= 10
                index += 1
            }
            guard index > first else { return nil }
        }
        guard index < text.count else { return nil }
        switch text[index] {
        case 0x5A, 0x7A:
            guard index + 1 == text.count else { return nil }
            self.init(civil)
        case ASCII.plus, ASCII.hyphen:
            guard text.count == index + 6, text[index + 3] == ASCII.colon,
                let hours = number(index + 1..<index + 3), let minutes = number(index + 4..<index + 6),
                hours < 24, minutes < 60
            else { return nil }
            let offset = hours * 60 + minutes
            self.init(civil, offsetMinutes: text[index] == ASCII.plus ? offset : -offset)
        default: return nil
        }
    }
}
