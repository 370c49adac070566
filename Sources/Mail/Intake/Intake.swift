// SPDX-License-Identifier: Apache-2.0

package import MIME
import MailTypes
package import Metrics
import Runtime
package import Storage
import Wire

/// Where a message comes in.
///
/// It decides what happens to line ends (they are CRLF in the store, always).
package enum IntakeDoor: Hashable, Sendable {
    /// SMTP has refused everything but CRLF already; what Postern composed has nothing else.
    case strict
    /// Import, append, uploads: bare LF and bare CR become CRLF, and a defect says so.
    case normalising
}

/// A message taken in: ready for a transaction, and what a sender or a rule may want to know of it.
package struct TakenMessage: Sendable {
    /// For the first account; each further one takes a copy with an id of its own: ``content(for:)``.
    package var content: NewContent
    package let body: SpooledBody
    /// Empty where the message is quarantined.
    package var envelope: Envelope
    package var defects: [MIMEDefect] = []

    /// The same content under a fresh id.
    package func copy() -> NewContent {
        var copy = content
        copy.id = .random()
        return copy
    }
}

/// Takes in the octets of messages from every door: line ends, spool, one guarded parse, and out of it what the store keeps.
package struct Intake: Sendable {
    private let store: Store
    private let limits: MIMELimits
    private let defects: Counters?

    /// - Parameters:
    ///   - limits: how much of a message is looked into.
    ///   - metrics: where defects of messages are counted by kind.
    package init(store: Store, limits: MIMELimits = .standard, metrics: MetricsRegistry? = nil) {
        self.store = store
        self.limits = limits
        defects = metrics?.counters(
            "postern_parser_defects_total",
            "What was wrong with messages taken in.",
            labels: "kind"
        )
    }

    /// A message about to come.
    ///
    /// Let go before ``IncomingMessage/finish()`` it leaves nothing behind.
    ///
    /// - Parameter limit: octets at most; nil for the store's own limit.
    package func begin(_ door: IntakeDoor, limit: Int64? = nil) -> IncomingMessage {
        let limit = min(limit ?? .max, store.configuration.maximumMessageOctets)
        return IncomingMessage(
            spool: Spool(files: store.bodies, pool: store.blocking, limit: limit),
            door: door,
            store: store,
            limits: limits,
            defects: defects
        )
    }

    /// A whole small message at once.
    package func take(_ octets: [UInt8], door: IntakeDoor) async throws -> TakenMessage {
        let message = begin(door)
        try message.append(octets.span)
        return try await message.finish()
    }
}

/// One message coming in.
///
/// It belongs to one task.
package final class IncomingMessage {
    private let spool: Spool
    private let store: Store
    private let limits: MIMELimits
    private let defects: Counters?
    private var normaliser: LineEndNormaliser?

    init(spool: Spool, door: IntakeDoor, store: Store, limits: MIMELimits, defects: Counters?) {
        self.defects = defects
        self.spool = spool
        self.store = store
        self.limits = limits
        normaliser = door == .normalising ? LineEndNormaliser() : nil
    }

    /// Octets taken so far.
    package var size: Int64 { spool.size }

    /// Takes the next octets.
    ///
    /// Throws ``BodyTooLarge`` when they are too many.
    package func append(_ bytes: Span<UInt8>) throws {
        guard normaliser != nil else { return try spool.append(bytes) }
        var normalised = ByteBuffer(capacity: bytes.count + 64)
        normaliser?.normalise(bytes, into: &normalised)
        try spool.append(normalised.bytes)
    }

    /// The message is complete: it is parsed, unless a parse of it once ended the process.
    package func finish() async throws -> TakenMessage {
        if normaliser != nil {
            var rest = ByteBuffer()
            normaliser?.finish(into: &rest)
            try spool.append(rest.bytes)
        }
        let wasNormalised = normaliser?.changed ?? false
        let taken = try await store.digest(try await spool.finish(), limits: limits, wasNormalised: wasNormalised)
        defects?.count(taken.defects)
        return taken
    }
}

extension Store {
    /// Reads spooled octets, unless a parse of them once ended the process.
    fileprivate func digest(
        _ body: SpooledBody,
        limits: MIMELimits,
        wasNormalised: Bool
    ) async throws -> TakenMessage {
        guard !quarantine.isQuarantined(body.hash) else { return Digestion.quarantined(body) }
        let reader = try body.reader()
        let quarantine = quarantine
        // What is in memory is parsed where we are; what is in a file would block the loop.
        guard !reader.isInMemory else {
            return try quarantine.guarding(body.hash) {
                try Digestion.digest(body, reader: reader, limits: limits, wasNormalised: wasNormalised)
            }
        }
        return try await blocking.run {
            try quarantine.guarding(body.hash) {
                try Digestion.digest(body, reader: reader, limits: limits, wasNormalised: wasNormalised)
            }
        }
    }
}

extension Intake: MessageReading {
    package func read(_ body: SpooledBody) async throws -> NewContent {
        let taken = try await store.digest(body, limits: limits, wasNormalised: false)
        defects?.count(taken.defects)
        return taken.content
    }
}

extension Counters {
    fileprivate func count(_ defects: [MIMEDefect]) {
        for defect in defects { self[defect.code.rawValue].add() }
    }
}
