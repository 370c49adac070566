// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Wire

@testable import IMAP

/// Everything a parser makes of some octets.
struct Parsed {
    var events: [IMAPResponseEvent] = []
    var error: IMAPSyntaxError?
    var deviations: Set<IMAPDeviation> = []
    /// A response was begun and not ended.
    var isIncomplete = false

    init(_ octets: [UInt8], _ feeding: Feeding = .whole, _ limits: IMAPLimits = IMAPLimits()) {
        var parser = IMAPResponseParser(limits)
        var input = ByteBuffer()
        do throws(IMAPSyntaxError) {
            for piece in feeding.pieces(octets) {
                input.append(piece)
                while let event = try parser.next(&input) { add(event) }
            }
        } catch {
            self.error = error
        }
        deviations = parser.deviations
        isIncomplete = !parser.isBetweenResponses || !input.isEmpty
    }

    /// Pieces of a section become one, so that the way of feeding does not show.
    private mutating func add(_ event: IMAPResponseEvent) {
        if case .sectionOctets(let octets) = event, case .sectionOctets(let before) = events.last {
            events[events.count - 1] = .sectionOctets(before + octets)
        } else {
            events.append(event)
        }
    }

    var lines: [String] {
        events.map { Said.event($0) } + (error.map { ["error: \($0)"] } ?? [])
    }
}
