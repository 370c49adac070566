// SPDX-License-Identifier: Apache-2.0

import Wire

/// Finds the handler of a method and a path.
///
/// Templates such as `/v1/accounts/{account}` are kept as a tree of segments:
/// a literal is preferred to a parameter, a parameter takes one segment that is not empty, and nothing is normalised,
/// so that `.`, `..` and a slash at the end match only themselves.
public struct Router<Handler: Sendable>: Sendable {
    // The search is in a type that is not generic: code for any handler at all, run through metadata, cost a microsecond.
    public private(set) var tree = RouteTree()
    public private(set) var handlers: [Handler] = []

    public init() {}

    public enum Match: Sendable {
        /// `template` is the text the route was added with.
        case found(Handler, template: StaticString, PathParameters)
        /// OPTIONS of a path that exists: answer 204 with this `Allow`.
        case options(allow: [UInt8])
        /// The path exists, not with this method: 405 with this `Allow`.
        case methodNotAllowed(allow: [UInt8])
        case notFound
    }

    /// Adds a route.
    ///
    /// A second one for the same method and path is our bug.
    public mutating func add(_ method: HTTPMethod, _ template: StaticString, _ handler: Handler) {
        tree.add(method, template, handlers.count)
        handlers.append(handler)
    }

    /// `path` is the decoded path of the request target, which the request parser has checked.
    @inlinable public func match(_ method: HTTPMethod, _ path: ArraySlice<UInt8>) -> Match {
        switch tree.match(method, path) {
        case .found(let number, let template, let parameters):
            .found(handlers[number], template: template, parameters)
        case .options(let allow): .options(allow: allow)
        case .methodNotAllowed(let allow): .methodNotAllowed(allow: allow)
        case .notFound: .notFound
        }
    }
}

/// The templates of a ``Router``; its routes are numbers.
public struct RouteTree: Sendable {
    private struct Route: Sendable {
        var method: HTTPMethod
        var number: Int
        var template: StaticString
        var names: [[UInt8]]
    }

    private struct Node: Sendable {
        var literals: [(segment: [UInt8], node: Int)] = []
        var parameter: Int?
        var routes: [Route] = []
        var allow: [UInt8] = []
    }

    public enum Match {
        case found(Int, template: StaticString, PathParameters)
        case options(allow: [UInt8])
        case methodNotAllowed(allow: [UInt8])
        case notFound
    }

    private var nodes: [Node] = [Node()]

    init() {}

    mutating func add(_ method: HTTPMethod, _ template: StaticString, _ number: Int) {
        var names: [[UInt8]] = []
        var node = 0
        for segment in Self.segments(of: template) {
            if segment.first == ASCII.openBrace {
                precondition(segment.last == ASCII.closeBrace && segment.count > 2)
                names.append(Array(segment.dropFirst().dropLast()))
                node = parameter(below: node)
            } else {
                node = literal(Array(segment), below: node)
            }
        }
        precondition(names.count <= PathParameters.maximum)
        precondition(!nodes[node].routes.contains { $0.method == method }, "two routes for one path")
        nodes[node].routes.append(Route(method: method, number: number, template: template, names: names))
        nodes[node].allow = Self.allow(nodes[node].routes.map(\.method))
    }

    private static func segments(of template: StaticString) -> [ArraySlice<UInt8>] {
        let octets = template.withUTF8Buffer { [UInt8]($0) }
        precondition(octets.first == ASCII.slash)
        return octets.dropFirst().split(separator: ASCII.slash, omittingEmptySubsequences: false)
    }

    private mutating func literal(_ segment: [UInt8], below node: Int) -> Int {
        if let known = nodes[node].literals.first(where: { $0.segment == segment }) { return known.node }
        nodes.append(Node())
        nodes[node].literals.append((segment, nodes.count - 1))
        return nodes.count - 1
    }

    private mutating func parameter(below node: Int) -> Int {
        if let known = nodes[node].parameter { return known }
        nodes.append(Node())
        nodes[node].parameter = nodes.count - 1
        return nodes.count - 1
    }

