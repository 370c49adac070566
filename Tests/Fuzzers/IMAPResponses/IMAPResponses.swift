// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Wire

/// The first octet chooses the limits and the size of pieces; the rest is what a server sends.
///
/// What must hold: what is read does not depend on the pieces, each FETCH and each section begins and ends in turn, and of a
/// section as many octets come as were announced.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    var limits = IMAPLimits()
    if choice & 1 != 0 { limits = .beforeLogin }
    if choice & 2 != 0 { limits.responseOctets = 64 }
    if choice & 4 != 0 { limits.parts = 3 }
    let whole = read(bytes.dropFirst(), in: bytes.count, limits)
    let pieces = read(bytes.dropFirst(), in: [1, 3, 64, 500][Int(choice >> 4 & 3)], limits)
    precondition(whole == pieces)
    return 0
}

private func read(_ bytes: ArraySlice<UInt8>, in pieces: Int, _ limits: IMAPLimits) -> [IMAPResponseEvent] {
    var parser = IMAPResponseParser(limits)
    var input = ByteBuffer()
    var events: [IMAPResponseEvent] = []
    var isFetching = false
    var announced: UInt64?
    var start = bytes.startIndex
    do throws(IMAPSyntaxError) {
        while start < bytes.endIndex {
            let end = min(start + pieces, bytes.endIndex)
            input.append(bytes[start..<end])
            start = end
            while let event = try parser.next(&input) {
                switch event {
                case .fetchBegins:
                    precondition(!isFetching)
                    isFetching = true
                case .fetchEnds:
                    precondition(isFetching && announced == nil)
                    isFetching = false
                case .sectionBegins(_, let octets):
                    precondition(isFetching && announced == nil)
                    announced = octets
                case .sectionOctets(let octets):
                    announced = announced.map { $0 - UInt64(octets.count) }
                    if case .sectionOctets(let before) = events.last {
                        events[events.count - 1] = .sectionOctets(before + octets)
                        continue
                    }
                case .sectionEnds:
                    precondition(announced == 0)
                    announced = nil
                case .fetchItem: precondition(isFetching)
                case .response: precondition(!isFetching)
                case .unreadable: break
                }
                events.append(event)
            }
        }
    } catch {
        // An end of the reading may be seen earlier or later, by what is known of the line so far.
        return []
    }
    return events
}
