// SPDX-License-Identifier: Apache-2.0

internal import MailTypes
internal import Wire

/// The messages of an mbox file (RFC 4155 and its older relatives), one at a time.
///
/// A message begins with a `From ` line at the start of the file or behind an empty line; the line must hold a time of day,
/// so that a sentence that begins with "From" is none. `>From ` loses one `>` (the "mboxrd" rule).
struct MboxReader {
    /// The next octets of the file at an offset; fewer than asked only at its end.
    typealias Source = (_ offset: Int64, _ count: Int) throws -> [UInt8]

    /// The file does not begin with a `From ` line.
    struct NotMbox: Error {}

    private let read: Source
    private let limit: Int
    private var window: [UInt8] = []
    /// The offset in the file of the window's first octet, and where in the window we are.
    private var windowOffset: Int64 = 0
    private var position = 0
    private var atEnd = false
    /// The `From ` line that the last message ended at.
    private var pending: (offset: Int64, octets: [UInt8])?
    private var started = false

    /// Messages above `limit` octets come as unreadable; nothing longer is held in memory.
    init(limit: Int, read: @escaping Source) {
        self.limit = limit
        self.read = read
    }

    mutating func next() throws -> ImportItem? {
        if !started { try start() }
        guard let (offset, separator) = pending else { return nil }
        pending = nil
        var octets: [UInt8] = []
        var size = 0
        var previousWasEmpty = false
        while let line = try nextLine() {
            if previousWasEmpty, Self.isSeparator(line.octets) {
                pending = line
                break
            }
            previousWasEmpty = Self.isEmpty(line.octets)
            let kept = Self.isQuoted(line.octets) ? line.octets.dropFirst() : line.octets[...]
            size += kept.count
            if size <= limit { octets += kept } else { octets = [] }
        }
        if size > limit {
            return .unreadable(.init(key: "\(offset)", reason: "\(size) octets are more than the limit of \(limit)"))
        }
        if previousWasEmpty { Self.removeLastLine(&octets) }
        return .message(
            .init(
                key: "\(offset)",
                folder: "",
                flags: MboxStatus.flags(of: octets),
                internalDate: MboxStatus.date(ofSeparator: separator),
                octets: octets
            )
        )
    }

    private mutating func start() throws {
        started = true
        while let line = try nextLine() {
            if Self.isEmpty(line.octets) { continue }
            guard line.octets.starts(with: Self.from) else { throw NotMbox() }
            pending = line
            return
        }
    }

    private static let from = Array("From ".utf8)

    /// The next line with its end; a piece of it when it is longer than any message.
    private mutating func nextLine() throws -> (offset: Int64, octets: [UInt8])? {
        var scanned = position
        while true {
            if let end = window[scanned...].firstIndex(of: ASCII.lf) { return take(through: end) }
            scanned = window.count
            if atEnd { return position < window.count ? take(through: window.count - 1) : nil }
            if window.count - position > limit { return take(through: window.count - 1) }
            scanned -= position
            try fill()
        }
    }

    private mutating func take(through end: Int) -> (offset: Int64, octets: [UInt8]) {
        defer { position = end + 1 }
        return (windowOffset + Int64(position), Array(window[position...end]))
    }

    private mutating func fill() throws {
        window.removeFirst(position)
        windowOffset += Int64(position)
        position = 0
        let piece = try read(windowOffset + Int64(window.count), 1 << 18)
        if piece.isEmpty { atEnd = true }
        window += piece
    }

    private static func isEmpty(_ line: [UInt8]) -> Bool { line == [ASCII.lf] || line == [ASCII.cr, ASCII.lf] }

    /// `From ` and somewhere `12:34`.
    static func isSeparator(_ line: [UInt8]) -> Bool {
        guard line.starts(with: from), line.count >= 10 else { return false }
        return line.indices.dropFirst(5).contains { index in
            line[index] == ASCII.colon && index + 2 < line.count && ASCII.isDigit(line[index - 1])
                && ASCII.isDigit(line[index + 1]) && ASCII.isDigit(line[index + 2])
        }
    }

    /// `>From `, `>>From ` and so on.
    private static func isQuoted(_ line: [UInt8]) -> Bool {
        line.first == ASCII.greater && line.drop { $0 == ASCII.greater }.starts(with: from)
    }

    private static func removeLastLine(_ octets: inout [UInt8]) {
        if octets.last == ASCII.lf { octets.removeLast() }
        if octets.last == ASCII.cr { octets.removeLast() }
    }
}

/// What an mbox says about a message besides its octets.
enum MboxStatus {
    /// Of `Status: RO` and `X-Status: AFTD`, which mail readers keep in the header.
    static func flags(of octets: [UInt8]) -> [String] {
        var letters: Set<UInt8> = []
        for line in octets.split(separator: ASCII.lf, omittingEmptySubsequences: false) {
            if line.isEmpty || line.elementsEqual([ASCII.cr]) { break }
            guard let colon = line.firstIndex(of: ASCII.colon) else { continue }
            let name = line[..<colon]
            if ASCII.equalsIgnoringCase(name, "Status") || ASCII.equalsIgnoringCase(name, "X-Status") {
                letters.formUnion(line[colon...].dropFirst())
            }
        }
        let meanings: [(UInt8, String)] = [
            (0x52, "seen"), (0x41, "answered"), (0x46, "flagged"), (0x54, "draft"), (0x44, "deleted"),
        ]
        return meanings.filter { letters.contains($0.0) }.map(\.1)
    }

    /// Of `From ann@example.org Thu Apr  2 09:30:00 2026`, taken as UTC; a zone in front of the year is skipped.
    static func date(ofSeparator line: [UInt8]) -> Timestamp? {
        let words = line.split { ASCII.isWhitespace($0) }.map(Array.init)
        guard
            let month = words.firstIndex(where: { word in
                Timestamp.monthNames.contains { ASCII.equalsIgnoringCase(word, $0) }
            }), month + 3 < words.count,
            let number = Timestamp.monthNames.firstIndex(where: { ASCII.equalsIgnoringCase(words[month], $0) }),
            let day = StrictInteger.decimal(words[month + 1], maximum: 31),
            let year = words[(month + 3)...].lazy.compactMap({ StrictInteger.decimal($0, maximum: 9999) }).first
        else { return nil }
        let time = words[month + 2].split(separator: ASCII.colon).map { StrictInteger.decimal($0, maximum: 60) }
        guard (2...3).contains(time.count), let hour = time[0], let minute = time[1] else { return nil }
        let second = time.count == 3 ? time[2] ?? 0 : 0
        return Timestamp(
            .init(
                year: Int(year),
                month: number + 1,
                day: Int(day),
                hour: Int(hour),
                minute: Int(minute),
                second: Int(second)
            )
        )
    }
}
