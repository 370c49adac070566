// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import MIME

/// A message described by what was read of its octets is read as these were.
@Suite struct PartDescriptionTests {
    @Test(arguments: [
        "Subject: plain\r\n\r\nhello\r\n",
        "Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>caf=E9</p>\r\n",
        """
        Subject: two\r
        Content-Type: multipart/mixed; boundary="a b"\r
        \r
        --a b\r
        Content-Type: multipart/alternative; boundary=c\r
        \r
        --c\r
        \r
        text\r
        --c\r
        Content-Type: text/html\r
        \r
        <b>html</b>\r
        --c--\r
        --a b\r
        Content-Type: application/pdf; name="=?utf-8?q?caf=C3=A9.pdf?="\r
        Content-Disposition: attachment; filename*=utf-8''caf%C3%A9%22.pdf\r
        Content-Transfer-Encoding: base64\r
        \r
        SGVsbG8=\r
        --a b\r
        Content-Type: message/rfc822\r
        \r
        Subject: inner\r
        Content-Type: multipart/related; boundary=d\r
        \r
        --d\r
        Content-Type: text/html\r
        \r
        <img src="cid:x@y">\r
        --d\r
        Content-Type: image/png\r
        Content-ID: <x@y>\r
        Content-Disposition: inline\r
        \r
        png\r
        --d--\r
        --a b--\r

        """,
    ])
    func partsAreAsWhenTheyAreRead(_ text: String) throws {
        let octets = Array(text.utf8)
        let whole = MIMEParser.parse(octets.span)
        let end = Int(whole.parts[0].headerRange.upperBound)
        let described = MIMEMessage(
            header: Array(octets[..<end]).span,
            described: whole.parts.map(Self.described),
            size: Int64(octets.count)
        )
        #expect(described.parts.map(\.path) == whole.parts.map(\.path))
        #expect(described.parts.map(\.contentType.essence) == whole.parts.map(\.contentType.essence))
        #expect(described.parts.map(\.filename) == whole.parts.map(\.filename))
        #expect(described.parts.map(\.contentID) == whole.parts.map(\.contentID))
        #expect(described.parts.map(\.transferEncoding) == whole.parts.map(\.transferEncoding))
        #expect(described.parts.map(\.charset) == whole.parts.map(\.charset))
        #expect(described.parts.map(\.children) == whole.parts.map(\.children))
        #expect(described.roles() == whole.roles())
        #expect(described.hasAttachments == whole.hasAttachments)
        #expect(described.envelope.subject == whole.envelope.subject)
    }

    private static func described(_ part: MIMEPart) -> PartDescription {
        let type = part.contentType
        let kind: PartDescription.Kind = type.isMultipart ? .multipart : type.isMessage ? .message : .leaf
        var described = PartDescription(
            kind,
            in: part.parent,
            type: Array(type.type.uppercased().utf8),
            subtype: Array(type.subtype.uppercased().utf8)
        )
        described.parameters = type.parameters.map(parameter)
        described.disposition = part.disposition.map { Array($0.kind.uppercased().utf8) }
        described.dispositionParameters = part.disposition?.parameters.map(parameter) ?? []
        described.contentID = part.contentID.map { Array("<\($0)>".utf8) }
        described.encoding = Array("\(part.transferEncoding.name)".uppercased().utf8)
        described.octets = part.bodyRange.upperBound - part.bodyRange.lowerBound
        described.lines = part.lines
        return described
    }

    private static func parameter(_ parameter: MIMEParameter) -> PartDescription.Parameter {
        PartDescription.Parameter(name: Array(parameter.name.utf8), value: Array(parameter.value.utf8))
    }

    @Test func whatStandsInNoPartIsLeftOut() {
        var parts = [PartDescription(.multipart, in: nil, type: Array("MULTIPART".utf8), subtype: Array("MIXED".utf8))]
        parts.append(PartDescription(.leaf, in: 7, type: Array("TEXT".utf8), subtype: Array("PLAIN".utf8)))
        parts.append(PartDescription(.leaf, in: 1, type: Array("TEXT".utf8), subtype: Array("PLAIN".utf8)))
        parts.append(PartDescription(.leaf, in: 0, type: Array("TEXT".utf8), subtype: Array("PLAIN\r\nX: y".utf8)))
        let message = MIMEMessage(header: Array("\r\n".utf8).span, described: parts, size: 0)
        #expect(message.parts.map(\.path) == ["0", "1"])
        #expect(message.header.isEmpty)
    }

    @Test func theSizeOfBase64IsGuessed() {
        var part = PartDescription(.leaf, in: nil, type: Array("image".utf8), subtype: Array("png".utf8))
        part.encoding = Array("BASE64".utf8)
        part.octets = 78 * 3 + 4
        let message = MIMEMessage(header: Array("\r\n".utf8).span, described: [part], size: 500)
        #expect(message.parts[0].decodedSize == 57 * 3 + 3)
    }
}
