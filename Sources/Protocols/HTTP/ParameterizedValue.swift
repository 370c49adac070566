// SPDX-License-Identifier: Apache-2.0

import Wire

/// A value with parameters, as in `Content-Type`, `Content-Disposition` and `Accept`.
///
///     parameters      = *( OWS ";" OWS [ parameter ] )        ; RFC 9110 §5.6.6
///     parameter       = token "=" ( token / quoted-string )
public struct ParameterizedValue: Sendable {
    /// What stands before the parameters, lowered: `text/html`, `form-data`, `*/*`.
    public let value: [UInt8]
    /// Names lowered, values without quotes and escapes, in order; names may not come twice.
    public let parameters: [(name: [UInt8], value: [UInt8])]

    /// Nil where the text does not follow the grammar, or a parameter came twice, or there are more than 32.
    public init?(_ text: Span<UInt8>) {
        var scanner = Scanner(text)
        guard let value = scanner.value() else { return nil }
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        while !scanner.isAtEnd {
            guard scanner.separator() else { return nil }
            if scanner.isAtEnd || scanner.isAtSeparator { continue }
            guard let parameter = scanner.parameter(), parameters.count < 32,
                !parameters.contains(where: { $0.name == parameter.name })
            else { return nil }
            parameters.append(parameter)
        }
        self.value = ASCII.lowercased(value)
        self.parameters = parameters
    }

    /// The parameter of this name (lower case).
    public func first(_ name: StaticString) -> [UInt8]? { parameters.first { $0.name.span.equals(name) }?.value }

    /// The parameter as text; `%22` is read as a quote, as browsers and curl write one.
    ///
    /// Ill-formed UTF-8 is repaired.
    func string(_ name: StaticString) -> String? {
        guard let value = first(name) else { return nil }
        var out: [UInt8] = []
        var index = 0
        while index < value.count {
            if value.span.extracting(index..<min(index + 3, value.count)).equals("%22") {
                out.append(ASCII.quote)
                index += 3
            } else {
                out.append(value[index])
                index += 1
            }
        }
        return out.span.repairedUTF8String()
    }

    /// The parameter `name*` of RFC 8187 §3.2, where it is there, well-formed and in UTF-8.
    func extended(_ name: StaticString) -> String? {
        let found = parameters.first { parameter in
            parameter.name.last == ASCII.asterisk
                && parameter.name.span.extracting(0..<parameter.name.count - 1).equals(name)
        }
        guard let value = found?.value, value.count >= 7,
            ASCII.equalsIgnoringCase(value.span.extracting(0..<6), "utf-8'"),
            let quote = value.span.firstIndex(of: 0x27, from: 6)
        else { return nil }
        var out: [UInt8] = []
        guard PercentEncoding.decode(value.span.extracting(quote + 1..<value.count), into: &out) else { return nil }
        return out.span.utf8String()
    }

    private struct Scanner: ~Escapable {
        let text: Span<UInt8>
        var index = 0

        @_lifetime(copy text)
        init(_ text: Span<UInt8>) { self.text = text }

        var isAtEnd: Bool { index == text.count }
        var isAtSeparator: Bool { index < text.count && text[index] == ASCII.semicolon }

        mutating func skipBlanks() {
            while index < text.count, ASCII.isBlank(text[index]) { index += 1 }
        }

        /// A token, or two with a slash between.
        mutating func value() -> [UInt8]? {
            skipBlanks()
            let start = index
            while index < text.count, ASCII.isToken(text[index]) || text[index] == ASCII.slash { index += 1 }
            let value = text.extracting(start..<index).array()
            let slashes = value.indices.filter { value[$0] == ASCII.slash }
            guard !value.isEmpty, slashes.count <= 1 else { return nil }
            if let slash = slashes.first, slash == 0 || slash == value.count - 1 { return nil }
            skipBlanks()
            return value
        }

        mutating func separator() -> Bool {
            guard isAtSeparator else { return false }
            index += 1
            skipBlanks()
            return true
        }

        mutating func parameter() -> (name: [UInt8], value: [UInt8])? {
            guard let name = token(), index < text.count, text[index] == ASCII.equals else { return nil }
            index += 1
            guard let value = index < text.count && text[index] == ASCII.quote ? quoted() : token() else { return nil }
            skipBlanks()
            return (ASCII.lowercased(name), value)
        }

        mutating func token() -> [UInt8]? {
            let start = index
            while index < text.count, ASCII.isToken(text[index]) { index += 1 }
            return index > start ? text.extracting(start..<index).array() : nil
        }

        /// A quoted-string.
        ///
        /// A backslash escapes a quote or a backslash; before anything else it stands for itself, as in
        /// the paths that some browsers send.
        mutating func quoted() -> [UInt8]? {
            var out: [UInt8] = []
            index += 1
            while index < text.count, text[index] != ASCII.quote {
                let isEscape = text[index] == ASCII.backslash && index + 1 < text.count
                if isEscape, text[index + 1] == ASCII.quote || text[index + 1] == ASCII.backslash { index += 1 }
                out.append(text[index])
                index += 1
            }
            guard index < text.count else { return nil }
            index += 1
            return out
        }
    }
}
