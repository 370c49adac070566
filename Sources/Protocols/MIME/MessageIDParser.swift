// SPDX-License-Identifier: Apache-2.0

import Wire

/// Reads Message-ID, In-Reply-To and References (RFC 5322 §3.6.4): what stands in angle brackets.
///
/// Where there are none, the words with an at sign.
///
/// ```
/// message-id = "Message-ID:" msg-id CRLF
/// references = "References:" 1*msg-id CRLF
/// msg-id     = [CFWS] "<" id-left "@" id-right ">" [CFWS]
/// ```
package enum MessageIDParser {
    /// Longer ones are cut off the list: no one answers to them.
    package static let longest = 998

    /// The ids with their brackets, blanks inside left out.
    package static func parse(_ raw: ArraySlice<UInt8>, limit: Int = MIMELimits.standard.references) -> [String] {
        let text = HeaderText.unfolded(raw)
        var ids: [String] = []
        var start: Int?
        for (index, byte) in text.enumerated() where ids.count < limit {
            switch byte {
            case ASCII.less: start = index + 1
            case ASCII.greater:
                if let first = start { append(text[first..<index], to: &ids) }
                start = nil
            default: break
            }
        }
        if ids.isEmpty {
            for word in text.split(whereSeparator: {
                ASCII.isWhitespace($0) || $0 == ASCII.comma || $0 == ASCII.less || $0 == ASCII.greater
            })
            where ids.count < limit && word.contains(ASCII.at) {
                append(word, to: &ids)
            }
        }
        return ids
    }

    private static func append(_ id: ArraySlice<UInt8>, to ids: inout [String]) {
        let id = id.filter { !ASCII.isWhitespace($0) }
        guard !id.isEmpty, id.count <= longest else { return }
        ids.append("<" + HeaderText.literal(id) + ">")
    }
}
