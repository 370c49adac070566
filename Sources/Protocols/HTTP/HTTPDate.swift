// SPDX-License-Identifier: Apache-2.0

public import Wire

extension Timestamp {
    /// Reads a date in any of the three forms that HTTP knows, or nil.
    ///
    /// The name of the weekday is not compared.
    ///
    ///     HTTP-date    = IMF-fixdate / obs-date                    ; RFC 9110 §5.6.7
    ///     IMF-fixdate  = day-name "," SP date1 SP time-of-day SP GMT
    ///     rfc850-date  = day-name-l "," SP date2 SP time-of-day SP GMT
    ///     asctime-date = day-name SP date3 SP time-of-day SP year
    public init?(httpDate text: Span<UInt8>) {
        guard let comma = text.firstIndex(of: ASCII.comma) else {
            self.init(asctime: text)
            return
        }
        guard (3...9).contains(comma) else { return nil }
        let date = text.extracting(comma + 1..<text.count)
        if date.count > 4, date[3] == ASCII.hyphen {
            self.init(rfc850: date)
        } else {
            self.init(fixdate: date)
        }
    }

    /// As in ` 06 Nov 1994 08:49:37 GMT`.
    private init?(fixdate text: Span<UInt8>) {
        guard text.count == 25, text.extracting(21..<25).equals(" GMT"),
            text[0] == ASCII.space, text[3] == ASCII.space, text[7] == ASCII.space, text[12] == ASCII.space,
            let year = Self.number(text, 8..<12)
        else { return nil }
        self.init(text, day: 1..<3, month: 4..<7, year: year, time: 13)
    }

    /// ` 06-Nov-94 08:49:37 GMT`: years from 70 on are of the last century.
    private init?(rfc850 text: Span<UInt8>) {
        guard text.count == 23, text.extracting(19..<23).equals(" GMT"),
            text[0] == ASCII.space, text[3] == ASCII.hyphen, text[7] == ASCII.hyphen, text[10] == ASCII.space,
            let year = Self.number(text, 8..<10)
        else { return nil }
        self.init(text, day: 1..<3, month: 4..<7, year: year < 70 ? 2000 + year : 1900 + year, time: 11)
    }

    /// As in `Sun Nov  6 08:49:37 1994`.
    private init?(asctime text: Span<UInt8>) {
        guard text.count == 24, text[3] == ASCII.space, text[7] == ASCII.space, text[10] == ASCII.space,
            text[19] == ASCII.space, let year = Self.number(text, 20..<24)
        else { return nil }
        self.init(text, day: text[8] == ASCII.space ? 9..<10 : 8..<10, month: 4..<7, year: year, time: 11)
    }

    private init?(_ text: Span<UInt8>, day: Range<Int>, month: Range<Int>, year: Int, time: Int) {
        guard let day = Self.number(text, day),
            let month = Self.monthNames.firstIndex(where: { text.extracting(month).equals($0) }),
            let hour = Self.number(text, time..<time + 2), text[time + 2] == ASCII.colon,
            let minute = Self.number(text, time + 3..<time + 5), text[time + 5] == ASCII.colon,
            let second = Self.number(text, time + 6..<time + 8)
        else { return nil }
        self.init(Civil(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second))
    }

    private static func number(_ text: Span<UInt8>, _ range: Range<Int>) -> Int? {
        StrictInteger.decimal(text.extracting(range)).map { Int($0) }
    }
}
