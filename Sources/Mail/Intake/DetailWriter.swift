// SPDX-License-Identifier: Apache-2.0

import JSON
import MIME
import Wire

/// The JSON members that a single message shows besides its summary: header, attachments, structure and defects.
enum DetailWriter {
    static func members(_ message: MIMEMessage, roles: [MIMELayout.Role], defects: [MIMEDefect]) -> [UInt8] {
        var writer = JSONWriter(capacity: 2048)
        writer.key("headers")
        writer.beginArray()
        for index in 0..<message.header.count {
            writer.beginObject()
            writer.key("name")
            writer.string(HeaderText.literal(message.header.name(index)))
            writer.key("value")
            writer.string(message.header.text(index))
            writer.endObject()
        }
        writer.endArray()
        writer.key("attachments")
        writer.beginArray()
        for (part, role) in zip(message.parts, roles) where role == .attachment { writeAttachment(part, to: &writer) }
        writer.endArray()
        writer.key("structure")
        writeStructure(message.parts, to: &writer)
        writer.key("defects")
        writer.beginArray()
        for defect in defects {
            writer.beginObject()
            writer.key("code")
            writer.string(defect.code.rawValue)
            writer.key("part")
            writer.string(defect.part)
            writer.endObject()
        }
        writer.endArray()
        return writer.finish().array()
    }

    private static func writeAttachment(_ part: MIMEPart, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("part")
        writer.string(part.path)
        writer.key("filename")
        writer.string(part.filename)
        writer.key("safeFilename")
        writer.string(part.safeFilename)
        writer.key("contentType")
        writer.string(part.contentType.essence)
        writer.key("disposition")
        writer.string(part.disposition?.kind)
        writer.key("contentId")
        writer.string(part.contentID)
        writer.key("size")
        writer.number(part.decodedSize)
        writer.endObject()
    }

    /// The tree, without recursion: a part on the way, and which child comes next.
    private static func writeStructure(_ parts: [MIMEPart], to writer: inout JSONWriter) {
        guard !parts.isEmpty else { return writer.null() }
        var steps = [(part: 0, next: 0)]
        begin(parts[0], to: &writer)
        while let step = steps.last {
            let children = parts[step.part].children
            if step.next < children.count {
                steps[steps.count - 1].next += 1
                begin(parts[children[step.next]], to: &writer)
                steps.append((part: children[step.next], next: 0))
            } else {
                writer.endArray()
                writer.endObject()
                steps.removeLast()
            }
        }
    }

    private static func begin(_ part: MIMEPart, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("part")
        writer.string(part.path)
        writer.key("contentType")
        writer.string(part.contentType.essence)
        writer.key("charset")
        writer.string(part.contentType.isText ? part.contentType.parameter("charset") : nil)
        writer.key("encoding")
        writer.string("\(part.transferEncoding.name)")
        writer.key("disposition")
        writer.string(part.disposition?.kind)
        writer.key("filename")
        writer.string(part.filename)
        writer.key("contentId")
        writer.string(part.contentID)
        writer.key("size")
        writer.number(part.decodedSize)
        writer.key("lines")
        if part.contentType.isText || part.contentType.isMessage { writer.number(part.lines) } else { writer.null() }
        writer.key("parts")
        writer.beginArray()
    }
}
