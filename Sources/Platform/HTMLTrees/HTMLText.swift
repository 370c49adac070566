// SPDX-License-Identifier: Apache-2.0

internal import CGumbo

/// HTML as plain text: what a reader would see, with a line for each block and a blank line between paragraphs.
///
/// Scripts, styles and the head are left out. For previews, the search index and plain views; never as HTML again.
package enum HTMLText {
    /// HTML beyond this is not looked at.
    package static let longestHTML = 2 << 20
    /// Memory for one tree; a document that needs more is read without a tree.
    private static let treeBudget = 32 << 20

    /// The text of UTF-8 HTML, at most `limit` octets, cut between characters.
    ///
    /// - Parameter withLinks: writes the target of a link behind its text, where they differ.
    package static func plainText(of html: Span<UInt8>, limit: Int, withLinks: Bool = false) -> [UInt8] {
        let html = html.extracting(0..<min(html.count, longestHTML))
        var writer = HTMLTextWriter(limit: limit)
        if !HTMLTokens.isBomb(html), writeTree(of: html, withLinks: withLinks, to: &writer) { return writer.finish() }
        // What would cost a tree builder too much is read tag by tag.
        writer = HTMLTextWriter(limit: limit)
        HTMLTokens.write(html, to: &writer)
        return writer.finish()
    }

    package static func plainText(of html: [UInt8], limit: Int, withLinks: Bool = false) -> [UInt8] {
        plainText(of: html.span, limit: limit, withLinks: withLinks)
    }

    private static func writeTree(of html: Span<UInt8>, withLinks: Bool, to writer: inout HTMLTextWriter) -> Bool {
        html.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return true }
            guard let document = cgumbo_parse(base.assumingMemoryBound(to: CChar.self), bytes.count, treeBudget) else {
                return false
            }
            defer { cgumbo_free(document) }
            guard let root = cgumbo_root(document) else { return true }
            walk(root, withLinks: withLinks, to: &writer)
            return true
        }
    }

    /// An element on the way down, and which child comes next.
    private struct Step {
        let node: UnsafePointer<GumboNode>
        let kind: HTMLTextWriter.Kind
        var next: UInt32 = 0
    }

    private static func walk(_ root: UnsafePointer<GumboNode>, withLinks: Bool, to writer: inout HTMLTextWriter) {
        var steps = [Step(node: root, kind: .inline)]
        while let step = steps.last, !writer.isFull {
            guard step.next < cgumbo_child_count(step.node), let child = cgumbo_child(step.node, step.next) else {
                if withLinks { writeLink(of: step.node, to: &writer) }
                writer.end(step.kind)
                steps.removeLast()
                continue
            }
            steps[steps.count - 1].next += 1
            if let text = cgumbo_text(child) {
                writer.text(octets(of: text))
            } else if cgumbo_tag(child) != GUMBO_TAG_LAST {
                let kind = kind(of: cgumbo_tag(child))
                if kind == .hidden { continue }
                writer.begin(kind)
                if kind == .image, let alternative = cgumbo_attribute(child, "alt") {
                    writer.text(octets(of: alternative))
                }
                steps.append(Step(node: child, kind: kind))
            }
        }
    }

    private static func octets(of text: UnsafePointer<CChar>) -> [UInt8] {
        var octets: [UInt8] = []
        var next = text
        while next.pointee != 0 {
            octets.append(UInt8(bitPattern: next.pointee))
            next += 1
        }
        return octets
    }

    private static func writeLink(of node: UnsafePointer<GumboNode>, to writer: inout HTMLTextWriter) {
        guard cgumbo_tag(node) == GUMBO_TAG_A, let target = cgumbo_attribute(node, "href") else { return }
        let link = octets(of: target)
        guard link.starts(with: Array("http".utf8)), !writer.endsWith(link) else { return }
        writer.text(Array(" <".utf8) + link + Array(">".utf8))
    }

    private static func kind(of tag: GumboTag) -> HTMLTextWriter.Kind {
        switch tag {
        case GUMBO_TAG_SCRIPT, GUMBO_TAG_STYLE, GUMBO_TAG_HEAD, GUMBO_TAG_TEMPLATE, GUMBO_TAG_NOSCRIPT, GUMBO_TAG_TITLE,
            GUMBO_TAG_IFRAME, GUMBO_TAG_OBJECT, GUMBO_TAG_SVG, GUMBO_TAG_NOFRAMES, GUMBO_TAG_NOEMBED:
            .hidden
        case GUMBO_TAG_P, GUMBO_TAG_H1, GUMBO_TAG_H2, GUMBO_TAG_H3, GUMBO_TAG_H4, GUMBO_TAG_H5, GUMBO_TAG_H6,
            GUMBO_TAG_UL,
            GUMBO_TAG_OL, GUMBO_TAG_DL, GUMBO_TAG_BLOCKQUOTE, GUMBO_TAG_TABLE, GUMBO_TAG_FIGURE:
            .paragraph
        case GUMBO_TAG_PRE, GUMBO_TAG_TEXTAREA, GUMBO_TAG_LISTING, GUMBO_TAG_XMP, GUMBO_TAG_PLAINTEXT: .preformatted
        case GUMBO_TAG_DIV, GUMBO_TAG_TR, GUMBO_TAG_ADDRESS, GUMBO_TAG_ARTICLE, GUMBO_TAG_ASIDE, GUMBO_TAG_SECTION,
            GUMBO_TAG_HEADER, GUMBO_TAG_FOOTER, GUMBO_TAG_MAIN, GUMBO_TAG_NAV, GUMBO_TAG_DT, GUMBO_TAG_DD,
            GUMBO_TAG_FORM,
            GUMBO_TAG_FIELDSET, GUMBO_TAG_CENTER, GUMBO_TAG_CAPTION, GUMBO_TAG_BODY, GUMBO_TAG_OPTION,
            GUMBO_TAG_DETAILS,
            GUMBO_TAG_SUMMARY, GUMBO_TAG_FIGCAPTION, GUMBO_TAG_DIR, GUMBO_TAG_MENU:
            .block
        case GUMBO_TAG_BR: .lineBreak
        case GUMBO_TAG_HR: .rule
        case GUMBO_TAG_LI: .item
        case GUMBO_TAG_TD, GUMBO_TAG_TH: .cell
        case GUMBO_TAG_IMG: .image
        default: .inline
        }
    }
}
