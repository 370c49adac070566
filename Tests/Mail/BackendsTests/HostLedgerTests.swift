// SPDX-License-Identifier: Apache-2.0

import Runtime
import Testing

@testable import Backends

@Suite struct HostLedgerTests {
    private let time = Lock<UInt64>(1_000_000_000)
    private let ledger: HostLedger

    init() {
        var limits = HostLedger.Limits()
        limits.connectionsPerHost = 3
        limits.dials = 4
        limits.firstDelayMilliseconds = 1000
        limits.longestDelayMilliseconds = 8000
        limits.regainMilliseconds = 10_000
        let time = time
        ledger = HostLedger(limits, clock: Clock(now: { 0 }, monotonic: { time.withLock { $0 } }))
    }

    private func advance(milliseconds: UInt64) { time.withLock { $0 += milliseconds * 1_000_000 } }

    private func open(_ host: String, _ count: Int = 1) {
        for _ in 0..<count {
            #expect(ledger.admit(host) == .granted)
            ledger.opened(host)
        }
    }

    @Test func thoseWhoWaitAreCounted() {
        #expect(ledger.standing(of: HostLedger.name("a", 25)).waiting == 0)
        ledger.beginWaiting("a:25")
        ledger.beginWaiting("a:25")
        #expect(ledger.standing(of: "a:25").waiting == 2)
        ledger.endWaiting("a:25")
        ledger.endWaiting("a:25")
        #expect(ledger.standings.isEmpty)
    }

    @Test func aServerHasSoManyConnections() {
        open("a:25", 3)
        #expect(ledger.admit("a:25") == .full)
        #expect(ledger.admit("b:25") == .granted)
        #expect(ledger.takeWanted("a:25"))
        #expect(!ledger.takeWanted("a:25"))
        ledger.closed("a:25")
        #expect(ledger.admit("a:25") == .granted)
    }

    @Test func soManyAreMadeAtATime() {
        for host in ["a:25", "b:25", "c:25", "d:25"] { #expect(ledger.admit(host) == .granted) }
        #expect(ledger.admit("e:25") == .full)
        ledger.opened("a:25")
        #expect(ledger.admit("e:25") == .granted)
    }

    @Test func aServerThatFailsIsLeftAloneLongerAndLonger() {
        var waits: [Int64] = []
        for _ in 0..<6 {
            #expect(ledger.admit("a:25") == .granted)
            ledger.failed("a:25", .unreachable, words: "refused")
            guard case .wait(let milliseconds) = ledger.admit("a:25") else {
                Issue.record("it may be tried at once")
                return
            }
            waits.append(milliseconds)
            #expect(ledger.standing(of: "a:25").circuit == .open)
            advance(milliseconds: UInt64(milliseconds))
            #expect(ledger.standing(of: "a:25").circuit == .probing)
        }
        for (index, wait) in waits.enumerated() {
            let nominal = min(Int64(1000) << Int64(index), 8000)
            #expect(nominal / 4 * 3 <= wait && wait <= nominal / 4 * 5)
        }
        #expect(ledger.standing(of: "a:25").lastTrouble == "refused")
    }

    @Test func whatFailedIsTriedByOneFirst() {
        #expect(ledger.admit("a:25") == .granted)
        ledger.failed("a:25", .unreachable, words: "refused")
        advance(milliseconds: 2000)
        #expect(ledger.admit("a:25") == .granted)
        #expect(ledger.admit("a:25") == .full)
        ledger.opened("a:25")
        #expect(ledger.admit("a:25") == .granted)
        #expect(ledger.standing(of: "a:25").circuit == .closed)
    }

    @Test func aRefusalTeachesABudgetThatIsRegained() {
        open("a:25", 2)
        #expect(ledger.admit("a:25") == .granted)
        ledger.failed("a:25", .tooMany, words: "421 too many")
        #expect(ledger.standing(of: "a:25").budget == 2)
        #expect(ledger.standing(of: "a:25").circuit == .closed)
        #expect(ledger.admit("a:25") == .full)
        ledger.overloaded("a:25", words: "421 too many")
        #expect(ledger.standing(of: "a:25").budget == 1)
        ledger.closed("a:25")
        #expect(ledger.admit("a:25") == .full)
        advance(milliseconds: 10_000)
        #expect(ledger.admit("a:25") == .granted)
    }

    @Test func aServerThatTakesNotEvenOneIsDown() {
        #expect(ledger.admit("a:25") == .granted)
        ledger.failed("a:25", .tooMany, words: "421 too many")
        #expect(ledger.standing(of: "a:25").circuit == .open)
    }

    @Test func anAccountsTroubleIsNobodyElses() {
        #expect(ledger.admit("a:25") == .granted)
        ledger.failed("a:25", .account, words: "535 no")
        #expect(ledger.admit("a:25") == .granted)
    }
}
