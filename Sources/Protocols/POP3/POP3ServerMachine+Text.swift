// SPDX-License-Identifier: Apache-2.0

package import Wire

/// RETR and TOP: a message on its way, piece by piece.
extension POP3ServerMachine {
    mutating func open(_ number: UInt32, lines: UInt32?, _ output: inout ByteBuffer) -> Action? {
        guard let index = maildrop.index(of: number) else {
            reply(.noSuchMessage, &output)
            return nil
        }
        state = .deciding(.open(lines: lines))
        return .open(index)
    }

    /// The answer to `open`.
    package mutating func opened(_ verdict: POP3RetrievalVerdict, _ output: inout ByteBuffer) {
        guard case .deciding(.open(let lines)) = state else { preconditionFailure("no message was asked for") }
        state = .command
        switch verdict {
        case .begin:
            reply(.ok("Here it is"), &output)
            content.removeAll()
            state = .text(Text(cut: lines.map(POP3TopCut.init)))
        case .gone: reply(.gone, &output)
        case .needsUTF8: reply(.needsUTF8, &output)
        case .unavailable: reply(.unavailable, &output)
        }
    }

    /// The answer to `content`: more of the message is there; `isEnd` is the rest of it.
    package mutating func supplied(isEnd: Bool) {
        guard case .text(var text) = state else { preconditionFailure("nothing was asked for") }
        precondition(isEnd || !content.isEmpty, "neither octets nor the end")
        text.isEnd = isEnd
        state = .text(text)
    }

    /// Sends what is there of a message, or asks for more.
    mutating func send(_ text: Text, _ output: inout ByteBuffer) -> Action? {
        guard !content.isEmpty || text.isEnd else { return .content }
        var text = text
        let count = text.cut?.take(content.bytes) ?? content.count
        text.encoder.encode(content.bytes.extracting(0..<count), into: &output)
        content.removeAll(keepingCapacity: false)
        if text.isEnd || text.cut?.isDone ?? false {
            text.encoder.finish(into: &output)
            state = .command
        } else {
            state = .text(text)
        }
        return nil
    }
}
