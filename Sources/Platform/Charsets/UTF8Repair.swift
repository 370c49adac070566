// SPDX-License-Identifier: Apache-2.0

/// UTF-8 in pieces: well-formed sequences pass, each maximal ill-formed one becomes U+FFFD (Unicode §3.9, best practice).
struct UTF8Repair {
    enum Step { case incomplete, complete, malformed }

    /// The octets of a sequence not yet complete, in order from the low octet up.
    private var pending: UInt32 = 0
    private var pendingCount = 0
    /// Octets that still have to come.
    private var needed = 0
    /// What the next octet may be.
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF
    private(set) var sawMalformed = false

    var isIncomplete: Bool { pendingCount > 0 }

    /// Takes one octet of a sequence.
    ///
    /// After `.complete` the sequence is what ``takePending()`` gives; after `.malformed` that is what came before
    /// `byte`, and `byte` was not taken.
    mutating func probe(_ byte: UInt8) -> Step {
        if pendingCount == 0 {
            switch byte {
            case 0xC2...0xDF: start(needed: 1)
            case 0xE0: start(needed: 2, lower: 0xA0)
            case 0xED: start(needed: 2, upper: 0x9F)
            case 0xE1...0xEF: start(needed: 2)
            case 0xF0: start(needed: 3, lower: 0x90)
            case 0xF1...0xF3: start(needed: 3)
            case 0xF4: start(needed: 3, upper: 0x8F)
            default: return .malformed
            }
            pending = UInt32(byte)
            pendingCount = 1
            return .incomplete
        }
        guard byte >= lower, byte <= upper else { return .malformed }
        lower = 0x80
        upper = 0xBF
        pending |= UInt32(byte) << UInt32(8 * pendingCount)
        pendingCount += 1
        needed -= 1
        return needed == 0 ? .complete : .incomplete
    }

    private mutating func start(needed: Int, lower: UInt8 = 0x80, upper: UInt8 = 0xBF) {
        self.needed = needed
        self.lower = lower
        self.upper = upper
    }

    /// The octets taken and not yet given away.
    mutating func takePending() -> [UInt8] {
        let octets = (0..<pendingCount).map { UInt8(pending >> UInt32(8 * $0) & 0xFF) }
        pendingCount = 0
        return octets
    }

    mutating func decode(_ input: Span<UInt8>, into output: inout [UInt8]) {
        var index = 0
        while true {
            if pendingCount == 0 { index = ASCIIRun.copy(input, from: index, to: &output) }
            guard index < input.count else { return }
            let byte = input[index]
            let wasIncomplete = isIncomplete
            switch probe(byte) {
            case .incomplete: index += 1
            case .complete:
                index += 1
                for place in 0..<pendingCount { output.append(UInt8(pending >> UInt32(8 * place) & 0xFF)) }
                pendingCount = 0
            case .malformed:
                replace(into: &output)
                // The octet that ended a sequence begins anew; one that can begin nothing is itself the malformed one.
                if !wasIncomplete { index += 1 }
            }
        }
    }

    mutating func finish(into output: inout [UInt8]) {
        if isIncomplete { replace(into: &output) }
    }

    private mutating func replace(into output: inout [UInt8]) {
        sawMalformed = true
        pendingCount = 0
        output.append(0xEF)
        output.append(0xBF)
        output.append(0xBD)
    }
}
