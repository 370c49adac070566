// SPDX-License-Identifier: Apache-2.0

/// A file name that can be used as one: no path, no control, no character that changes the direction of writing or
/// cannot be seen, no name of a device, no leading or trailing dot or blank, at most 255 octets of UTF-8.
///
/// Never empty.
package enum SafeFilename {
    package static let maximumOctets = 255

    package static func make(from name: String?, contentType: ContentType, part: String) -> String {
        let clean = name.map(clean) ?? ""
        return clean.isEmpty ? "part-\(part)\(suffix(for: contentType))" : clean
    }

    /// The name made safe; empty where nothing of it is left.
    package static func clean(_ name: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in name.unicodeScalars.suffix(4096) {
            switch scalar {
            case "/", "\\": scalars.removeAll()
            case ":", "*", "?", "\"", "<", ">", "|": scalars.append("_")
            default: if isVisible(scalar) { scalars.append(scalar) }
            }
        }
        let trimmed = trim(scalars)
        return cut(isDevice(trimmed) ? "_" + String(trimmed) : String(trimmed))
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: scalar != "\u{FFFD}"
        }
    }

    private static func trim(_ scalars: String.UnicodeScalarView) -> Substring.UnicodeScalarView {
        func isTrimmed(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar.properties.isWhitespace }
        var rest = scalars[...]
        while let first = rest.first, isTrimmed(first) { rest.removeFirst() }
        while let last = rest.last, isTrimmed(last) { rest.removeLast() }
        return rest
    }

    /// Names that some system takes for a device, whatever stands behind the dot.
    private static func isDevice(_ name: Substring.UnicodeScalarView) -> Bool {
        let stem = name.prefix { $0 != "." }.filter { $0 != " " }
        guard stem.count >= 3, stem.count <= 7 else { return false }
        var word = ""
        for scalar in stem {
            word.unicodeScalars.append(scalar.properties.lowercaseMapping.unicodeScalars.first ?? scalar)
        }
        if ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"].contains(word) { return true }
        guard word.count == 4, word.hasPrefix("com") || word.hasPrefix("lpt"), let last = word.unicodeScalars.last
        else {
            return false
        }
        return "0123456789¹²³".unicodeScalars.contains(last)
    }

    /// At most ``maximumOctets``, the extension kept where it is a short one.
    private static func cut(_ name: String) -> String {
        guard name.utf8.count > maximumOctets else { return name }
        let dot = name.unicodeScalars.lastIndex(of: ".") ?? name.endIndex
        let suffix = name[dot...]
        let kept = suffix.utf8.count <= 20 ? suffix : ""
        var stem = String.UnicodeScalarView()
        var room = maximumOctets - kept.utf8.count
        for scalar in name[..<dot].unicodeScalars {
            room -= UTF8.width(scalar)
            if room < 0 { break }
            stem.append(scalar)
        }
        return String(stem) + kept
    }

    private static func suffix(for type: ContentType) -> String {
        switch type.essence {
        case "text/plain": ".txt"
        case "text/html": ".html"
        case "text/calendar": ".ics"
        case "text/csv": ".csv"
        case "message/rfc822", "message/global": ".eml"
        case "image/png": ".png"
        case "image/jpeg": ".jpg"
        case "image/gif": ".gif"
        case "image/webp": ".webp"
        case "image/svg+xml": ".svg"
        case "application/pdf": ".pdf"
        case "application/zip": ".zip"
        case "application/json": ".json"
        case "application/pgp-signature": ".asc"
        case "application/pkcs7-signature": ".p7s"
        default: ".bin"
        }
    }
}
