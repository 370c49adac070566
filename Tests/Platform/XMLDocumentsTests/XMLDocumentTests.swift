// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import XMLDocuments

@Suite struct XMLDocumentTests {
    private func problem(_ text: String, _ limits: XMLDocument.Limits = .init()) -> XMLDocument.Problem? {
        do throws(XMLDocument.Problem) {
            _ = try XMLDocument(Array(text.utf8), limits: limits)
            return nil
        } catch {
            return error
        }
    }

    @Test func elementsComeInTheOrderInWhichTheyBegin() throws {
        let text = "<?xml version=\"1.0\"?><a><b x='1' y='&lt;'> one <c/>two</b><b>&#233;<![CDATA[<]]></b></a>"
        let document = try XMLDocument(Array(text.utf8))
        #expect(document.elements.map { String(decoding: $0.name, as: UTF8.self) } == ["a", "b", "c", "b"])
        #expect(document.elements.map(\.parent) == [nil, 0, 1, 0])
        #expect(
            document.elements[1].attributes == [Array("x".utf8): Array("1".utf8), Array("y".utf8): Array("<".utf8)]
        )
        #expect(document.children(of: 0, named: "b") == [1, 3])
        #expect(document.text(of: 0, "b") == Array("one two".utf8))
        #expect(document.elements[3].text == Array("é<".utf8))
    }

    @Test func otherEncodingsAreRead() throws {
        let latin = Array("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>".utf8) + [0xE9] + Array("</a>".utf8)
        #expect(try XMLDocument(latin).elements[0].text == Array("é".utf8))
    }

    @Test(arguments: [
        // Doubled thirty times over, this would be a thousand million octets.
        """
        <!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]><a>&d;</a>
        """,
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"http://127.0.0.1/\">]><a>&x;</a>",
        "<!DOCTYPE a><a/>",
    ])
    func aDocumentTypeIsTheEnd(_ text: String) { #expect(problem(text) == .documentType) }

    @Test(arguments: [
        "", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "<a b=1/>", "<a>\u{1}</a>", "{}",
        "<?xml version=\"1.0\" encoding=\"x-none\"?><a/>",
    ])
    func whatIsNotXMLIsRefused(_ text: String) throws {
        guard case .malformed = try #require(problem(text)) else {
            Issue.record("\(text): \(String(describing: problem(text)))")
            return
        }
    }

    @Test func thereAreLimits() {
        var limits = XMLDocument.Limits()
        limits.octets = 400
        limits.elements = 10
        limits.depth = 4
        #expect(problem("<a>\(String(repeating: "x", count: 390))</a>", limits) == nil)
        #expect(problem("<a>\(String(repeating: "x", count: 400))</a>", limits) == .tooLarge)
        #expect(problem("<a>\(String(repeating: "<b/>", count: 9))</a>", limits) == nil)
        #expect(problem("<a>\(String(repeating: "<b/>", count: 10))</a>", limits) == .tooManyElements)
        #expect(problem("<a><a><a><a></a></a></a></a>", limits) == nil)
        #expect(problem("<a><a><a><a><a></a></a></a></a></a>", limits) == .tooDeep)
    }
}
