// SPDX-License-Identifier: Apache-2.0

internal import Wire

/// One value an operator can set: its name, what it may be, and where in ``Settings`` it lands.
package struct ConfigurationKey: Sendable {
    /// As in the file, sections before dots: `http.idleSeconds`.
    package let name: String
    /// One line for the operator.
    package let summary: String
    /// Never on the command line, never printed.
    package let isSecret: Bool
    /// Whether SIGHUP brings a new value into force.
    package let isReloadable: Bool
    let assign: @Sendable (RawValue, inout Settings) throws(RawValue.Mismatch) -> Void
    /// The value as the file would have it.
    let show: @Sendable (Settings) -> String

    /// `POSTERN_HTTP_IDLE_SECONDS`; with `_FILE` behind it, the file whose content is the value.
    package var variable: String {
        var name = "POSTERN_"
        for byte in self.name.utf8 {
            if byte == ASCII.dot {
                name += "_"
            } else {
                if ASCII.isUpper(byte) { name += "_" }
                name.unicodeScalars.append(Unicode.Scalar(ASCII.uppercased(byte)))
            }
        }
        return name
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    static func text(
        _ name: String,
        _ path: any WritableKeyPath<Settings, String> & Sendable,
        _ summary: String,
        expected: String = "a text",
        reloadable: Bool = false,
        accepts: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> Self {
        Self(name: name, summary: summary, isSecret: false, isReloadable: reloadable) {
            raw,
            settings throws(RawValue.Mismatch) in
            let text = try raw.text(expected: expected)
            guard accepts(text) else { throw RawValue.Mismatch(expected: expected) }
            settings[keyPath: path] = text
        } show: {
            quoted($0[keyPath: path])
        }
    }

    static func list(
        _ name: String,
        _ path: any WritableKeyPath<Settings, [String]> & Sendable,
        _ summary: String,
        of expected: String,
        reloadable: Bool = false,
        accepts: @escaping @Sendable (String) -> Bool
    ) -> Self {
        Self(name: name, summary: summary, isSecret: false, isReloadable: reloadable) {
            raw,
            settings throws(RawValue.Mismatch) in
            let items = try raw.items()
            guard items.allSatisfy(accepts) else { throw RawValue.Mismatch(expected: "a list of \(expected)") }
            settings[keyPath: path] = items
        } show: {
            "[" + $0[keyPath: path].map(quoted).joined(separator: ", ") + "]"
        }
    }

    static func integer(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Int> & Sendable,
        _ range: ClosedRange<Int>,
        _ summary: String,
        reloadable: Bool = false
    ) -> Self {
        Self(name: name, summary: summary, isSecret: false, isReloadable: reloadable) {
            raw,
            settings throws(RawValue.Mismatch) in
            settings[keyPath: path] = try raw.integer(in: range)
        } show: {
            String($0[keyPath: path])
        }
    }

    static func integers(
        _ name: String,
        _ path: any WritableKeyPath<Settings, [Int]> & Sendable,
        _ range: ClosedRange<Int>,
        count: ClosedRange<Int>,
        _ summary: String
    ) -> Self {
        let expected =
            "a list of \(count.lowerBound) to \(count.upperBound) numbers from \(range.lowerBound) to \(range.upperBound)"
        return Self(name: name, summary: summary, isSecret: false, isReloadable: false) {
            raw,
            settings throws(RawValue.Mismatch) in
            let numbers = try raw.items().map { StrictInteger.decimal($0.utf8, maximum: UInt64(range.upperBound)) }
            let integers = numbers.compactMap { $0.map { Int($0) } }
            guard integers.count == numbers.count, count.contains(integers.count), integers.allSatisfy(range.contains)
            else { throw RawValue.Mismatch(expected: expected) }
            settings[keyPath: path] = integers
        } show: {
            "[" + $0[keyPath: path].map(String.init).joined(separator: ", ") + "]"
        }
    }

    static func truth(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Bool> & Sendable,
        _ summary: String,
        reloadable: Bool = false
    ) -> Self {
        Self(name: name, summary: summary, isSecret: false, isReloadable: reloadable) {
            raw,
            settings throws(RawValue.Mismatch) in
            settings[keyPath: path] = try raw.truth()
        } show: {
            String($0[keyPath: path])
        }
    }

    static func choice<Choice: CaseIterable & RawRepresentable<String> & Sendable>(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Choice> & Sendable,
        _ summary: String,
        reloadable: Bool = false
    ) -> Self {
        let expected = "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(name: name, summary: summary, isSecret: false, isReloadable: reloadable) {
            raw,
            settings throws(RawValue.Mismatch) in
            guard let choice = Choice(rawValue: try raw.text(expected: expected)) else {
                throw RawValue.Mismatch(expected: expected)
            }
            settings[keyPath: path] = choice
        } show: {
            $0[keyPath: path].rawValue
        }
    }

    static func secret(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Secret?> & Sendable,
        _ summary: String,
        expected: String,
        accepts: @escaping @Sendable ([UInt8]) -> Bool
    ) -> Self {
        Self(name: name, summary: summary, isSecret: true, isReloadable: false) {
            raw,
            settings throws(RawValue.Mismatch) in
            if case .null = raw {
                settings[keyPath: path] = nil
                return
            }
            let octets = Array(try raw.text(expected: expected).utf8)
            guard accepts(octets) else { throw RawValue.Mismatch(expected: expected) }
            settings[keyPath: path] = Secret(octets)
        } show: {
            $0[keyPath: path].map { quoted($0.description) } ?? "null"
        }
    }
}
