// SPDX-License-Identifier: Apache-2.0

extension MIMEMessage {
    /// Where the parts lie, with what each is for.
    ///
    /// Which parts are the message's text and its HTML is decided as JMAP does (RFC 8621 §4.1.4), where everything that
    /// is neither is an attachment: nothing is hidden.
    package func layout() -> MIMELayout {
        let roles = roles()
        return MIMELayout(
            parts: zip(parts, roles).map { part, role in
                MIMELayout.Part(
                    path: part.path,
                    container: part.container,
                    contentType: part.contentType.essence,
                    headerRange: part.headerRange,
                    bodyRange: part.bodyRange,
                    transferEncoding: part.transferEncoding,
                    charset: part.charset,
                    decodedSize: part.decodedSize,
                    role: role,
                    filename: part.filename,
                    contentID: part.contentID,
                    isInline: part.disposition?.isInline ?? false
                )
            }
        )
    }

    /// What each part is for, in the order of ``parts``.
    package func roles() -> [MIMELayout.Role] {
        var roles = [MIMELayout.Role](repeating: .none, count: parts.count)
        var hasHTML = false
        // Parts come behind the part around them, so that one pass with marks is enough.
        var isHidden = [Bool](repeating: false, count: parts.count)
        for (index, part) in parts.enumerated() {
            if let parent = part.parent, isHidden[parent] || isWholeMessage(parent) {
                isHidden[index] = true
                continue
            }
            if !part.isLeaf, !isWholeMessage(index) { continue }
            roles[index] = role(of: part, index: index, hasHTML: &hasHTML)
        }
        return roles
    }

    private func isWholeMessage(_ index: Int) -> Bool { !parts[index].isLeaf && parts[index].contentType.isMessage }

    private func role(of part: MIMEPart, index: Int, hasHTML: inout Bool) -> MIMELayout.Role {
        guard mayBeBody(part, index: index) else { return .attachment }
        switch part.contentType.essence {
        case "text/html":
            guard !hasHTML else { return .attachment }
            hasHTML = true
            return .html
        case "text/plain": return .text
        default: return part.contentType.isMultipart ? .text : .attachment
        }
    }

    /// Text, shown in place, and not a companion of something in a multipart/related.
    private func mayBeBody(_ part: MIMEPart, index: Int) -> Bool {
        guard part.contentType.isText || part.contentType.isMultipart else { return false }
        if let disposition = part.disposition, !disposition.isInline { return false }
        guard let parent = part.parent else { return true }
        let isFirst = parts[parent].children.first == index
        if !isFirst, part.filename != nil { return false }
        switch parts[parent].contentType.subtype {
        case "related", "signed", "encrypted", "report": return isFirst
        default: return true
        }
    }

    /// Whether there is something a reader would call an attachment: not the pictures of an HTML text, not a signature.
    package var hasAttachments: Bool {
        zip(parts, roles()).contains { part, role in role == .attachment && !isCompanion(part) }
    }

    private func isCompanion(_ part: MIMEPart) -> Bool {
        if part.disposition.map({ !$0.isInline }) == true, part.contentID == nil { return isSignature(part) }
        if isSignature(part) { return true }
        guard let parent = part.parent else { return false }
        if parts[parent].contentType.subtype == "alternative" { return part.contentType.isText }
        return part.contentID != nil && parts[parent].contentType.subtype == "related"
    }

    private func isSignature(_ part: MIMEPart) -> Bool {
        ["application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"]
            .contains(part.contentType.essence)
    }
}
