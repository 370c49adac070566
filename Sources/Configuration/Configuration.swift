// SPDX-License-Identifier: Apache-2.0

/// Where a value came from; later cases win over earlier ones.
package enum Origin: Sendable, Equatable, CustomStringConvertible {
    case standard
    case file(String, line: Int?)
    case environment(String)
    case flag(String)

    package var description: String {
        switch self {
        case .standard: "default"
        case .file(let path, let line): line.map { "\(path):\($0)" } ?? path
        case .environment(let variable): "environment \(variable)"
        case .flag(let flag): "flag \(flag)"
        }
    }
}

/// One thing wrong with what was given, in a sentence that names the key and what would be right.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    package let origin: Origin
    package let sentence: String

    package var description: String { "\(origin): \(sentence)" }
}

/// All that is wrong, so that an operator mends it in one go.
package struct ConfigurationError: Error, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// The settings in force and where each came from: defaults, then the file, then the environment, then flags.
package struct ResolvedConfiguration: Sendable {
    package private(set) var settings = Settings()
    private var origins: [String: Origin] = [:]

    package func origin(of key: ConfigurationKey) -> Origin { origins[key.name] ?? .standard }

    /// What is given besides the defaults.
    ///
    /// Reading files is the caller's, through `readFile`.
    package struct Sources {
        /// The configuration file: its path and its text.
        package var file: (path: String, text: String)?
        package var environment: [String: String] = [:]
        /// Flags: the key's name, the value, and the flag as it was written.
        package var flags: [(name: String, value: String, flag: String)] = []
        /// The content of a file that a `POSTERN_…_FILE` variable names, or nil.
        package var readFile: (String) -> String? = { _ in nil }

        package init() {}
    }

    package init(_ sources: Sources) throws(ConfigurationError) {
        var problems: [ConfigurationProblem] = []
        applyFile(sources, &problems)
        applyEnvironment(sources, &problems)
        applyFlags(sources, &problems)
        checkTogether(&problems)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    }

    private mutating func apply(
        _ name: String,
        _ raw: RawValue,
        _ origin: Origin,
        _ problems: inout [ConfigurationProblem]
    ) {
        guard let key = ConfigurationKey.named(name) else {
            let nearest = NearestName.of(name, among: ConfigurationKey.all.map(\.name)) ?? ""
            problems.append(.init(origin: origin, sentence: "there is no key \(name); the nearest is \(nearest)"))
            return
        }
        do {
            try key.assign(raw, &settings)
            origins[name] = origin
        } catch {
            problems.append(.init(origin: origin, sentence: "\(name) must be \(error.expected)"))
        }
    }

    private mutating func applyFile(_ sources: Sources, _ problems: inout [ConfigurationProblem]) {
        guard let file = sources.file else { return }
        do {
            for entry in try ConfigurationFile.entries(of: file.text) {
                apply(entry.name, entry.value, .file(file.path, line: entry.line), &problems)
            }
        } catch {
            problems.append(.init(origin: .file(file.path, line: error.line), sentence: error.reason))
        }
    }

    private mutating func applyEnvironment(_ sources: Sources, _ problems: inout [ConfigurationProblem]) {
        let byVariable = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.variable, $0) })
        for (variable, value) in sources.environment.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix("POSTERN_") && !Self.isForeign(variable) {
            let origin = Origin.environment(variable)
            if let key = byVariable[variable] {
                apply(key.name, .word(value), origin, &problems)
            } else if variable.hasSuffix("_FILE"), let key = byVariable[String(variable.dropLast(5))] {
                applyFileVariable(key, path: value, sources, origin, &problems)
            } else {
                let nearest = NearestName.of(variable, among: byVariable.keys.sorted()) ?? ""
                problems.append(.init(origin: origin, sentence: "there is no such variable; the nearest is \(nearest)"))
            }
        }
    }

    /// Variables with our prefix that are not ours to read here: the ones below serve our scripts, and orchestrators put
    /// `…_SERVICE_HOST` and `…_PORT_…` into the environment of everything near a service of our name.
    private static func isForeign(_ variable: String) -> Bool {
        ["POSTERN_CONFIG", "POSTERN_TEST_DATA", "POSTERN_FUZZERS"].contains(variable)
            || variable == "POSTERN_PORT" || variable.hasPrefix("POSTERN_PORT_")
            || variable.hasPrefix("POSTERN_SERVICE_")
    }

    private mutating func applyFileVariable(
        _ key: ConfigurationKey,
        path: String,
        _ sources: Sources,
        _ origin: Origin,
        _ problems: inout [ConfigurationProblem]
    ) {
        guard sources.environment[key.variable] == nil else {
            problems.append(.init(origin: origin, sentence: "\(key.variable) is set too; one of the two must go"))
            return
        }
        guard var text = sources.readFile(path) else {
            problems.append(.init(origin: origin, sentence: "the file \(path) cannot be read"))
            return
        }
        // One line end at the end is the editor's, not the value's. CR LF is a single Character, but never a single scalar.
        if text.unicodeScalars.last == "\n" { text.unicodeScalars.removeLast() }
        if text.unicodeScalars.last == "\r" { text.unicodeScalars.removeLast() }
        apply(key.name, .word(text), origin, &problems)
    }

    private mutating func applyFlags(_ sources: Sources, _ problems: inout [ConfigurationProblem]) {
        for (name, value, flag) in sources.flags {
            if let key = ConfigurationKey.named(name), key.isSecret {
                problems.append(
                    .init(
                        origin: .flag(flag),
                        sentence: "\(name) is a secret and others see the command line; use \(key.variable)_FILE"
                    )
                )
            } else {
                apply(name, .word(value), .flag(flag), &problems)
            }
        }
    }

    private func checkTogether(_ problems: inout [ConfigurationProblem]) {
        func problem(_ name: String, _ sentence: String) {
            problems.append(.init(origin: origins[name] ?? .standard, sentence: sentence))
        }
        if settings.tls.certificate.isEmpty != settings.tls.key.isEmpty {
            problem(
                settings.tls.certificate.isEmpty ? "tls.key" : "tls.certificate",
                "tls.certificate and tls.key must be given together"
            )
        }
        if settings.testing.clockRate != 1, !settings.testing.enabled {
            problem("testing.clockRate", "testing.clockRate needs testing.enabled: true")
        }
        if settings.testing.groupCapacity != Settings.Testing().groupCapacity, !settings.testing.enabled {
            problem("testing.groupCapacity", "testing.groupCapacity needs testing.enabled: true")
        }
    }

    /// The keys whose values are others than in `other`.
    package func differences(from other: Self) -> [ConfigurationKey] {
        ConfigurationKey.all.filter { key in
            key.isSecret ? origin(of: key) != other.origin(of: key) : key.show(settings) != key.show(other.settings)
        }
    }

    /// The settings as a file that would give them, secrets redacted, each with its origin behind it.
    ///
    /// `explained`: with a line about each key above it.
    package func printed(explained: Bool = false) -> String {
        var lines: [String] = []
        var section = ""
        for key in ConfigurationKey.all {
            let parts = key.name.split(separator: ".", maxSplits: 1).map(String.init)
            if parts.count == 2, parts[0] != section {
                section = parts[0]
                lines.append("\(section):")
            }
            let indent = parts.count == 2 ? "  " : ""
            if explained { lines.append("\(indent)# \(key.summary)\(key.isReloadable ? " (SIGHUP)" : "")") }
            lines.append("\(indent)\(parts[parts.count - 1]): \(key.show(settings))  # \(origin(of: key))")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
