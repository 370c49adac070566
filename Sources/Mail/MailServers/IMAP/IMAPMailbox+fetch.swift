// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import Intake
import JSON
import Logging
import MIME
import MailTypes
import Storage
import Wire

// FETCH (RFC 9051 §6.4.5 and the extensions).
extension IMAPMailbox {
    /// Octets of a section that are read at a time.
    private static let pieceOctets = 64 << 10
    /// Octets that may be made ready for one message's line, and that are kept at a time.
    private static let preparedOctets = 4 << 20
    private static let madeOctets = 1 << 20

    func fetch(
        _ request: IMAPFetchRequest,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        guard let mailbox = selected else { return .done }
        var uids = try uids(of: request.messages)
        if let partial = request.partial { uids = Self.part(uids, partial) }
        if let since = request.changedSince, request.wantsVanished {
            try await tellVanished(request.messages, since, responses)
        }
        let asked = Asked(request, session)
        made = []
        var missing = false
        var next = 0
        while next < uids.count {
            let some = Array(uids[next..<min(next + Self.batch, uids.count)])
            next += some.count
            let (rows, isWhole) = try await rows(
                of: some,
                in: mailbox.folder,
                changedSince: request.changedSince,
                setsSeen: asked.setsSeen && !mailbox.isReadOnly
            )
            if !isWhole { missing = true }
            for row in rows {
                try await tell(row, asked, session, responses)
                if made.reduce(0, { $0 + $1.octets }) > Self.madeOctets { await keepMade() }
                try await responses.relieve()
            }
            await keepMade()
            await Task.yield()
        }
        try await tellNews(session, responses, expunged: request.messages.isUID)
        return missing && !request.messages.isUID ? IMAPStatus(.ok, .expungeIssued, "Some are gone") : .done
    }

    /// From one place to another, counted from the first or, negative, from the last (RFC 9394).
    static func part(_ uids: [UInt32], _ range: ClosedRange<Int32>) -> [UInt32] {
        let (low, high) = (Int(range.lowerBound), Int(range.upperBound))
        if low > 0 {
            guard low <= uids.count else { return [] }
            return Array(uids[(low - 1)..<min(high, uids.count)])
        }
        let start = max(0, uids.count + low)
        let end = uids.count + high + 1
        return start < end ? Array(uids[start..<end]) : []
    }

    private func tellVanished(
        _ messages: IMAPMessages,
        _ since: UInt64,
        _ responses: IMAPServerResponses
    ) async throws {
        guard let folder = selected?.folder, case .uids(let set) = messages else { return }
        let wanted = SortedNumbers(set)
        let gone = try await store.read { try $0.messages.expunged(from: folder, since: since) }.filter {
            wanted.contains($0)
        }
        if !gone.isEmpty { responses.write(.vanished(IMAPNumberSet(gone), isEarlier: true)) }
    }

    // MARK: Reading

    /// What is asked of each message.
    private struct Asked {
        var items: [IMAPFetchRequest.Item]
        var needsMessage = false
        /// For more than what rows have.
        var needsOctets = false
        var setsSeen = false

        init(_ request: IMAPFetchRequest, _ session: IMAPServerSession) {
            items = []
            // What is asked for twice is told once.
            for item in request.items where !items.contains(item) { items.append(item) }
            if request.messages.isUID, !items.contains(.uid) { items.insert(.uid, at: 0) }
            let wantsModSeq = request.changedSince != nil || session.usesModSeq && items.contains(.flags)
            if wantsModSeq, !items.contains(.modSeq) { items.append(.modSeq) }
            for item in items {
                switch item {
                case .uid, .flags, .internalDate, .size, .modSeq, .saveDate: break
                case .section(_, _, let setsSeen):
                    needsMessage = true
                    needsOctets = true
                    self.setsSeen = self.setsSeen || setsSeen
                case .body, .binarySize:
                    needsMessage = true
                    needsOctets = true
                case .envelope, .bodyStructure, .emailID, .threadID, .preview, .gmailMessageID, .gmailThreadID,
                    .gmailLabels:
                    needsMessage = true
                }
            }
        }
    }

    private struct Fetched: Sendable {
        var row: MailboxRow
        /// It was marked as seen just now.
        var isChanged = false
    }

