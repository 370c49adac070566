// SPDX-License-Identifier: Apache-2.0

public import Wire

/// Which octets of a representation a request asks for (RFC 9110 §14).
public enum ByteRange: Hashable, Sendable {
    /// 200 with everything: no range, several ranges, another unit, or a range that `If-Range` does not allow.
    case whole
    /// 206 with these octets: never empty.
    case part(Range<UInt64>)
    /// 416.
    case unsatisfiable

    /// Reads `Range` and `If-Range` of a GET request.
    ///
    /// - Parameters:
    ///   - length: octets of the whole.
    ///   - tag: the present state's.
    ///   - modified: when it last changed, where that is known.
    public init(_ fields: HTTPFields, length: UInt64, tag: EntityTag?, modified: Timestamp? = nil) {
        let values = fields.all("Range")
        self = .whole
        guard values.count == 1, let value = values.first, Self.isCurrent(fields.all("If-Range"), tag, modified) else {
            return
        }
        self = Self(value.span, length: length)
    }

    /// A range of another state than the client's would be a patchwork.
    private static func isCurrent(_ conditions: [ArraySlice<UInt8>], _ tag: EntityTag?, _ modified: Timestamp?) -> Bool
    {
        guard let condition = conditions.first else { return true }
        guard conditions.count == 1 else { return false }
        var index = 0
        if let wanted = EntityTag(condition.span, at: &index) {
            return index == condition.count && tag.map { wanted.equalsStrongly($0) } ?? false
        }
        guard let date = Timestamp(httpDate: condition.span), let modified else { return false }
        return date.seconds == modified.seconds
    }

    /// Reads one range.
    ///
    ///     ranges-specifier = "bytes" "=" ( first-pos "-" [ last-pos ] / "-" suffix-length )        ; RFC 9110 §14.1.1
    init(_ text: Span<UInt8>, length: UInt64) {
        self = .whole
        guard text.count > 6, ASCII.equalsIgnoringCase(text.extracting(0..<6), "bytes=") else { return }
        let set = text.extracting(6..<text.count).trimmingBlanks()
        guard set.firstIndex(of: ASCII.comma) == nil, let hyphen = set.firstIndex(of: ASCII.hyphen) else { return }
        let first = StrictInteger.decimal(set.extracting(0..<hyphen))
        let last = StrictInteger.decimal(set.extracting(hyphen + 1..<set.count))
        if let first, hyphen + 1 == set.count {
            self = first < length ? .part(first..<length) : .unsatisfiable
        } else if let first, let last, first <= last {
            self = first < length ? .part(first..<min(last, length - 1) + 1) : .unsatisfiable
        } else if hyphen == 0, let suffix = last {
            self = suffix > 0 && length > 0 ? .part(length - min(suffix, length)..<length) : .unsatisfiable
        }
    }

    /// `Content-Range` of a 206 (or of a 416, where `part` is nil).
    public static func contentRange(_ part: Range<UInt64>?, length: UInt64) -> [UInt8] {
        var text = ByteBuffer()
        text.append("bytes ")
        if let part {
            text.append(decimal: part.lowerBound)
            text.append(ASCII.hyphen)
            text.append(decimal: part.upperBound - 1)
        } else {
            text.append(ASCII.asterisk)
        }
        text.append(ASCII.slash)
        text.append(decimal: length)
        return text.array()
    }
}
