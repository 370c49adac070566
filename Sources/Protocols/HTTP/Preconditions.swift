// SPDX-License-Identifier: Apache-2.0

public import Wire

/// The conditions a request sets on the state of what it asks for (RFC 9110 §13).
public struct Preconditions: Sendable {
    private enum Tags: Sendable {
        case any
        case listed([EntityTag])
    }

    public enum Outcome: Hashable, Sendable {
        case proceed
        /// Answer 304 (GET and HEAD).
        case notModified
        /// Answer 412.
        case failed
    }

    private let match: Tags?
    private let noneMatch: Tags?
    private let modifiedSince: Timestamp?
    private let unmodifiedSince: Timestamp?

    /// 400 `invalid_precondition` where an entity-tag list cannot be read; dates that cannot be read are ignored, as
    /// RFC 9110 §13.1.3 demands.
    public init(_ fields: HTTPFields) throws(HTTPProblem) {
        match = try Self.tags(fields.all("If-Match"))
        noneMatch = try Self.tags(fields.all("If-None-Match"))
        modifiedSince = try fields.single("If-Modified-Since").flatMap { Timestamp(httpDate: $0.span) }
        unmodifiedSince = try fields.single("If-Unmodified-Since").flatMap { Timestamp(httpDate: $0.span) }
    }

    public var isEmpty: Bool {
        match == nil && noneMatch == nil && modifiedSince == nil && unmodifiedSince == nil
    }

    /// Whether the request asks that the state be one it knows (`If-Match` with tags or `*`).
    public var hasMatch: Bool { match != nil }

    /// Reads `If-Match`.
    ///
    ///     If-Match = "*" / [ entity-tag *( OWS "," OWS entity-tag ) ]        ; RFC 9110 §13.1.1
    private static func tags(_ values: [ArraySlice<UInt8>]) throws(HTTPProblem) -> Tags? {
        guard let first = values.first else { return nil }
        if values.count == 1, first.span.equals("*") { return .any }
        var tags: [EntityTag] = []
        for value in values { try append(value.span, to: &tags) }
        return .listed(tags)
    }

    private static func append(_ text: Span<UInt8>, to tags: inout [EntityTag]) throws(HTTPProblem) {
        var index = 0
        while true {
            while index < text.count, ASCII.isBlank(text[index]) || text[index] == ASCII.comma { index += 1 }
            guard index < text.count else { return }
            guard tags.count < 100, let tag = EntityTag(text, at: &index) else { throw invalid }
            tags.append(tag)
            while index < text.count, ASCII.isBlank(text[index]) { index += 1 }
            guard index == text.count || text[index] == ASCII.comma else { throw invalid }
        }
    }

    private static let invalid = HTTPProblem(
        .badRequest,
        "invalid_precondition",
        "If-Match and If-None-Match are lists of entity-tags, or a star."
    )

    /// Judges the conditions in the order of RFC 9110 §13.2.2.
    ///
    /// - Parameters:
    ///   - tag: the present state's; nil where there is no such resource now.
    ///   - modified: when it last changed, where that is known.
    public func evaluate(_ method: HTTPMethod, tag: EntityTag?, modified: Timestamp? = nil) -> Outcome {
        if let match {
            guard Self.holds(match, tag, { $0.equalsStrongly($1) }) else { return .failed }
        } else if let unmodifiedSince, let modified, modified.seconds > unmodifiedSince.seconds {
            return .failed
        }
        let isRead = method == .get || method == .head
        if let noneMatch {
            if Self.holds(noneMatch, tag, { $0.equalsWeakly($1) }) { return isRead ? .notModified : .failed }
        } else if isRead, let modifiedSince, let modified, modified.seconds <= modifiedSince.seconds {
            return .notModified
        }
        return .proceed
    }

    private static func holds(_ tags: Tags, _ tag: EntityTag?, _ areEqual: (EntityTag, EntityTag) -> Bool) -> Bool {
        guard let tag else { return false }
        switch tags {
        case .any: return true
        case .listed(let listed): return listed.contains { areEqual($0, tag) }
        }
    }
}
