// SPDX-License-Identifier: Apache-2.0

internal import CICU

/// Turns text of one character set into UTF-8, in pieces as they come.
///
/// The output is always well-formed: what cannot be read becomes U+FFFD. It is at most four times as long as the input,
/// and a few octets.
package struct CharsetDecoder: ~Copyable {
    private enum Mode {
        case utf8
        case guess
        case table([UInt16])
        case converter
    }

    private var mode: Mode
    private var utf8 = UTF8Repair()
    private var converter: OpaquePointer?
    /// Whether something could not be read.
    package private(set) var sawMalformed = false

    package init(_ charset: Charset) {
        switch charset.method {
        case .utf8: mode = .utf8
        case .guess: mode = .guess
        case .table(let table): mode = .table(table)
        case .converter(let name):
            // A converter that this ICU was built without: the text is then read as one without label.
            converter = cicu_decoder_open(name)
            mode = converter == nil ? .guess : .converter
        }
    }

    deinit {
        if let converter { cicu_decoder_close(converter) }
    }

    /// Whether ICU has what the table asks it for.
    var hasConverter: Bool { converter != nil }

    /// Appends what `input` says, as far as it is complete.
    package mutating func decode(_ input: Span<UInt8>, into output: inout [UInt8]) {
        switch mode {
        case .utf8: utf8.decode(input, into: &output)
        case .guess: guess(input, into: &output)
        case .table(let table): Self.decode(input, by: table, into: &output)
        case .converter: convert(input, isLast: false, into: &output)
        }
        if utf8.sawMalformed { sawMalformed = true }
    }

    package mutating func decode(_ input: [UInt8], into output: inout [UInt8]) { decode(input.span, into: &output) }

    /// Appends what an incomplete end becomes.
    ///
    /// The decoder is then spent.
    package mutating func finish(into output: inout [UInt8]) {
        switch mode {
        case .utf8: utf8.finish(into: &output)
        case .guess:
            if utf8.isIncomplete {
                Self.decode(utf8.takePending().span, by: SingleOctetTables.windows1252, into: &output)
            }
        case .table: break
        case .converter: convert(Span(), isLast: true, into: &output)
        }
        if utf8.sawMalformed { sawMalformed = true }
    }

    /// The whole text at once.
    package static func decode(_ input: Span<UInt8>, as charset: Charset) -> [UInt8] {
        var decoder = CharsetDecoder(charset)
        var output: [UInt8] = []
        output.reserveCapacity(input.count)
        decoder.decode(input, into: &output)
        decoder.finish(into: &output)
        return output
    }

    /// Stays undecided over ASCII; the first sequence beyond it decides.
    private mutating func guess(_ input: Span<UInt8>, into output: inout [UInt8]) {
        var index = 0
        while true {
            if !utf8.isIncomplete { index = ASCIIRun.copy(input, from: index, to: &output) }
            guard index < input.count else { return }
            let byte = input[index]
            index += 1
            switch utf8.probe(byte) {
            case .incomplete: continue
            case .complete:
                output.append(contentsOf: utf8.takePending())
                mode = .utf8
            case .malformed:
                Self.decode((utf8.takePending() + [byte]).span, by: SingleOctetTables.windows1252, into: &output)
                mode = .table(SingleOctetTables.windows1252)
            }
            return decode(input.extracting(index..<input.count), into: &output)
        }
    }

    private static func decode(_ input: Span<UInt8>, by table: [UInt16], into output: inout [UInt8]) {
        var index = 0
        while true {
            index = ASCIIRun.copy(input, from: index, to: &output)
            guard index < input.count else { return }
            let scalar = table[Int(input[index] & 0x7F)]
            index += 1
            if scalar < 0x800 {
                output.append(0xC0 | UInt8(scalar >> 6))
            } else {
                output.append(0xE0 | UInt8(scalar >> 12))
                output.append(0x80 | UInt8(scalar >> 6 & 0x3F))
            }
            output.append(0x80 | UInt8(scalar & 0x3F))
        }
    }

    private mutating func convert(_ input: Span<UInt8>, isLast: Bool, into output: inout [UInt8]) {
        guard let converter else { return }
        var malformed: CInt = 0
        input.withUnsafeBufferPointer { source in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(CICU_LEAST_ROOM)) { target in
                var start = 0
                while true {
                    var consumed = 0
                    let written = cicu_decoder_decode(
                        converter,
                        source.baseAddress.map { $0 + start },
                        source.count - start,
                        isLast ? 1 : 0,
                        target.baseAddress,
                        &consumed,
                        &malformed
                    )
                    start += consumed
                    output.append(contentsOf: target[..<written])
                    if start == source.count, written == 0 { break }
                    if consumed == 0, written == 0 { break }
                }
            }
        }
        if malformed != 0 { sawMalformed = true }
    }
}