    private static func allow(_ methods: [HTTPMethod]) -> [UInt8] {
        let served = HTTPMethod.allCases.filter { method in
            methods.contains(method) || method == .options || method == .head && methods.contains(.get)
        }
        return Array(served.map { "\($0.name)" }.joined(separator: ", ").utf8)
    }

    public func match(_ method: HTTPMethod, _ path: ArraySlice<UInt8>) -> Match {
        var parameters = PathParameters(octets: path)
        guard let node = find(path, &parameters) else { return .notFound }
        guard let route = route(method, at: node) ?? (method == .head ? route(.get, at: node) : nil) else {
            let allow = nodes[node].allow
            return method == .options ? .options(allow: allow) : .methodNotAllowed(allow: allow)
        }
        parameters.names = nodes[node].routes[route].names
        return .found(nodes[node].routes[route].number, template: nodes[node].routes[route].template, parameters)
    }

    private func route(_ method: HTTPMethod, at node: Int) -> Int? {
        for index in nodes[node].routes.indices where nodes[node].routes[index].method == method { return index }
        return nil
    }

    /// A place to come back to: a parameter that was passed over for a literal.
    private struct Branch {
        var node: Int
        var segment: Range<Int>
        var parameters: Int
    }

    private func find(_ path: ArraySlice<UInt8>, _ parameters: inout PathParameters) -> Int? {
        guard path.first == ASCII.slash else { return nil }
        let octets = path.span
        var branches: [Branch] = []
        var node = 0
        var end = 0
        /// Takes the parameter that was passed over last; false where there is none.
        func turnBack() -> Bool {
            guard let branch = branches.popLast() else { return false }
            parameters.truncate(to: branch.parameters)
            parameters.append(branch.segment)
            node = branch.node
            end = branch.segment.upperBound
            return true
        }
        while true {
            let start = end + 1
            end = octets.firstIndex(of: ASCII.slash, from: start) ?? octets.count
            let parameter = end > start ? nodes[node].parameter : nil
            if let literal = literal(octets.extracting(start..<end), in: node) {
                if let parameter {
                    branches.append(Branch(node: parameter, segment: start..<end, parameters: parameters.count))
                }
                node = literal
            } else if let parameter {
                parameters.append(start..<end)
                node = parameter
            } else if !turnBack() {
                return nil
            }
            while end == octets.count {
                if !nodes[node].routes.isEmpty { return node }
                if !turnBack() { return nil }
            }
        }
    }

    private func literal(_ segment: Span<UInt8>, in node: Int) -> Int? {
        for literal in nodes[node].literals where literal.segment.span.equals(segment) { return literal.node }
        return nil
    }
}

/// The segments that stood where a template has `{name}`, percent-decoded.
public struct PathParameters: Sendable {
    /// A template has at most so many.
    public static let maximum = 6

    private let octets: ArraySlice<UInt8>
    private var starts = InlineArray<6, UInt32>(repeating: 0)
    private var ends = InlineArray<6, UInt32>(repeating: 0)
    private(set) public var count = 0
    var names: [[UInt8]] = []

    init(octets: ArraySlice<UInt8>) { self.octets = octets }

    mutating func append(_ segment: Range<Int>) {
        guard count < Self.maximum else { return }
        starts[count] = UInt32(segment.lowerBound)
        ends[count] = UInt32(segment.upperBound)
        count += 1
    }

    mutating func truncate(to count: Int) { self.count = count }

    /// The segment in place of `{name}`: not empty, any octets but NUL and `/`.
    ///
    /// A name the template lacks is our bug.
    public subscript(_ name: StaticString) -> ArraySlice<UInt8> {
        guard let index = names.firstIndex(where: { $0.span.equals(name) }), index < count else {
            preconditionFailure("no path parameter \(name)")
        }
        let start = octets.startIndex
        return octets[start + Int(starts[index])..<start + Int(ends[index])]
    }

    /// The segment as text, or nil where it is not UTF-8.
    public func string(_ name: StaticString) -> String? { self[name].span.utf8String() }
}
