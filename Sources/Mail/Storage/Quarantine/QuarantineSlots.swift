// SPDX-License-Identifier: Apache-2.0

package import Files
import Runtime

/// What is being parsed, where a crash cannot lose it: the second defence behind fuzzing.
///
/// One message shall not kill the process again and again. Before a message is parsed its hash goes into a slot of a small file in shared memory
/// (a store to memory, no system call); afterwards the slot is cleared. A slot that is still set when the file is opened
/// names a message that was being parsed when the process died: it is quarantined from then on.
///
/// The quarantined hashes are kept in a second file, 32 octets each, as often as they were found.
package final class QuarantineSlots: Sendable {
    /// A place taken by ``enter(_:)``, to be given back to ``leave(_:)``.
    package struct Slot: Sendable { fileprivate let index: Int }

    /// All slots are taken: try again a little later.
    package struct Full: Error {}

    private struct State {
        var free: [Int]
        /// How often each was found in a slot.
        var strikes: [BodyHash: Int]
    }

    /// Strikes that are counted of one hash.
    private static let mostStrikes = 3

    /// A slot is its hash and behind it one octet that says whether it is set.
    private static let slotOctets = 64
    private static let flagOffset = BodyHash.octetCount

    private let slots: MappedFile
    private let list: QuarantineList
    private let state: Lock<State>
    /// The hashes whose slots were found set: new to the quarantine since the process before this one.
    package let found: [BodyHash]

    /// Opens or makes both files in `directory`.
    ///
    /// What is found in the slots is quarantined, lastingly, before they are cleared.
    package init(directory: String, slotCount: Int = 1024) throws(FileError) {
        let path = "\(directory)/parsing.slots"
        let slots = try MappedFile(path, size: slotCount * Self.slotOctets)
        let list = QuarantineList(directory: directory)
        var found: [BodyHash] = []
        for index in 0..<slotCount {
            let offset = index * Self.slotOctets
            guard slots.load(at: offset + Self.flagOffset, count: 1) == [1],
                let hash = BodyHash(octets: slots.load(at: offset, count: BodyHash.octetCount)), !found.contains(hash)
            else { continue }
            found.append(hash)
        }
        var strikes = try list.read()
        for hash in found { strikes[hash] = min((strikes[hash] ?? 0) + 1, Self.mostStrikes) }
        if !found.isEmpty { try list.write(strikes) }
        for index in 0..<slotCount { slots.store([0], at: index * Self.slotOctets + Self.flagOffset) }
        self.slots = slots
        self.list = list
        self.found = found
        state = Lock(State(free: Array((0..<slotCount).reversed()), strikes: strikes))
    }

    /// Takes the message out of the quarantine: it is read again, once more guarded by a slot.
    ///
    /// Blocks until that is lasting. For an operator who has seen that it can be read by now.
    package func release(_ hash: BodyHash) throws(FileError) {
        try state.withLock { (state) throws(FileError) in
            guard state.strikes[hash] != nil else { return }
            try list.write(state.strikes.filter { $0.key != hash })
            state.strikes[hash] = nil
        }
    }

    /// Whether the message of this hash is to be stored raw, unparsed.
    package func isQuarantined(_ hash: BodyHash) -> Bool { strikes(of: hash) > 0 }

    /// How often the process died while it read this, 3 at most.
    package func strikes(of hash: BodyHash) -> Int { state.withLock { $0.strikes[hash] ?? 0 } }

    /// Messages that are stored raw, unparsed.
    package var count: Int { state.withLock { $0.strikes.count } }

    /// Notes that the message is about to be parsed.
    package func enter(_ hash: BodyHash) throws(Full) -> Slot {
        guard let index = state.withLock({ $0.free.popLast() }) else { throw Full() }
        let offset = index * Self.slotOctets
        slots.store(hash.octets, at: offset)
        slots.store([1], at: offset + Self.flagOffset)
        return Slot(index: index)
    }

    /// Notes that the message was parsed, however that ended.
    package func leave(_ slot: Slot) {
        slots.store([0], at: slot.index * Self.slotOctets + Self.flagOffset)
        state.withLock { $0.free.append(slot.index) }
    }

    /// Runs `parse` with the message's hash in a slot.
    package func guarding<R>(_ hash: BodyHash, _ parse: () throws -> R) throws -> R {
        let slot = try enter(hash)
        defer { leave(slot) }
        return try parse()
    }
}

/// The file of quarantined hashes.
private struct QuarantineList: Sendable {
    let directory: String
    private var path: String { "\(directory)/quarantine.hashes" }

    func read() throws(FileError) -> [BodyHash: Int] {
        let file = try File(path, .readWrite)
        let octets = try file.read(at: 0, count: Int(try file.size()))
        let starts = stride(from: 0, through: octets.count - BodyHash.octetCount, by: BodyHash.octetCount)
        let hashes = starts.compactMap { BodyHash(octets: Array(octets[$0..<$0 + BodyHash.octetCount])) }
        return Dictionary(hashes.map { ($0, 1) }, uniquingKeysWith: +)
    }

    /// Puts a new file in the place of the old one, lastingly.
    func write(_ strikes: [BodyHash: Int]) throws(FileError) {
        let fresh = try File(path + ".new", .createEmpty)
        try fresh.write(strikes.flatMap { hash, count in Array(repeating: hash.octets, count: count).flatMap(\.self) })
        try fresh.sync()
        try Files.rename(path + ".new", to: path)
        try Files.syncDirectory(directory)
    }
}