    /// The rows of those that are there still and were changed since, and whether all are there; marked as seen before, where
    /// they are to be.
    private func rows(
        of uids: [UInt32],
        in folder: FolderRow,
        changedSince: UInt64?,
        setsSeen: Bool
    ) async throws -> (rows: [Fetched], isWhole: Bool) {
        let runs = runs(of: uids)
        let there = try await store.read { snapshot in
            try runs.flatMap { try snapshot.messages.mailboxRows(of: folder, uids: $0) }
        }
        let isWhole = there.count >= uids.count
        let rows = there.filter { row in changedSince.map { row.modseq > $0 } ?? true }
        guard setsSeen, rows.contains(where: { !$0.flags.system.contains(.seen) }) else {
            return (rows.map { Fetched(row: $0) }, isWhole)
        }
        let fetched = try await store.write { tx in
            try rows.compactMap { row -> Fetched? in
                guard !row.flags.system.contains(.seen) else { return Fetched(row: row) }
                guard let message = try tx.messages.find(uid: row.uid, in: folder) else { return nil }
                _ = try tx.messages.setFlags(
                    of: message,
                    .change(add: MessageFlags(.seen), remove: MessageFlags())
                )
                guard let now = try tx.messages.mailboxRows(of: folder, uids: row.uid...row.uid).first else {
                    return nil
                }
                return Fetched(row: now, isChanged: true)
            }
        }
        for each in fetched where each.isChanged { selected?.noteOwn(each.row.uid, modSeq: each.row.modseq) }
        return (fetched, isWhole && fetched.count == rows.count)
    }

    /// Ranges of UIDs between which there are no others of the mailbox.
    func runs(of uids: [UInt32]) -> [ClosedRange<UInt32>] {
        guard let mailbox = selected else { return [] }
        var runs: [ClosedRange<UInt32>] = []
        var lastPlace = -2
        for uid in uids {
            let place = mailbox.place(of: uid) ?? -3
            if place == lastPlace + 1, let last = runs.last {
                runs[runs.count - 1] = last.lowerBound...uid
            } else {
                runs.append(uid...uid)
            }
            lastPlace = place
        }
        return runs
    }

    /// The message with its parts; nil where it is gone.
    func open(_ uid: UInt32, in folder: FolderRow) async throws -> OpenMessage? {
        let (files, pool) = (store.bodies, store.blocking)
        return try await store.read { snapshot in
            try snapshot.messages.mailboxMessage(uid: uid, in: folder) { view in
                try OpenMessage(view, snapshot, files: files, pool: pool)
            } ?? nil
        }
    }

    /// What rows have of a message.
    private struct Known: Sendable {
        let content: ContentID
        let thread: ThreadID
        let summary: [UInt8]
        var items: FetchItems
    }

    private func known(_ uid: UInt32, in folder: FolderRow) async throws -> Known? {
        try await store.read { snapshot in
            try snapshot.messages.mailboxMessage(uid: uid, in: folder) { view in
                Known(
                    content: try view.content,
                    thread: try view.thread,
                    summary: view.summary.array(),
                    items: FetchItems(view.contentKey, envelope: view.envelope, structure: view.structure)
                )
            }
        }
    }

    /// Keeps what was made of messages, so that it is there the next time; where that fails it is made again.
    private func keepMade() async {
        guard !made.isEmpty else { return }
        let items = made
        made = []
        do {
            try await store.write { try $0.messages.keep(items) }
        } catch {
            logger.info("FETCH items not kept", metadata: ["err": "\(error)"])
        }
    }

    // MARK: Telling

