// SPDX-License-Identifier: Apache-2.0

import Compression
import Crypto
package import IMAP
package import Runtime
import SASL
import Sockets
package import Transport
import Wire

/// Drives the client's side of one IMAP connection: sets the session up, then does one operation after another.
///
/// It belongs to the one task that uses it, on its loop; a task that is cancelled loses the connection. An operation that
/// consists of several commands has them under way together where they allow it. After an error other than `refused`,
/// `unsupported` or `unencodable` the session is over.
package final class IMAPClientSession {
    private let channel: DialogueChannel
    package let patience: IMAPClientPatience
    var machine: IMAPClientMachine
    private var compression: IMAPCompressedStream?
    /// The message of which a FETCH is just telling, and the section of it.
    private var told: IMAPFetchedMessage?
    /// How the connection broke.
    private var failure: IMAPClientFailure?
    /// Of the time for what is under way, in milliseconds.
    private var remaining = 0
    let interruption: IMAPInterruption

    /// Is told what the server tells without being asked, on the loop, whenever that is read: during any operation.
    package var onUpdate: (IMAPUpdate) -> Void = { _ in }

    /// Nil where none is.
    package internal(set) var selectedMailbox: IMAPMailboxName?

    /// UIDs of one SEARCH that are held; more end the session.
    package var maximumHits = 4_000_000
    /// Folders that one list may tell of.
    package var maximumFolders = 100_000

    /// Responses to the commands under way, but for what FETCH told that was asked for; a server that sends more is one that
    /// floods.
    private var responses = 0
    private static let mostResponses = 300_000
    /// The same of what FETCH told that was asked for.
    private var messages = 0
    private static let mostMessages = 10_000_000

    private init(_ channel: DialogueChannel, _ route: IMAPClientRoute, _ patience: IMAPClientPatience) {
        self.channel = channel
        self.patience = patience
        interruption = IMAPInterruption(channel.connection.socket)
        machine = IMAPClientMachine(
            route.configuration,
            isTLS: channel.connection.isTLS,
            // The dialer makes no other.
            isVerified: channel.connection.isTLS,
            channelBinding: channel.connection.channelBinding
        )
    }

    /// Connects, logs in, and enables what the server offers.
    ///
    /// Keys are derived on `pool`.
    package static func open(
        _ route: IMAPClientRoute,
        dialer: Dialer,
        patience: IMAPClientPatience = IMAPClientPatience(),
        pool: BlockingPool
    ) async throws(IMAPSessionError) -> IMAPClientSession {
        let channel: DialogueChannel
        do throws(DialError) {
            channel = try await DialogueChannel(
                to: route.server,
                dialer: dialer,
                pool: pool,
                milliseconds: patience.connect
            )
        } catch {
            throw .dial(error)
        }
        let session = IMAPClientSession(channel, route, patience)
        session.remaining = patience.setUp
        while true {
            switch await session.advance() {
            case .ready: return session
            case .closed(let failure):
                if let error = channel.handshakeError { throw .dial(error) }
                throw .session(failure ?? .connectionLost(.greeting))
            case .response, .fetch, .unreadable, .idling, .wantsOctets, .completed, .timeIsUp: break
            }
        }
    }

    // MARK: What is known of the server

    package var capabilities: IMAPCapabilities { machine.capabilities }
    /// What the server has enabled.
    package var enabled: Set<IMAPCapability> { machine.enabled }
    package var namespaces: IMAPNamespaces? { machine.namespaces }
    package var serverIdentification: [IMAPParameter] { machine.serverIdentification }
    /// Deviations of the server that were met so far.
    package var deviations: Set<IMAPDeviation> { machine.deviations }
    package var isTLS: Bool { channel.connection.isTLS }
    package var isCompressed: Bool { compression != nil }
    /// Names of mailboxes are UTF-8 in this session.
    package var isUTF8: Bool { machine.isUTF8 }

    /// A mailbox's name for people, as it goes to this server.
    package func mailboxName(_ text: String) -> IMAPMailboxName { IMAPMailboxName(text, isUTF8: isUTF8) }

    /// Whether another operation can be begun, as far as can be known without asking: false once the session is over or the
    /// server has hung up.
    package var isUsable: Bool { machine.isReady && !channel.connection.hasPeerClosed }

    // MARK: Commands

    /// What comes of commands while they are under way.
    enum Told {
        case response(IMAPResponse)
        case sectionBegins(IMAPSection, octets: UInt64)
        case sectionOctets([UInt8])
        case sectionEnds
        case message(IMAPFetchedMessage)
        case idling(IMAPClientMachine.CommandID)
        /// So many octets are to be ``supply(_:)``ed.
        case wantsOctets(UInt64)
        /// IDLE has been long enough, or somebody wants it to end.
        case timeIsUp
    }

    /// Has the commands under way, as far as they allow it together, and returns how each ended, in their order.
    ///
    /// What `take` throws is thrown, with the session closed: what was being told is not told to its end.
    func perform(
        _ commands: [IMAPCommand],
        _ take: (Int, Told) async throws -> Void
    ) async throws -> [IMAPStatus] {
        var places: [IMAPClientMachine.CommandID: Int] = [:]
        for (index, command) in commands.enumerated() {
            do throws(IMAPClientCommandError) {
                places[try machine.submit(command, &channel.output)] = index
            } catch {
                // Those before it are under way and nobody would hear of their end.
                if index > 0 { close() }
                throw IMAPSessionError.unencodable
            }
        }
        var results = [IMAPStatus?](repeating: nil, count: commands.count)
        remaining = patience.command
        (responses, messages) = (0, 0)
        while !places.isEmpty {
            do {
                try await performNext(&places, &results, take)
                guard responses <= Self.mostResponses, messages <= Self.mostMessages else {
                    throw IMAPSessionError.tooMuch
                }
            } catch {
                close()
                throw error
            }
        }
        // Between operations a connection holds no memory.
        if channel.input.isEmpty { channel.input.removeAll(keepingCapacity: false) }
        return results.compactMap { $0 }
    }

    private func performNext(
        _ places: inout [IMAPClientMachine.CommandID: Int],
        _ results: inout [IMAPStatus?],
        _ take: (Int, Told) async throws -> Void
    ) async throws {
        switch await advance() {
        case .response(let response, let id):
            responses += 1
            guard let place = id.flatMap({ places[$0] }) else { return onUpdate(IMAPUpdate(response)) }
            try await take(place, .response(response))
        case .fetch(let event, let id): try await tell(event, id.flatMap { places[$0] }, take)
        case .completed(let id, let status):
            guard let place = places.removeValue(forKey: id) else { return }
            results[place] = status
            remaining = patience.command
        case .idling(let id): if let place = places[id] { try await take(place, .idling(id)) }
        case .wantsOctets(let id, let octets): if let place = places[id] { try await take(place, .wantsOctets(octets)) }
        case .closed(let failure): throw IMAPSessionError.session(failure ?? .connectionLost(.closed))
        case .timeIsUp: try await take(0, .timeIsUp)
        case .ready, .unreadable: break
        }
    }

    /// A piece of a FETCH, which is put together, apart from its sections.
    private func tell(
        _ event: IMAPResponseEvent,
        _ place: Int?,
        _ take: (Int, Told) async throws -> Void
    ) async throws {
        switch event {
        case .fetchBegins(let number): told = IMAPFetchedMessage(sequenceNumber: number)
        case .fetchItem(let item): told?.take(item)
        case .sectionBegins(let section, let octets):
            if let place { try await take(place, .sectionBegins(section, octets: octets)) }
        case .sectionOctets(let octets): if let place { try await take(place, .sectionOctets(octets)) }
        case .sectionEnds: if let place { try await take(place, .sectionEnds) }
        case .fetchEnds(let isWhole):
            guard var message = told.take() else { return }
            message.isWhole = isWhole
            if let place {
                messages += 1
                return try await take(place, .message(message))
            }
            responses += 1
            onUpdate(.message(message))
        case .response, .unreadable: break
        }
    }

    /// One command, which must not be refused.
    @discardableResult
    func perform(_ command: IMAPCommand, _ take: (Told) async throws -> Void) async throws -> IMAPStatus {
        let status = try await perform([command]) { _, told in try await take(told) }[0]
        guard status.condition == .ok else { throw IMAPSessionError.refused(status) }
        return status
    }

    /// One command whose answer is how it ended; what is told meanwhile is an update.
    @discardableResult
    func perform(_ command: IMAPCommand) async throws -> IMAPStatus {
        try await perform(command) { told in
            switch told {
            case .response(let response): onUpdate(IMAPUpdate(response))
            case .message(let message): onUpdate(.message(message))
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
    }

    /// Has the server say what is new.
    package func noop() async throws { try await perform(.noop) }

    /// Says LOGOUT, waits shortly for the answer, and closes.
    package func logout() async {
        if machine.isReady {
            do throws(IMAPClientCommandError) {
                _ = try machine.submit(.logout, &channel.output)
                remaining = patience.logout
                loop: while true {
                    switch await advance() {
                    case .closed, .timeIsUp: break loop
                    case .ready, .response, .fetch, .unreadable, .idling, .wantsOctets, .completed: continue
                    }
                }
            } catch {
                // It can always be written.
            }
        }
        close()
    }

    /// Closes at once.
    package func close() {
        machine.failed(.connectionLost(machine.phase))
        channel.close()
    }

    // MARK: The dialogue

    private enum Pause: Sendable {
        case ready
        case response(IMAPResponse, IMAPClientMachine.CommandID?)
        case fetch(IMAPResponseEvent, IMAPClientMachine.CommandID?)
        case unreadable
        case idling(IMAPClientMachine.CommandID)
        case wantsOctets(IMAPClientMachine.CommandID, UInt64)
        case completed(IMAPClientMachine.CommandID, IMAPStatus)
        /// IDLE has been long enough, or somebody wants it to end.
        case timeIsUp
        case closed(IMAPClientFailure?)
    }

    /// Lets the dialogue go on until there is something for its owner.
    private func advance() async -> Pause {
        while true {
            switch machine.next(&channel.input, &channel.output) {
            case .read(let phase):
                await flush()
                if machine.phase != .closed, await !fill(during: phase) { return .timeIsUp }
            case .startTLS: await startTLS()
            case .derive(let key): await derive(key)
            case .startCompression: await startCompression()
            case .event(let event): return pause(event)
            case .close(let failure):
                channel.close()
                return .closed(failure)
            }
        }
    }

    private func pause(_ event: IMAPClientMachine.Event) -> Pause {
        switch event {
        case .ready: .ready
        case .response(let response, let id): .response(response, id)
        case .fetch(let event, let id): .fetch(event, id)
        case .unreadable: .unreadable
        case .idling(let id): .idling(id)
        case .wantsOctets(let id, let octets): .wantsOctets(id, octets)
        case .completed(let id, let status): .completed(id, status)
        }
    }

    private func tell(_ error: IOError) {
        let phase = machine.phase
        let failure: IMAPClientFailure = error == .timeout ? .timedOut(phase) : .connectionLost(phase)
        self.failure = failure
        machine.failed(failure)
        channel.close()
    }

    /// Sends the output.
    private func flush() async {
        guard !channel.output.isEmpty else { return }
        if compression != nil { compression?.compress(&channel.output) }
        let failure = await channel.cancellable { () async -> IOError? in
            do throws(IOError) {
                try await channel.flush(milliseconds: min(patience.stall, max(remaining, 1)))
                return nil
            } catch {
                return error
            }
        }
        guard let failure else { return }
        channel.output.removeAll(keepingCapacity: false)
        tell(failure)
    }

    /// Waits for more input; false where an IDLE is to end.
    private func fill(during phase: IMAPClientPhase) async -> Bool {
        if let isMore = moreFromCompression() { return isMore }
        if phase == .idle, interruption.isWanted { return false }
        let loop = channel.connection.loop
        let limit = phase == .idle ? remaining : min(patience.stall, remaining)
        guard limit > 0 else {
            if phase == .idle { return false }
            tell(.timeout)
            return true
        }
        let before = loop.now
        channel.connection.setDeadline(milliseconds: limit)
        interruption.setWaiting(phase == .idle)
        let failure = await channel.cancellable { () async -> IOError? in
            do throws(IOError) {
                if channel.input.isEmpty { channel.input.removeAll(keepingCapacity: false) }
                guard try await receive() > 0 else { throw .endOfStream }
                return nil
            } catch {
                return error
            }
        }
        interruption.setWaiting(false)
        remaining -= Int(clamping: (loop.now &- before) / 1_000_000)
        guard let failure else { return true }
        if phase == .idle, failure == .timeout { return false }
        tell(failure)
        return true
    }

    private func receive() async throws(IOError) -> Int {
        guard compression != nil else { return try await channel.connection.read(into: &channel.input) }
        var octets = ByteBuffer()
        let count = try await channel.connection.read(into: &octets)
        compression?.received(octets)
        return count
    }

    /// What was received compressed and not yet looked at; nil where that is nothing.
    private func moreFromCompression() -> Bool? {
        guard compression != nil else { return nil }
        do throws(BadDeflateStream) {
            return try compression?.decompress(into: &channel.input) == true ? true : nil
        } catch {
            machine.failed(.badCompression)
            return true
        }
    }

    private func startTLS() async {
        await flush()
        guard machine.phase != .closed else { return }
        guard await channel.startTLS(milliseconds: patience.handshake) else {
            return machine.failed(.connectionLost(.startTLS))
        }
        machine.tlsEstablished(isVerified: true, channelBinding: channel.connection.channelBinding, &channel.output)
    }

    private func startCompression() async {
        await flush()
        guard machine.phase != .closed else { return }
        guard let stream = IMAPCompressedStream(&channel.input) else { return machine.failed(.badCompression) }
        compression = stream
        machine.compressionStarted(&channel.output)
    }

    private func derive(_ key: SCRAMKeyDerivation) async {
        guard let salted = await channel.derive(key) else {
            return machine.failed(.connectionLost(.authentication))
        }
        machine.derived(salted, &channel.output)
    }

    // MARK: For single operations

    /// How many octets of a message are wanted still.
    var wantedOctets: UInt64 { machine.wantedOctets }

    /// Sends a piece of a message.
    func supply(_ octets: Span<UInt8>) async throws(IMAPSessionError) {
        machine.supply(octets, &channel.output)
        await flush()
        // A server that has had enough hangs up.
        if let failure { throw .session(failure) }
    }

    /// IDLE lasts so long at most.
    func beginIdle(milliseconds: Int) { remaining = milliseconds }

    func endIdle(_ id: IMAPClientMachine.CommandID) {
        machine.endIdle(id, &channel.output)
        interruption.settle()
        remaining = patience.command
    }
}
