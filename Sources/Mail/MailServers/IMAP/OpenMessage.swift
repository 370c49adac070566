// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import MIME
import MailTypes
import Runtime
import Storage
import Wire

/// One message with where its parts are, for reading: the trace that delivery made stands in front of its octets.
struct OpenMessage: Sendable {
    /// Octets of a header that are looked at.
    private static let headerOctets: Int64 = 1 << 20

    let trace: [UInt8]
    let layout: MIMELayout
    let body: BodyReader
    let content: ContentID
    let thread: ThreadID
    let contentKey: ContentKey
    let isQuarantined: Bool
    /// Where reading waits for the disk.
    let pool: BlockingPool

    /// Nil where the octets are not here.
    init?(_ message: borrowing MailboxMessage, _ snapshot: Snapshot, files: BodyFiles, pool: BlockingPool) throws {
        guard let body = message.body else { return nil }
        self.pool = pool
        trace = message.trace.array()
        layout = MIMELayout(encoded: message.layout) ?? MIMELayout(parts: [])
        content = try message.content
        thread = try message.thread
        contentKey = message.contentKey
        isQuarantined = message.isQuarantined
        self.body = try snapshot.openBody(body, files: files)
    }

    var size: Int64 { Int64(trace.count) + body.size }

    /// A run of octets: some that are in memory, then some of a body.
    struct Slice {
        var front: [UInt8] = []
        /// The encoded message that the range counts in; nil for the message itself.
        var container: MIMELayout.Part?
        var range: Range<Int64> = 0..<0

        var count: Int64 { Int64(front.count) + Int64(range.count) }

        /// What is left of it from `origin` on, at most `length` octets.
        func part(from origin: UInt64, length: UInt64) -> Self {
            let start = Int64(clamping: min(origin, UInt64(count)))
            let end = start + Int64(clamping: min(length, UInt64(count - start)))
            var part = self
            let before = Int64(front.count)
            part.front = Array(front[Int(min(start, before))..<Int(min(end, before))])
            part.range =
                range.lowerBound + max(0, start - before)..<range.lowerBound + max(max(0, start - before), end - before)
            return part
        }
    }

    // MARK: Sections

    /// Where a section lies (RFC 9051 §6.4.5.1); nil where the message has no such part.
    func slice(of section: IMAPSection) async throws -> Slice? {
        guard !section.part.isEmpty else { return try await messageSlice(section.text) }
        guard let part = part(section.part) else { return nil }
        let container = layout.containers(of: part).last
        switch section.text {
        case .all: return Slice(container: container, range: part.bodyRange)
        case .mime: return Slice(container: container, range: part.headerRange)
        case .header, .text, .headerFields, .headerFieldsNot:
            // Of what is no message there is none of this, which other servers tell as nothing and not as NIL.
            guard let inner = inner(of: part) else { return Slice() }
            let around = layout.containers(of: inner).last
            switch section.text {
            case .text: return Slice(container: around, range: inner.bodyRange)
            case .header: return Slice(container: around, range: inner.headerRange)
            case .headerFields(let names):
                return Slice(front: RawHeader(try await header(of: inner)).selected(names, isNot: false))
            case .headerFieldsNot(let names):
                return Slice(front: RawHeader(try await header(of: inner)).selected(names, isNot: true))
            case .all, .mime: return nil
            }
        }
    }

    private func messageSlice(_ text: IMAPSection.Text) async throws -> Slice {
        let header = try await headerRange()
        switch text {
        case .all, .mime: return Slice(front: trace, range: 0..<body.size)
        case .header: return Slice(front: trace, range: 0..<header.upperBound)
        case .text: return Slice(range: header.upperBound..<body.size)
        case .headerFields(let names):
            return Slice(front: RawHeader(try await wholeHeader()).selected(names, isNot: false))
        case .headerFieldsNot(let names):
            return Slice(front: RawHeader(try await wholeHeader()).selected(names, isNot: true))
        }
    }

    /// The part that a command's numbers name.
    func part(_ numbers: [UInt32]) -> MIMELayout.Part? {
        layout.part(numbers.map { "\($0)" }.joined(separator: "."))
    }

    /// The message inside a part that is one.
    func inner(of part: MIMELayout.Part) -> MIMELayout.Part? {
        guard part.contentType == "message/rfc822" || part.contentType == "message/global" else { return nil }
        return layout.part(part.path + ".0") ?? layout.part(part.path + ".1")
    }

    // MARK: Headers

    /// The message's header with the empty line behind it, without the trace.
    private func headerRange() async throws -> Range<Int64> {
        if let first = layout.parts.first { return first.headerRange }
        // A message that was not looked into: up to the first empty line.
        let octets = try await read(0..<min(body.size, Self.headerOctets), in: nil)
        var lineStart = 0
        for index in octets.indices where octets[index] == ASCII.lf {
            if index == lineStart || index == lineStart + 1 && octets[lineStart] == ASCII.cr {
                return 0..<Int64(index + 1)
            }
            lineStart = index + 1
        }
        return 0..<Int64(octets.count)
    }

    /// The trace and the header of the message.
    func wholeHeader() async throws -> [UInt8] {
        let range = try await headerRange()
        return trace + (try await read(range.clamped(to: 0..<Self.headerOctets), in: nil))
    }

    /// The header of a part with the empty line behind it.
    func header(of part: MIMELayout.Part) async throws -> [UInt8] {
        let range = part.headerRange
        let end = min(range.upperBound, range.lowerBound + Self.headerOctets)
        return try await read(range.lowerBound..<end, in: layout.containers(of: part).last)
    }

    // MARK: Octets

    /// All octets of a range, in the encoded message that it counts in; to be asked for what is small.
    func read(_ range: Range<Int64>, in container: MIMELayout.Part?) async throws -> [UInt8] {
        var octets = ByteBuffer()
        if let container {
            var stream = PartStream(
                content: container,
                within: layout.containers(of: container),
                of: body,
                range: range,
                pool: pool
            )
            while try await stream.read(into: &octets) > 0 {}
        } else {
            _ = try await body.read(range, into: &octets, on: pool)
        }
        return octets.array()
    }
}