    private func tell(
        _ fetched: Fetched,
        _ asked: Asked,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws {
        let row = fetched.row
        guard let mailbox = selected, let place = mailbox.place(of: row.uid) else { return }
        var known: Known?
        var message: OpenMessage?
        if asked.needsMessage {
            known = try await self.known(row.uid, in: mailbox.folder)
            guard let items = known?.items else { return }
            let lacks =
                asked.items.contains(.envelope) && items.envelope == nil
                || asked.items.contains(.bodyStructure) && items.structure == nil
            if asked.needsOctets || lacks {
                message = try await open(row.uid, in: mailbox.folder)
                guard let message else { return }
                if lacks { known?.items = try await make(items, asked, message) }
            }
        }
        // All that may fail is read before the line is begun, but for the octets of sections.
        var prepared: [Prepared] = []
        if fetched.isChanged, !asked.items.contains(.flags) {
            prepared.append(.item(.flags(mailbox.flags(of: row))))
        }
        var octets = 0
        for item in asked.items {
            let next = try await prepare(item, row, mailbox, known, message)
            octets += next.octets
            guard octets <= Self.preparedOctets else { throw Refusal(.no, .limit, "That is too much at once") }
            prepared.append(next)
        }
        responses.encoder.beginFetch(UInt32(place) + 1)
        do {
            for each in prepared {
                try await write(each, message, responses)
                try await responses.relieve()
            }
        } catch {
            logger.error("message not sent", metadata: ["uid": "\(row.uid)", "err": "\(error)"])
            throw BrokenSection()
        }
        responses.encoder.endFetch()
    }

    /// One item, ready to be written.
    private enum Prepared {
        case item(IMAPFetchItem)
        case encoded([UInt8])
        /// BODY.
        case structure(IMAPBodyStructure)
        case slice(IMAPSection, OpenMessage.Slice)
        /// The content of a part without its transfer encoding.
        case content(IMAPSection, MIMELayout.Part, Range<Int64>)

        /// Those that are in memory.
        var octets: Int {
            switch self {
            case .encoded(let octets): octets.count
            case .slice(_, let slice): slice.front.count
            case .item, .structure, .content: 0
            }
        }
    }

    private func prepare(
        _ item: IMAPFetchRequest.Item,
        _ row: MailboxRow,
        _ mailbox: SelectedMailbox,
        _ known: Known?,
        _ message: OpenMessage?
    ) async throws -> Prepared {
        switch item {
        case .uid: return .item(.uid(row.uid))
        case .flags: return .item(.flags(mailbox.flags(of: row)))
        case .internalDate: return .item(.internalDate(IMAPDateTime(row.internalDate)))
        case .size: return .item(.size(UInt64(max(row.size, 0))))
        case .modSeq: return .item(.modSeq(row.modseq))
        case .saveDate: return .item(.saveDate(IMAPDateTime(row.savedAt)))
        case .envelope, .bodyStructure, .body, .emailID, .threadID, .preview, .binarySize, .section, .gmailMessageID,
            .gmailThreadID, .gmailLabels:
            guard let known else { throw Refusal(.no, .serverBug, "The message was not read") }
            return try await prepare(item, known, message)
        }
    }

    /// ENVELOPE and BODYSTRUCTURE, as far as they are asked for and not known, in the octets in which they go out.
    private func make(_ items: FetchItems, _ asked: Asked, _ message: OpenMessage) async throws -> FetchItems {
        var items = items
        if items.envelope == nil, asked.items.contains(.envelope) {
            var encoder = IMAPResponseEncoder()
            encoder.item(.envelope(try await envelope(of: message)))
            items.envelope = encoder.output.array()
        }
        if items.structure == nil, asked.items.contains(.bodyStructure) {
            var encoder = IMAPResponseEncoder()
            encoder.bodyStructure(try await StructureReading.structure(of: message), isExtended: true)
            items.structure = encoder.output.array()
        }
        made.append(items)
        return items
    }

    private func prepare(
        _ item: IMAPFetchRequest.Item,
        _ known: Known,
        _ message: OpenMessage?
    ) async throws -> Prepared {
        switch item {
        case .emailID: return .item(.emailID(Array("\(known.content)".utf8)))
        case .threadID: return .item(.threadID(Array("\(known.thread)".utf8)))
        case .preview: return .item(.preview(Self.preview(known.summary)))
        case .envelope: if let envelope = known.items.envelope { return .encoded(envelope) }
        case .bodyStructure: if let structure = known.items.structure { return .encoded(structure) }
        case .uid, .flags, .internalDate, .size, .modSeq, .saveDate, .body, .binarySize, .section, .gmailMessageID,
            .gmailThreadID, .gmailLabels:
            break
        }
        guard let message else { throw Refusal(.no, .serverBug, "The message was not read") }
        return try await prepare(item, message)
    }

    private func prepare(_ item: IMAPFetchRequest.Item, _ message: OpenMessage) async throws -> Prepared {
        switch item {
        case .body: return .structure(try await StructureReading.structure(of: message))
        case .binarySize(let part):
            let size = part.isEmpty ? message.size : message.part(part).map { Self.contentSize(of: $0) }
            return .item(.binarySize(part: part, octets: UInt64(max(size ?? 0, 0))))
        case .section(let section, let length, _): return try await prepare(section, length: length, message)
        case .uid, .flags, .internalDate, .size, .modSeq, .saveDate, .envelope, .bodyStructure, .emailID, .threadID,
            .preview, .gmailMessageID, .gmailThreadID, .gmailLabels:
            throw Refusal(.bad, nil, "Not known here")
        }
    }

    private func envelope(of message: OpenMessage) async throws -> IMAPEnvelope {
        guard !message.isQuarantined, let part = message.layout.parts.first else { return IMAPEnvelope() }
        return IMAPEnvelope(RawHeader(try await message.header(of: part)))
    }

    /// The first words, as the API shows them: at most 200 characters (RFC 8970 §3.1).
    private static func preview(_ summary: [UInt8]) -> [UInt8] {
        let braced = [ASCII.openBrace] + summary + [ASCII.closeBrace]
        let text = (try? JSONValue(parsing: braced.span))?.object?["preview"]?.string ?? []
        return Array(String(text.span.repairedUTF8String().prefix(200)).utf8)
    }

    private static func contentSize(of part: MIMELayout.Part) -> Int64 {
        part.contentType.utf8.starts(with: "multipart/".utf8) || part.contentType == "message/rfc822"
            ? Int64(part.bodyRange.count) : part.decodedSize
    }

    private func prepare(
        _ section: IMAPSection,
        length: UInt32?,
        _ message: OpenMessage
    ) async throws -> Prepared {
        let limit = length.map(UInt64.init) ?? .max
        if section.item == .binary, !section.part.isEmpty {
            guard let part = message.part(section.part) else { return .item(.absent(section)) }
            let size = Self.contentSize(of: part)
            let start = min(Int64(clamping: section.origin ?? 0), size)
            let end = start + min(Int64(clamping: limit), size - start)
            if part.transferEncoding.isIdentity || size != part.decodedSize {
                let container = message.layout.containers(of: part).last
                let all = OpenMessage.Slice(container: container, range: part.bodyRange)
                return .slice(section, all.part(from: section.origin ?? 0, length: limit))
            }
            return .content(section, part, start..<end)
        }
        var asked = section
        switch section.item {
        case .rfc822Header: asked.text = .header
        case .rfc822Text: asked.text = .text
        case .body, .binary, .rfc822: break
        }
        guard let slice = try await message.slice(of: asked) else { return .item(.absent(section)) }
        return .slice(section, slice.part(from: section.origin ?? 0, length: limit))
    }

    // MARK: Writing

    private func write(
        _ prepared: Prepared,
        _ message: OpenMessage?,
        _ responses: IMAPServerResponses
    ) async throws {
        switch prepared {
        case .item(let item): responses.encoder.item(item)
        case .encoded(let octets): responses.encoder.item(encoded: octets.span)
        case .structure(let structure): responses.encoder.bodyStructure(structure, isExtended: false)
        case .slice(let section, let slice):
            guard let message else { return }
            try await write(section, slice, message, responses)
        case .content(let section, let part, let range):
            guard let message else { return }
            responses.encoder.beginSection(section, octets: UInt64(range.count), isBinary: true)
            try await writeContent(part, range, message, responses)
            context.observer?.messageSent(octets: Int64(range.count))
        }
    }

    private func write(
        _ section: IMAPSection,
        _ slice: OpenMessage.Slice,
        _ message: OpenMessage,
        _ responses: IMAPServerResponses
    ) async throws {
        let isBinary = section.item == .binary
        responses.encoder.beginSection(section, octets: UInt64(slice.count), isBinary: isBinary)
        Self.write(slice.front, isBinary: isBinary, responses)
        if let container = slice.container {
            try await writeContent(container, slice.range, message, isBinary: isBinary, responses)
        } else {
            var start = slice.range.lowerBound
            while start < slice.range.upperBound {
                let end = min(start + Int64(Self.pieceOctets), slice.range.upperBound)
                var piece = ByteBuffer()
                guard try await message.body.read(start..<end, into: &piece, on: store.blocking) > 0 else {
                    throw BodyError.unknown
                }
                Self.write(piece.array(), isBinary: isBinary, responses)
                try await responses.relieve()
                start = end
            }
        }
        context.observer?.messageSent(octets: slice.count)
    }

    private func writeContent(
        _ part: MIMELayout.Part,
        _ range: Range<Int64>,
        _ message: OpenMessage,
        isBinary: Bool = true,
        _ responses: IMAPServerResponses
    ) async throws {
        var stream = PartStream(
            content: part,
            within: message.layout.containers(of: part),
            of: message.body,
            range: range,
            pool: store.blocking
        )
        var left = Int64(range.count)
        var piece = ByteBuffer()
        while left > 0, try await stream.read(into: &piece) > 0 {
            left -= Int64(piece.count)
            Self.write(piece.array(), isBinary: isBinary, responses)
            piece.removeAll()
            try await responses.relieve()
        }
        // What was announced must come; where it does not, the session ends.
        guard left == 0 else { throw BrokenSection() }
    }

    /// A section has other octets than its layout says.
    private struct BrokenSection: Error {}

    /// NUL cannot be in a literal: it goes as 0x80, one octet as well.
    private static func write(_ octets: [UInt8], isBinary: Bool, _ responses: IMAPServerResponses) {
        var octets = octets
        if !isBinary { for index in octets.indices where octets[index] == ASCII.nul { octets[index] = 0x80 } }
        responses.encoder.octets(octets.span)
    }
}
