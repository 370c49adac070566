// SPDX-License-Identifier: Apache-2.0

import Wire

/// Where in a text a string stands that is to be streamed: names, and `*` for every element of an array.
///
/// `["attachments", "*", "content"]` is the content of each attachment.
public struct JSONPath: Sendable {
    public let steps: [StaticString]
    public init(_ steps: StaticString...) { self.steps = steps }
}

/// A piece of a streamed string, decoded.
public struct JSONStreamedPiece: Hashable, Sendable {
    /// The number that stands in the tree, ``JSONValue/streamed(_:)``.
    public let index: Int
    public let octets: [UInt8]
    public let isLast: Bool
}

/// Builds a ``JSONValue`` from chunks, and hands out long strings at chosen places in pieces, so that they are never held whole.
public struct JSONDocumentParser: ~Copyable {
    private var parser: JSONParser
    private var builder: JSONTreeBuilder

    public init(limits: JSONLimits = JSONLimits(), streaming paths: [JSONPath] = []) {
        parser = JSONParser(limits: limits)
        builder = JSONTreeBuilder(paths: paths)
    }

    public mutating func consume(_ chunk: Span<UInt8>) throws(JSONError) { try parser.consume(chunk, &builder) }

    /// The pieces that the chunks until now held, in order; they are then forgotten.
    ///
    /// Take them after each chunk.
    public mutating func takePieces() -> [JSONStreamedPiece] {
        let pieces = builder.pieces
        builder.pieces = []
        return pieces
    }

    /// The text is over: its value.
    public mutating func finish() throws(JSONError) -> JSONValue {
        try parser.finish(&builder)
        return builder.root
    }
}

/// Collects events into a tree.
struct JSONTreeBuilder: JSONHandler {
    let paths: [JSONPath]
    var pieces: [JSONStreamedPiece] = []
    private(set) var root = JSONValue.null
    /// For each open container whether it is an object, and the name last read in it (empty in arrays).
    private var open: [(isObject: Bool, name: [UInt8])] = []
    /// What the open arrays and the open objects hold: apart, so that appending never copies.
    private var arrays: [[JSONValue]] = []
    private var objects: [[JSONObject.Member]] = []
    private var streams = 0

    init(paths: [JSONPath]) { self.paths = paths }

    mutating func beginObject() {
        open.append((true, []))
        objects.append([])
    }

    mutating func beginArray() {
        open.append((false, []))
        arrays.append([])
    }

    mutating func endObject() {
        open.removeLast()
        add(.object(JSONObject(objects.removeLast())))
    }

    mutating func endArray() {
        open.removeLast()
        add(.array(arrays.removeLast()))
    }

    mutating func key(_ name: Span<UInt8>) { open[open.count - 1].name = name.array() }
    mutating func string(_ text: Span<UInt8>) { add(.string(text.array())) }
    mutating func number(_ text: Span<UInt8>) { add(JSONValue(number: text)) }
    mutating func bool(_ value: Bool) { add(.bool(value)) }
    mutating func null() { add(.null) }

    func streamsString() -> Bool { paths.contains { matches($0) } }

    mutating func piece(_ text: Span<UInt8>, isLast: Bool) {
        if isLast || !text.isEmpty {
            pieces.append(JSONStreamedPiece(index: streams, octets: text.array(), isLast: isLast))
        }
        guard isLast else { return }
        add(.streamed(streams))
        streams += 1
    }

    private func matches(_ path: JSONPath) -> Bool {
        guard path.steps.count == open.count else { return false }
        for level in open.indices {
            let step = path.steps[level]
            let (isObject, name) = open[level]
            guard isObject ? name.span.equals(step) : Self.isStar(step) else { return false }
        }
        return true
    }

    private static func isStar(_ step: StaticString) -> Bool {
        step.utf8CodeUnitCount == 1 && step.withUTF8Buffer { $0[0] == ASCII.asterisk }
    }

    private mutating func add(_ value: JSONValue) {
        guard let innermost = open.last else {
            root = value
            return
        }
        if innermost.isObject {
            objects[objects.count - 1].append(JSONObject.Member(name: innermost.name, value: value))
        } else {
            arrays[arrays.count - 1].append(value)
        }
    }
}
