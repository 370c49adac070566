// SPDX-License-Identifier: Apache-2.0

import Charsets
import Foundation
import JSON
import MIME
import Wire

/// Reads a message on standard input and prints what was found as JSON, for comparison with other readers: subject, senders,
/// date, and each leaf with its content in base64: text as UTF-8, with `--raw` in its own character set.
@main enum MIMECheck {
    static func main() throws {
        let octets = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
        let message = MIMEParser.parse(octets)
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("subject")
        writer.string(message.envelope.subject)
        writer.key("from")
        writer.beginArray()
        for address in message.envelope.from { writer.string(address.address) }
        writer.endArray()
        writer.key("epoch")
        if let date = message.envelope.date { writer.number(date.seconds) } else { writer.null() }
        writer.key("parts")
        writer.beginArray()
        for part in message.parts where part.isLeaf { write(part, message.body(of: part, in: octets), to: &writer) }
        writer.endArray()
        writer.key("defects")
        writer.beginArray()
        for defect in message.defects { writer.string("\(defect.code.rawValue) \(defect.part ?? "")") }
        writer.endArray()
        writer.endObject()
        FileHandle.standardOutput.write(Data(writer.finish().array()))
    }

    static func write(_ part: MIMEPart, _ body: [UInt8], to writer: inout JSONWriter) {
        var content = BodyDecoder.decode(body.span, part.transferEncoding)
        let size = content.count
        if part.contentType.isText, !CommandLine.arguments.contains("--raw") {
            var decoder = TextDecoder(part.transferEncoding, charset: part.charset)
            var text = ByteBuffer()
            decoder.decode(body.span, into: &text)
            decoder.finish(into: &text)
            content = text.array()
        }
        writer.beginObject()
        writer.key("part")
        writer.string(part.path)
        writer.key("type")
        writer.string(part.contentType.essence)
        writer.key("filename")
        writer.string(part.filename)
        writer.key("sizeAgrees")
        writer.bool(size == part.decodedSize)
        writer.key("b64")
        writer.string(Base64.encode(content))
        writer.endObject()
    }
}
