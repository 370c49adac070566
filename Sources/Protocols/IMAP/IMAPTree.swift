// SPDX-License-Identifier: Apache-2.0

import Wire

/// A value of nested lists, read without recursion: nodes in the order in which they were written, each list knowing where it
/// ends.
struct IMAPTree {
    enum Node {
        /// `NIL`.
        case null
        case atom([UInt8])
        case string([UInt8])
        /// The index behind the last node within it.
        case list(end: Int)
    }

    private(set) var nodes: [Node] = []

    /// One value.
    init(_ cursor: inout IMAPCursor, _ limits: IMAPLimits) throws(IMAPSyntaxError) {
        var open: [Int] = []
        repeat {
            guard nodes.count < limits.values else { throw .tooMany }
            switch cursor.next {
            case ASCII.openParenthesis:
                guard open.count < limits.depth else { throw .tooDeep }
                cursor.index += 1
                open.append(nodes.count)
                nodes.append(.list(end: 0))
                cursor.skipSpaces()
                continue
            case ASCII.closeParenthesis:
                guard let list = open.popLast() else { throw cursor.surprise }
                cursor.index += 1
                nodes[list] = .list(end: nodes.count)
            default: nodes.append(try Self.leaf(&cursor))
            }
            if !open.isEmpty { try Self.separator(&cursor) }
        } while !open.isEmpty
    }

    private static func leaf(_ cursor: inout IMAPCursor) throws(IMAPSyntaxError) -> Node {
        if let string = try cursor.stringIfAny() { return .string(string) }
        if cursor.take(word: "NIL") { return .null }
        return .atom(try cursor.atom())
    }

    /// Between `)` and `(` there need be no space, as in the parts of a BODYSTRUCTURE.
    private static func separator(_ cursor: inout IMAPCursor) throws(IMAPSyntaxError) {
        switch cursor.next {
        case ASCII.space: try cursor.separator(ASCII.closeParenthesis)
        case ASCII.openParenthesis, ASCII.closeParenthesis, ASCII.quote: break
        default: throw cursor.surprise
        }
    }

    /// The node behind this one and all within it.
    func after(_ index: Int) -> Int {
        if case .list(let end) = nodes[index] { return end }
        return index + 1
    }

    /// The nodes directly within the list at `index`; nil where it is no list.
    func children(of index: Int) -> [Int]? {
        guard case .list(let end) = nodes[index] else { return nil }
        var found: [Int] = []
        var child = index + 1
        while child < end {
            found.append(child)
            child = after(child)
        }
        return found
    }

    func isList(_ index: Int) -> Bool {
        if case .list = nodes[index] { return true }
        return false
    }

    func isNull(_ index: Int) -> Bool {
        if case .null = nodes[index] { return true }
        return false
    }

    /// A string or an atom.
    func text(_ index: Int) -> [UInt8]? {
        switch nodes[index] {
        case .string(let text), .atom(let text): text
        case .null, .list: nil
        }
    }

    func number(_ index: Int) -> UInt64? {
        guard let text = text(index) else { return nil }
        return StrictInteger.decimal(text, maximum: UInt64(Int64.max))
    }

    /// The strings of a list, or the one string that stands for it; empty for NIL.
    func texts(_ index: Int) -> [[UInt8]] {
        guard let children = children(of: index) else { return text(index).map { [$0] } ?? [] }
        return children.compactMap { text($0) }
    }

    /// `"(" string SP string *(SP string SP string) ")" / nil`, as parameters of a body and of ID are written.
    func pairs(_ index: Int) -> [IMAPParameter] {
        guard let children = children(of: index) else { return [] }
        return stride(from: 0, to: children.count - 1, by: 2).compactMap { place in
            guard let name = text(children[place]) else { return nil }
            return IMAPParameter(name: name, value: text(children[place + 1]))
        }
    }
}

/// A name with its value: of a MIME field, of ID.
package struct IMAPParameter: Hashable, Sendable {
    package let name: [UInt8]
    /// Nil for NIL.
    package let value: [UInt8]?

    package init(name: [UInt8], value: [UInt8]?) {
        self.name = name
        self.value = value
    }
}
