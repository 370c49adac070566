// SPDX-License-Identifier: Apache-2.0

import Wire

/// Choosing among what we can send, by `Accept` (RFC 9110 §12.5.1).
///
///     Accept = [ ( media-range [ weight ] ) *( OWS "," OWS ( media-range [ weight ] ) ) ]
///     weight = OWS ";" OWS "q=" qvalue
public enum AcceptNegotiation {
    private struct MediaRange {
        var value: [UInt8]
        /// Thousandths.
        var weight: Int
        var parameters: Int
    }

    /// The number of the offer that the client likes best; the first of equals.
    ///
    /// Nil where it takes none of them: 406.
    ///
    /// Without `Accept`, all are liked the same. An element that cannot be read counts for nothing.
    public static func choose(among offers: [StaticString], _ fields: HTTPFields) -> Int? {
        let ranges = fields.all("Accept").flatMap { parse($0.span) }
        guard !ranges.isEmpty else { return offers.isEmpty || fields.contains("Accept") ? nil : 0 }
        var best: (index: Int, weight: Int)?
        for (index, offer) in offers.enumerated() {
            let weight = weight(of: offer, ranges)
            if weight > best?.weight ?? 0 { best = (index, weight) }
        }
        return best?.index
    }

    private static func parse(_ text: Span<UInt8>) -> [MediaRange] {
        var ranges: [MediaRange] = []
        var start = 0
        while start < text.count, ranges.count < 100 {
            let end = endOfElement(text, from: start)
            if let range = mediaRange(text.extracting(start..<end)) { ranges.append(range) }
            start = end + 1
        }
        return ranges
    }

    /// The next comma that is not within quotes.
    private static func endOfElement(_ text: Span<UInt8>, from start: Int) -> Int {
        var index = start
        var isQuoted = false
        while index < text.count, isQuoted || text[index] != ASCII.comma {
            if text[index] == ASCII.quote { isQuoted.toggle() }
            if isQuoted, text[index] == ASCII.backslash { index += 1 }
            index += 1
        }
        return min(index, text.count)
    }

    private static func mediaRange(_ text: Span<UInt8>) -> MediaRange? {
        guard let content = ParameterizedValue(text), content.value.contains(ASCII.slash) else { return nil }
        guard let quality = content.first("q") else {
            return MediaRange(value: content.value, weight: 1000, parameters: content.parameters.count)
        }
        guard let weight = weight(quality) else { return nil }
        return MediaRange(value: content.value, weight: weight, parameters: content.parameters.count - 1)
    }

    /// Reads a weight in thousandths.
    ///
    ///     qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )        ; RFC 9110 §12.4.2
    private static func weight(_ text: [UInt8]) -> Int? {
        guard let first = text.first, first == 0x30 || first == 0x31, text.count <= 5 else { return nil }
        guard text.count == 1 || text[1] == ASCII.dot else { return nil }
        var weight = Int(first &- ASCII.zero) * 1000
        var scale = 100
        for digit in text.dropFirst(2) {
            guard ASCII.isDigit(digit) else { return nil }
            weight += Int(digit &- ASCII.zero) * scale
            scale /= 10
        }
        return weight <= 1000 ? weight : nil
    }

    /// The weight of the most specific range that covers the offer.
    ///
    /// A range with parameters asks for something that none of
    /// our types says of itself, except a charset, which is always the one asked for.
    private static func weight(of offer: StaticString, _ ranges: [MediaRange]) -> Int {
        var best = (precision: -1, weight: 0)
        for range in ranges {
            guard let precision = precision(of: range.value, for: offer) else { continue }
            if precision * 100 + range.parameters > best.precision {
                best = (precision * 100 + range.parameters, range.weight)
            }
        }
        return best.weight
    }

    private static func precision(of range: [UInt8], for offer: StaticString) -> Int? {
        if range.span.equals(offer) { return 2 }
        if range.span.equals("*/*") { return 0 }
        guard range.suffix(2).elementsEqual([ASCII.slash, ASCII.asterisk]) else { return nil }
        let type = range.dropLast()
        let covers = offer.withUTF8Buffer { $0.starts(with: type) }
        return covers ? 1 : nil
    }
}
