// SPDX-License-Identifier: Apache-2.0

internal import CExpat

/// A small XML document of somebody else's: its elements in the order in which they begin.
///
/// There is no document type: a document that has one is refused where it begins, so that there are no entities but the five
/// that XML has itself, and nothing is ever fetched.
package struct XMLDocument: Sendable {
    package struct Limits: Sendable {
        /// Of the document.
        package var octets = 64 << 10
        package var elements = 2000
        /// Elements within each other.
        package var depth = 32

        package init() {}
    }

    package struct Element: Sendable, Hashable {
        /// As it is written, prefix included; UTF-8, as are all octets here.
        package let name: [UInt8]
        package let attributes: [[UInt8]: [UInt8]]
        /// The index of the element around it; nil for the outermost one.
        package let parent: Int?
        /// Its own text, without that of the elements in it.
        package fileprivate(set) var text: [UInt8] = []
    }

    package enum Problem: Error, Hashable, Sendable {
        case tooLarge
        case tooManyElements
        case tooDeep
        /// It has a document type.
        case documentType
        /// In the library's words.
        case malformed(String)
    }

    /// The outermost element comes first; there is at least one.
    package let elements: [Element]

    package init(_ octets: [UInt8], limits: Limits = Limits()) throws(Problem) {
        guard octets.count <= limits.octets, let count = Int32(exactly: octets.count) else { throw .tooLarge }
        guard let parser = XML_ParserCreate(nil) else { throw .malformed("out of memory") }
        defer { XML_ParserFree(parser) }
        let builder = Builder(parser, limits)
        builder.attach()
        let status = octets.withUnsafeBytes {
            XML_Parse(parser, $0.baseAddress?.assumingMemoryBound(to: CChar.self), count, 1)
        }
        if let problem = builder.problem { throw problem }
        guard status == XML_STATUS_OK, !builder.elements.isEmpty else {
            throw .malformed(XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) } ?? "not XML")
        }
        elements = builder.elements
    }

    /// The elements of this name directly in another, in order.
    package func children(of parent: Int, named name: StaticString) -> [Int] {
        let octets = name.withUTF8Buffer { Array($0) }
        return elements.indices.filter { elements[$0].parent == parent && elements[$0].name == octets }
    }

    /// The text of the first element of this name directly in another, without white space around it.
    package func text(of parent: Int, _ name: StaticString) -> [UInt8]? {
        children(of: parent, named: name).first.map { Self.trimmed(elements[$0].text) }
    }

    private static func trimmed(_ text: [UInt8]) -> [UInt8] {
        func isSpace(_ octet: UInt8) -> Bool { octet == 0x20 || octet == 0x09 || octet == 0x0A || octet == 0x0D }
        var slice = text.drop(while: isSpace)
        while let last = slice.last, isSpace(last) { slice.removeLast() }
        return Array(slice)
    }
}

/// What expat calls while it reads.
private final class Builder {
    private(set) var elements: [XMLDocument.Element] = []
    private(set) var problem: XMLDocument.Problem?
    private var open: [Int] = []
    private let parser: XML_Parser
    private let limits: XMLDocument.Limits

    init(_ parser: XML_Parser, _ limits: XMLDocument.Limits) {
        self.parser = parser
        self.limits = limits
    }

    /// The builder must live as long as the parser reads.
    func attach() {
        XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        XML_SetElementHandler(
            parser,
            { builder, name, attributes in Builder.of(builder)?.begin(name, attributes) },
            { builder, _ in Builder.of(builder)?.end() }
        )
        XML_SetCharacterDataHandler(parser) { builder, text, count in Builder.of(builder)?.add(text, Int(count)) }
        XML_SetStartDoctypeDeclHandler(parser) { builder, _, _, _, _ in Builder.of(builder)?.stop(.documentType) }
    }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> Builder? {
        pointer.map { Unmanaged<Builder>.fromOpaque($0).takeUnretainedValue() }
    }

    private func stop(_ problem: XMLDocument.Problem) {
        if self.problem == nil { self.problem = problem }
        XML_StopParser(parser, 0)
    }

    private func begin(
        _ name: UnsafePointer<CChar>?,
        _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) {
        guard problem == nil, let name else { return }
        guard elements.count < limits.elements else { return stop(.tooManyElements) }
        guard open.count < limits.depth else { return stop(.tooDeep) }
        var found: [[UInt8]: [UInt8]] = [:]
        var next = 0
        while let key = attributes?[next], let value = attributes?[next + 1] {
            found[Self.octets(key)] = Self.octets(value)
            next += 2
        }
        elements.append(XMLDocument.Element(name: Self.octets(name), attributes: found, parent: open.last))
        open.append(elements.count - 1)
    }

    private func end() { _ = open.popLast() }

    private func add(_ text: UnsafePointer<CChar>?, _ count: Int) {
        guard problem == nil, let text, let current = open.last else { return }
        elements[current].text += UnsafeRawBufferPointer(start: text, count: count)
    }

    private static func octets(_ text: UnsafePointer<CChar>) -> [UInt8] {
        var octets: [UInt8] = []
        var next = text
        while next.pointee != 0 {
            octets.append(UInt8(bitPattern: next.pointee))
            next += 1
        }
        return octets
    }
}
