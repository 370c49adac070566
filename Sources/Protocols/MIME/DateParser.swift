// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Reads the date of a header (RFC 5322 §3.3 and §4.3), and what else is met there: other orders, dashes, `AM`, names of
/// months written out, zones by name, nothing for a zone (UTC then).
///
/// ```
/// date-time = [ day-of-week "," ] date time [CFWS]
/// date      = day month year
/// time      = time-of-day zone
/// ```
package enum DateParser {
    /// Longer values are junk.
    private static let longest = 256

    /// The moment, or nil where day, month and year cannot be found or do not exist.
    package static func parse(_ raw: ArraySlice<UInt8>) -> Timestamp? {
        guard raw.count <= longest else { return nil }
        var lexer = HeaderLexer(HeaderText.unfolded(raw))
        lexer.skipBlanksAndComments()
        if let date = Timestamp(rfc3339: lexer.text.span.extracting(lexer.index...)) { return date }
        var reading = Reading()
        for word in words(&lexer) { reading.take(word[...]) }
        return reading.timestamp
    }

    /// What stands between blanks, commas and comments; the pieces of a time that are set apart are put together again.
    private static func words(_ lexer: inout HeaderLexer) -> [[UInt8]] {
        var words: [[UInt8]] = []
        while !lexer.isAtEnd {
            lexer.skipBlanksAndComments()
            let word = lexer.take {
                ASCII.isWhitespace($0) || $0 == ASCII.comma || $0 == ASCII.openParenthesis || $0 == ASCII.semicolon
            }
            if word.isEmpty {
                lexer.advance()
            } else if word.first == ASCII.colon || words.last?.last == ASCII.colon, !words.isEmpty {
                words[words.count - 1] += word
            } else {
                words.append(word)
            }
        }
        return words
    }

    private struct Reading {
        var year: Int?
        var month: Int?
        var day: Int?
        var time: (hour: Int, minute: Int, second: Int)?
        var offsetMinutes: Int?
        var isAfternoon: Bool?

        mutating func take(_ word: ArraySlice<UInt8>) {
            guard let first = word.first else { return }
            if time != nil, offsetMinutes == nil, first == ASCII.plus || first == ASCII.hyphen {
                offsetMinutes = Self.offset(word)
            } else if word.contains(ASCII.colon), time == nil {
                takeTime(word)
            } else if ASCII.isDigit(first) {
                takeNumber(word)
            } else if ASCII.isAlpha(first) {
                takeName(word)
            }
        }

        /// `10:52`, `10:52:37`, `10:52:37.25`, with a zone right behind it at times.
        private mutating func takeTime(_ word: ArraySlice<UInt8>) {
            let end = word.firstIndex { !ASCII.isDigit($0) && $0 != ASCII.colon && $0 != ASCII.dot } ?? word.endIndex
            let fields = word[..<end].split(separator: ASCII.colon)
                .map { StrictInteger.decimal($0.prefix { $0 != ASCII.dot }, maximum: 99).flatMap { Int(exactly: $0) } }
            guard (2...3).contains(fields.count), let hour = fields[0], let minute = fields[1] else { return }
            let second = fields.count == 3 ? fields[2] : 0
            guard let second, hour < 24, minute < 60, second <= 60 else { return }
            time = (hour, minute, second)
            if end < word.endIndex { take(word[end...]) }
        }

        private mutating func takeNumber(_ word: ArraySlice<UInt8>) {
            if word.contains(where: { $0 == ASCII.hyphen || $0 == ASCII.slash }) {
                // 01-Apr-2026
                for piece in word.split(whereSeparator: { $0 == ASCII.hyphen || $0 == ASCII.slash }) { take(piece) }
                return
            }
            let digits = word.prefix(while: ASCII.isDigit)
            guard let value = StrictInteger.decimal(digits, maximum: 9_999).flatMap({ Int(exactly: $0) }) else {
                return
            }
            if day == nil, digits.count <= 2, (1...31).contains(value) {
                day = value
            } else if year == nil, digits.count >= 2 {
                year = Self.fullYear(value, digits: digits.count)
            }
        }

        /// RFC 5322 §4.3.
        private static func fullYear(_ value: Int, digits: Int) -> Int {
            switch digits {
            case 2: value < 50 ? value + 2000 : value + 1900
            case 3: value + 1900
            default: value
            }
        }

        private mutating func takeName(_ word: ArraySlice<UInt8>) {
            let name = ASCII.lowercased(word.prefix(while: ASCII.isAlpha))
            let rest = word.dropFirst(name.count)
            if month == nil, name.count >= 3, let place = Self.months.firstIndex(of: Array(name.prefix(3))),
                time == nil || year == nil
            {
                month = place + 1
            } else if name == Self.pm || name == Self.am, time != nil {
                isAfternoon = name == Self.pm
            } else if time != nil, offsetMinutes == nil, let zone = Self.zone(name) {
                offsetMinutes = zone
                if let sign = rest.first, sign == ASCII.plus || sign == ASCII.hyphen {
                    offsetMinutes = Self.offset(rest)
                }
            } else if time == nil, let first = rest.first, first == ASCII.hyphen || first == ASCII.dot {
                take(rest.dropFirst())
            }
        }

        private static let months = Timestamp.monthNames.map { ASCII.lowercased("\($0)".utf8) }
        private static let am = Array("am".utf8)
        private static let pm = Array("pm".utf8)

        /// `+hhmm`; `+hh:mm`, `+hh` and `+hmm` are met too.
        private static func offset(_ word: ArraySlice<UInt8>) -> Int? {
            let digits = word.dropFirst().prefix { ASCII.isDigit($0) || $0 == ASCII.colon }.filter { $0 != ASCII.colon }
            guard (1...4).contains(digits.count),
                let value = StrictInteger.decimal(digits).flatMap({ Int(exactly: $0) })
            else {
                return nil
            }
            let minutes = digits.count <= 2 ? value * 60 : value / 100 * 60 + value % 100
            guard minutes <= 24 * 60 else { return nil }
            return word.first == ASCII.hyphen ? -minutes : minutes
        }

        /// RFC 5322 §4.3: the military letters were defined the wrong way round and mean UTC; so does a name unknown.
        private static func zone(_ name: [UInt8]) -> Int? {
            guard let hours = zones[name] else { return name.count <= 5 ? 0 : nil }
            return hours * 60
        }

        private static let zones: [[UInt8]: Int] = {
            let named: [(String, Int)] = [
                ("edt", -4), ("est", -5), ("cdt", -5), ("cst", -6), ("mdt", -6), ("mst", -7), ("pdt", -7), ("pst", -8),
                ("akdt", -8), ("akst", -9), ("hst", -10), ("bst", 1), ("cet", 1), ("met", 1), ("cest", 2), ("mest", 2),
                ("eet", 2), ("eest", 3), ("msk", 3), ("jst", 9), ("kst", 9), ("aest", 10), ("aedt", 11),
            ]
            return Dictionary(uniqueKeysWithValues: named.map { (Array($0.0.utf8), $0.1) })
        }()

        var timestamp: Timestamp? {
            guard let year, let month, let day else { return nil }
            var time = time ?? (0, 0, 0)
            if let isAfternoon, time.hour <= 12 { time.hour = time.hour % 12 + (isAfternoon ? 12 : 0) }
            let civil = Timestamp.Civil(
                year: year,
                month: month,
                day: day,
                hour: time.hour,
                minute: time.minute,
                second: time.second
            )
            return Timestamp(civil, offsetMinutes: offsetMinutes ?? 0)
        }
    }
}
