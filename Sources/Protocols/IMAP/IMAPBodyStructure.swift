// SPDX-License-Identifier: Apache-2.0

import Wire

/// `body` of RFC 9051 §7.5.2: the parts of a message, each behind the one that holds it.
///
/// Names, types and encodings are in the case in which they came.
package struct IMAPBodyStructure: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case leaf
        case multipart
        /// A message within the message; its structure is the next part.
        case message
    }

    package struct Disposition: Hashable, Sendable {
        package let type: [UInt8]
        package let parameters: [IMAPParameter]

        package init(type: [UInt8], parameters: [IMAPParameter]) {
            self.type = type
            self.parameters = parameters
        }
    }

    package struct Part: Hashable, Sendable {
        package var kind: Kind
        /// By which FETCH names it; empty for a multipart that is the whole message.
        ///
        /// That of a multipart that is the body of a message within is that message's.
        package var section: [UInt32]
        /// The part that holds it, by its place; nil for the first.
        package var parent: Int?
        /// `TEXT`, `MULTIPART` and so on.
        package var type: [UInt8]
        package var subtype: [UInt8]
        package var parameters: [IMAPParameter] = []
        package var id: [UInt8]?
        package var description: [UInt8]?
        /// Empty for a multipart.
        package var encoding: [UInt8] = []
        /// As it is encoded; 0 for a multipart.
        package var octets: UInt64 = 0
        package var lines: UInt64?
        /// Of a message within.
        package var envelope: IMAPEnvelope?
        package var md5: [UInt8]?
        package var disposition: Disposition?
        package var languages: [[UInt8]] = []
        package var location: [UInt8]?

        package init(kind: Kind, section: [UInt32], parent: Int?, type: [UInt8], subtype: [UInt8]) {
            self.kind = kind
            self.section = section
            self.parent = parent
            self.type = type
            self.subtype = subtype
        }
    }

    /// At least one; the whole message first.
    package private(set) var parts: [Part] = []

    /// Of these parts, each behind the one that holds it.
    package init(parts: [Part]) { self.parts = parts }

    /// A body still to be read.
    private struct Unread {
        let node: Int
        /// Its own section, unless it is a multipart: then `container`.
        let section: [UInt32]
        let container: [UInt32]
        let parent: Int?
    }

    init?(_ tree: IMAPTree, at index: Int, _ limits: IMAPLimits, _ deviations: inout Set<IMAPDeviation>) {
        var unread = [Unread(node: index, section: [1], container: [], parent: nil)]
        while let body = unread.popLast() {
            guard parts.count < limits.parts, let fields = tree.children(of: body.node), let first = fields.first
            else { return nil }
            if tree.isList(first) {
                unread += multipart(tree, fields, body).reversed()
            } else if fields.count == 1 || tree.isList(fields[1]) {
                deviations.insert(.emptyMultipart)
                unread += multipart(tree, fields, body)
            } else {
                guard let inner = single(tree, fields, body, &deviations) else { return nil }
                unread += inner
            }
        }
    }

    /// ```.
    /// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    /// body-ext-mpart  = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc *(SP body-extension)]]]
    /// ```.
    private mutating func multipart(_ tree: IMAPTree, _ fields: [Int], _ body: Unread) -> [Unread] {
        let bodies = fields.prefix { tree.isList($0) }
        var part = Part.multipart(
            bodies.count < fields.count ? tree.text(fields[bodies.count]) ?? [] : [],
            body.container,
            body.parent
        )
        let rest = fields.dropFirst(bodies.count + 1)
        if let parameters = rest.first { part.parameters = tree.pairs(parameters) }
        part.read(tree, rest.dropFirst())
        let place = parts.count
        parts.append(part)
        return zip(UInt32(1)..., bodies).map { number, node in
            let section = body.container + [number]
            return Unread(node: node, section: section, container: section, parent: place)
        }
    }

    /// ```.
    /// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
    /// body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
    /// body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
    /// body-type-text  = media-text SP body-fields SP body-fld-lines
    /// body-ext-1part  = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc *(SP body-extension)]]]
    /// ```.
    /// The structure of a message within, still to be read; nil where this is no part.
    private mutating func single(
        _ tree: IMAPTree,
        _ fields: [Int],
        _ body: Unread,
        _ deviations: inout Set<IMAPDeviation>
    ) -> [Unread]? {
        guard fields.count >= 7, !tree.isList(fields[1]) else { return nil }
        var part = Part(
            kind: .leaf,
            section: body.section,
            parent: body.parent,
            type: tree.text(fields[0]) ?? [],
            subtype: tree.text(fields[1]) ?? []
        )
        part.parameters = tree.pairs(fields[2])
        part.id = tree.text(fields[3])
        part.description = tree.text(fields[4])
        part.encoding = tree.text(fields[5]) ?? []
        part.octets = tree.number(fields[6]) ?? 0
        var rest = fields.dropFirst(7)
        var inner: [Unread] = []
        if part.isMessageType {
            if rest.count >= 2, let envelope = IMAPEnvelope(tree, at: rest[rest.startIndex]),
                tree.isList(rest[rest.startIndex + 1])
            {
                part.kind = .message
                part.envelope = envelope
                inner = [
                    Unread(
                        node: rest[rest.startIndex + 1],
                        section: part.section + [1],
                        container: part.section,
                        parent: parts.count
                    )
                ]
                rest = rest.dropFirst(2)
            } else {
                deviations.insert(.messageWithoutEnvelope)
            }
        }
        if ASCII.equalsIgnoringCase(part.type, "TEXT") || part.kind == .message, let lines = rest.first,
            !tree.isList(lines)
        {
            part.lines = tree.number(lines)
            rest = rest.dropFirst()
        }
        part.md5 = rest.first.flatMap { tree.text($0) }
        part.read(tree, rest.dropFirst())
        parts.append(part)
        return inner
    }

    /// The part of this section that is no multipart; `[1]` is the text of a message that is none.
    package func part(_ section: [UInt32]) -> Part? {
        parts.first { $0.section == section && $0.kind != .multipart }
    }
}

extension IMAPBodyStructure.Part {
    fileprivate static func multipart(_ subtype: [UInt8], _ section: [UInt32], _ parent: Int?) -> Self {
        Self(kind: .multipart, section: section, parent: parent, type: Array("MULTIPART".utf8), subtype: subtype)
    }

    fileprivate var isMessageType: Bool {
        ASCII.equalsIgnoringCase(type, "MESSAGE")
            && (ASCII.equalsIgnoringCase(subtype, "RFC822") || ASCII.equalsIgnoringCase(subtype, "GLOBAL"))
    }

    /// `body-fld-dsp [SP body-fld-lang [SP body-fld-loc *(SP body-extension)]]`.
    fileprivate mutating func read(_ tree: IMAPTree, _ fields: ArraySlice<Int>) {
        var fields = fields
        if let node = fields.popFirst(), let children = tree.children(of: node), let type = children.first {
            disposition = IMAPBodyStructure.Disposition(
                type: tree.text(type) ?? [],
                parameters: children.count > 1 ? tree.pairs(children[1]) : []
            )
        }
        if let node = fields.popFirst() { languages = tree.texts(node) }
        if let node = fields.popFirst() { location = tree.text(node) }
    }
}
