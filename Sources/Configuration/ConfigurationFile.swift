// SPDX-License-Identifier: Apache-2.0

internal import Yams

/// The YAML file, flattened to dotted names; each with the line it stands on.
enum ConfigurationFile {
    struct Entry {
        let name: String
        let value: RawValue
        let line: Int?
    }

    /// The file is no YAML, or no mapping.
    struct Unreadable: Error {
        let line: Int?
        let reason: String
    }

    static func entries(of text: String) throws(Unreadable) -> [Entry] {
        guard let root = try compose(text) else { return [] }
        guard case .mapping(let mapping) = root else {
            throw Unreadable(line: root.mark?.line, reason: "the file must be a mapping of keys to values")
        }
        var entries: [Entry] = []
        for (key, value) in mapping {
            guard let section = key.string else { continue }
            if case .mapping(let inner) = value {
                entries += inner.map {
                    Entry(name: "\(section).\($0.key.string ?? "")", value: raw($0.value), line: $0.key.mark?.line)
                }
            } else {
                entries.append(Entry(name: section, value: raw(value), line: key.mark?.line))
            }
        }
        return entries
    }

    private static func compose(_ text: String) throws(Unreadable) -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw Unreadable(line: nil, reason: "\(error)")
        } catch {
            throw Unreadable(line: nil, reason: "it cannot be read as YAML")
        }
    }

    private static func raw(_ node: Node) -> RawValue {
        switch node {
        case .scalar(let scalar):
            if scalar.style == .plain || scalar.style == .any {
                return ["", "~", "null"].contains(scalar.string) ? .null : .word(scalar.string)
            }
            return .quoted(scalar.string)
        case .sequence(let sequence):
            let items = sequence.map { $0.scalar?.string }
            return items.contains(nil) ? .mapping : .list(items.compactMap { $0 })
        case .mapping, .alias: return .mapping
        }
    }
}
