// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HTMLTrees

@Suite struct HTMLTextTests {
    private func text(_ html: String, limit: Int = 10_000, withLinks: Bool = false) -> String {
        String(decoding: HTMLText.plainText(of: Array(html.utf8), limit: limit, withLinks: withLinks), as: UTF8.self)
    }

    @Test(arguments: [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("<div>a</div><div>b <b>c</b>\n d</div>", "a\nb c d"),
        ("<ul><li>x<li>y</ul>z", "- x\n- y\n\nz"),
        ("<table><tr><td>1<td>2<tr><td>3</table>", "1 2\n3"),
        ("<style>p{}</style><script>alert('<p>')</script>seen<noscript>no</noscript>", "seen"),
        ("<head><title>t</title></head><body>b", "b"),
        ("a &amp; b &eacute;&#8364;&hellip;&nbsp;c", "a & b é€… c"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("x<img alt=\"a cat\" src=y>z", "xa catz"),
        ("a\u{200B}b\u{AD}c", "abc"),
        ("", ""),
        ("plain < text", "plain < text"),
    ]) func showsWhatAReaderSees(_ html: String, _ expected: String) { #expect(text(html) == expected) }

    @Test func linksAreWrittenWhereTheyDifferFromTheirText() {
        let html = "<a href='https://a.test/x'>here</a> <a href='https://b.test'>https://b.test</a> <a href='#y'>no</a>"
        #expect(text(html, withLinks: true) == "here <https://a.test/x> https://b.test no")
    }

    @Test(arguments: 0...12) func theLimitNeverCutsACharacter(_ limit: Int) {
        let cut = HTMLText.plainText(of: Array("aé€😀bc".utf8), limit: limit)
        #expect(cut.count <= limit)
        #expect(String(validating: cut, as: UTF8.self) != nil)
    }

    @Test func withoutATreeTheTextIsMuchTheSame() {
        for html in [
            "<p>One</p><p>Two<br>three &amp; &#8364;</p>", "<script>x</script>a<!-- <b> -->b", "<div>a</div>b",
        ] {
            var writer = HTMLTextWriter(limit: 1_000)
            HTMLTokens.write(Array(html.utf8).span, to: &writer)
            #expect(String(decoding: writer.finish(), as: UTF8.self) == text(html))
        }
    }

    /// Each would take a tree builder minutes, or all the stack.
    @Test(
        .timeLimit(.minutes(20)),
        arguments: [
            String(repeating: "<div>", count: 200_000) + "end",
            String(repeating: "<b><p>", count: 100_000) + "end",
            "<a " + (0..<100_000).map { "b\($0)=1 " }.joined() + ">end",
            (0..<50_000).map { "<body a\($0)=1>" }.joined() + "end",
            String(repeating: "<p><b a=1></p><font x=2>", count: 20_000) + "end",
            String(repeating: "</script ", count: 100_000) + "end",
            "<script>" + String(repeating: "</script a=\"", count: 50_000),
            String(repeating: "&#", count: 300_000) + "end",
            String(repeating: "<table><td>", count: 50_000) + "end",
            String(repeating: "<!--", count: 200_000) + "end",
        ]
    )
    func bombsAreReadInTime(_ html: String) {
        let clock = ContinuousClock()
        let taken = clock.measure { _ = text(html, limit: 1 << 20) }
        #expect(taken < .seconds(20))
    }
}
