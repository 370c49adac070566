// SPDX-License-Identifier: Apache-2.0

import Backends
import Foundation
import MailTypes
import Runtime
import Storage
import Testing
import Wire

@testable import Delivery

@Suite struct CourierTests {
    // MARK: What is delivered

    @Test func whatIsQueuedIsDeliveredOnce() async throws {
        try await CourierFixture.run { fixture in
            var ids: [SubmissionID] = []
            for number in 0..<40 {
                ids.append(try await fixture.submit("m\(number)", to: "a\(number)@x.example", "b@x.example"))
            }
            for id in ids {
                let rows = try await fixture.wait(for: id, .delivered, .delivered)
                #expect(rows[0].code == 250 && rows[0].status == "2.0.0" && rows[0].phase == "final")
                #expect(rows[0].attempts == 1 && rows[0].due == nil)
                let types = try await fixture.events(of: id)
                #expect(types == ["message.queued", "message.queued", "message.delivered", "message.delivered"])
            }
            #expect(fixture.taker.taken.count == 40)
            #expect(Set(fixture.taker.taken.flatMap(\.recipients)).count == 41)
            // Several messages went over each connection.
            #expect(fixture.taker.mostOpen <= 4)
            #expect(fixture.taker.connections < 20)
        }
    }

    @Test func whatWasQueuedBeforeTheStartIsDelivered() async throws {
        try await CourierFixture.run(starting: false) { fixture in
            let id = try await fixture.submit("early", to: "a@x.example")
            fixture.courier.start()
            _ = try await fixture.wait(for: id, .delivered)
        }
    }

    @Test func manyRecipientsGoInSeveralMessages() async throws {
        try await CourierFixture.run {
            $0.limits.recipientsPerMessage = 2
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example", "b@x.example", "c@x.example")
            _ = try await fixture.wait(for: id, .delivered, .delivered, .delivered)
            #expect(fixture.taker.taken.map(\.recipients.count).sorted() == [1, 2])
        }
    }

    // MARK: What is not

    @Test func whoIsRefusedIsReportedOnce() async throws {
        try await CourierFixture.run {
            $0.script.rcpt = { address, _ in
                address.hasPrefix("no") ? .say("550 5.1.1 <\(address)>: nobody here") : .say("250 ok")
            }
        } _: { fixture in
            let id = try await fixture.submit("Grüße", to: "yes@x.example", "no@x.example", "no2@x.example")
            let rows = try await fixture.wait(for: id, .delivered, .refused, .refused)
            #expect(rows[1].code == 550 && rows[1].status == "5.1.1" && rows[1].phase == "rcpt")
            #expect(rows[1].reply == "<no@x.example>: nobody here" && rows[1].due == nil)
            let inbox = try await fixture.inbox()
            #expect(inbox.count == 1)
            let report = try #require(inbox.first)
            for part in [
                "To: <ann@example.org>", "Auto-Submitted: auto-replied", "report-type=delivery-status",
                "In-Reply-To: <Grüße@example.org>", "Final-Recipient: rfc822; no@x.example",
                "Final-Recipient: rfc822; no2@x.example", "Action: failed", "Status: 5.1.1",
                "Diagnostic-Code: smtp; 550 5.1.1 <no@x.example>: nobody here", "Remote-MTA: dns; 127.0.0.1",
                "Subject: Grüße",
            ] { #expect(report.contains(part), "\(part) is not in \(report)") }
            #expect(!report.contains("yes@x.example"))
            #expect(!report.contains("hello"))
            #expect(try await fixture.events(of: id).last == "message.bounced")
        }
    }

    @Test func aReportToAnAccountAtAServerIsToBePutThere() async throws {
        try await CourierFixture.run {
            $0.kind = .imap
            $0.script.rcpt = { _, _ in .say("550 5.1.1 nobody here") }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "no@x.example")
            _ = try await fixture.wait(for: id, .refused)
            #expect(try await fixture.inbox().count == 1)
            #expect(try await fixture.events(of: id).last == "message.bounced")
            let key = fixture.ann.key
            let waiting = try await fixture.store.read { try $0.mirror.pendingUploads(of: key, limit: 10) }
            let inbox = try await fixture.store.read { try $0.folders.find(.inbox, in: key) }
            #expect(waiting.map(\.folder) == [inbox?.key])
            while fixture.filed.withLock({ $0.isEmpty }) { try await Task.sleep(nanoseconds: 2_000_000) }
            #expect(fixture.filed.withLock { $0 } == [key])
        }
    }

    @Test func whatIsDeferredIsTriedAgain() async throws {
        try await CourierFixture.run {
            $0.script.rcpt = { _, turn in turn < 3 ? .say("450 4.2.0 greylisted") : .say("250 ok") }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            let rows = try await fixture.wait(for: id, .delivered)
            #expect(rows[0].attempts == 3)
            #expect(
                try await fixture.events(of: id) == [
                    "message.queued", "message.deferred", "message.deferred", "message.delivered",
                ]
            )
            #expect(try await fixture.inbox().isEmpty)
        }
    }

    @Test func whatTakesTooLongExpires() async throws {
        try await CourierFixture.run {
            $0.script.rcpt = { _, _ in .say("450 4.2.0 not now") }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example", lifetimeMilliseconds: 200_000)
            let rows = try await fixture.wait(for: id, .expired)
            #expect(rows[0].reply == "not now")
            let report = try #require(try await fixture.inbox().first)
            #expect(report.contains("Its time ran out") && report.contains("Status: 4.4.7"))
        }
    }

    @Test func timeRunsOutWhileNobodyCanBeReached() async throws {
        try await CourierFixture.run {
            // Nobody listens there.
            $0.port = 9
            $0.ledger.firstDelayMilliseconds = 3_600_000
            $0.ledger.longestDelayMilliseconds = 3_600_000
        } _: { fixture in
            let first = try await fixture.submit("m1", to: "a@x.example", lifetimeMilliseconds: 120_000)
            let second = try await fixture.submit("m2", to: "a@x.example", lifetimeMilliseconds: 120_000)
            _ = try await fixture.wait(for: first, .expired)
            _ = try await fixture.wait(for: second, .expired)
            // Or it is time for the next try, on a slow machine.
            #expect(fixture.ledger.standing(of: "127.0.0.1:9").circuit != .closed)
        }
    }

    @Test(arguments: [
        (["SIZE 50"], "x", "5.3.4"), (["PIPELINING"], "Grüße", "5.6.7"),
    ])
    func whatTheServerCannotCarryIsRefused(_ extensions: [String], _ subject: String, _ status: String) async throws {
        try await CourierFixture.run {
            $0.script.extensions = extensions
        } _: { fixture in
            let id = try await fixture.submit(subject, to: "a@x.example", text: String(repeating: "long ", count: 20))
            let rows = try await fixture.wait(for: id, .refused)
            #expect(rows[0].status == status)
        }
    }

    // MARK: What nobody knows

    @Test func anUnansweredEndIsTriedOnceMore() async throws {
        try await CourierFixture.run {
            $0.script.final = { _, _ in .drop }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            let rows = try await fixture.wait(for: id) { $0.first?.doubts == 2 }
            #expect(rows[0].state == .unknown && rows[0].due == nil && rows[0].attempts == 2)
            #expect(
                try await fixture.events(of: id) == ["message.queued", "message.unknown", "message.unknown"]
            )
            // The same octets, and so the same Message-ID, both times.
            #expect(fixture.taker.taken.count == 2 && Set(fixture.taker.taken).count == 1)
            #expect(try await fixture.inbox().isEmpty)
        }
    }

    @Test func anUnansweredEndIsOnlyReportedWhereThatIsWanted() async throws {
        try await CourierFixture.run {
            $0.retriesUnknown = false
            $0.script.final = { subject, _ in subject == "m" ? .drop : .say("250 ok") }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            let rows = try await fixture.wait(for: id, .unknown)
            #expect(rows[0].due == nil && rows[0].phase == "final" && rows[0].code == nil)
            _ = try await fixture.wait(for: try await fixture.submit("next", to: "a@x.example"), .delivered)
            #expect(fixture.taker.taken.count == 2)
        }
    }

    /// A process that ended between a message's end and the answer leaves a mark, and the next one says so.
    @Test(arguments: [true, false])
    func whatACrashCutOffIsUnknown(_ retries: Bool) async throws {
        try await CourierFixture.run({ $0.retriesUnknown = retries }, starting: false) { fixture in
            let id = try await fixture.submit("m", to: "a@x.example", "b@x.example")
            let before = try await fixture.recipients(of: id)
            let marked = try await fixture.store.write { try $0.outbox.noteEnding(for: [before[0]]) }
            #expect(marked == 1)
            fixture.courier.start()
            if retries {
                let rows = try await fixture.wait(for: id, .delivered, .delivered)
                #expect(rows.map(\.doubts) == [1, 0])
            } else {
                let rows = try await fixture.wait(for: id, .unknown, .delivered)
                #expect(rows[0].due == nil)
                #expect(fixture.taker.taken.map(\.recipients) == [["b@x.example"]])
            }
        }
    }

    // MARK: Whoever stands between

    @Test func anUnreachableServerIsTriedByOne() async throws {
        try await CourierFixture.run {
            $0.script.greeting = { $0 < 4 ? .hangUp("554 5.3.2 closed") : .say("220 open") }
        } _: { fixture in
            var ids: [SubmissionID] = []
            for number in 0..<10 { ids.append(try await fixture.submit("m\(number)", to: "a@x.example")) }
            for id in ids { _ = try await fixture.wait(for: id, .delivered) }
            // Some were deferred by the connections that failed, most waited for one that did not.
            var attempts = 0
            for id in ids { attempts += try await fixture.recipients(of: id)[0].attempts }
            #expect(attempts <= 10 + 3 + 4)
            #expect(fixture.taker.taken.count == 10)
        }
    }

    @Test func aServerWithEnoughConnectionsGetsNoMore() async throws {
        try await CourierFixture.run {
            $0.script.greeting = { $0 == 2 ? .hangUp("421 4.7.0 too many connections") : .say("220 hello") }
            $0.script.final = { subject, turn in .say("250 ok") }
        } _: { fixture in
            var ids: [SubmissionID] = []
            for number in 0..<20 { ids.append(try await fixture.submit("m\(number)", to: "a@x.example")) }
            for id in ids { _ = try await fixture.wait(for: id, .delivered) }
            #expect(fixture.taker.taken.count == 20)
        }
    }

    @Test func aRefusedLoginIsNotRepeatedForEveryMessage() async throws {
        try await CourierFixture.run {
            $0.rate = 1
            $0.password = "wrong"
            $0.script.extensions = ["AUTH PLAIN"]
            $0.script.auth = { .say("535 5.7.8 no") }
            $0.limits.loginDelayMilliseconds = 3_600_000
        } _: { fixture in
            for number in 0..<5 { _ = try await fixture.submit("m\(number)", to: "a@x.example") }
            let id = try await fixture.submit("last", to: "a@x.example")
            while fixture.taker.logins == 0 { try await Task.sleep(nanoseconds: 2_000_000) }
            try await Task.sleep(nanoseconds: 200_000_000)
            #expect(try await fixture.recipients(of: id)[0].state == .queued)
            #expect(fixture.taker.logins == 1)
            #expect(fixture.taker.taken.isEmpty)
            #expect(fixture.ledger.standing(of: "127.0.0.1:\(fixture.taker.port)").circuit == .closed)
        }
    }

    @Test func withoutAServerMailWaits() async throws {
        try await CourierFixture.run {
            $0.hasRoute = false
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            let rows = try await fixture.wait(for: id) { $0.first?.state == .deferred }
            #expect(rows[0].reply == "The account has no server to send through.")
        }
    }

    @Test func anotherRouteEndsTheWaitAfterARefusedLogin() async throws {
        let logins = Lock(0)
        try await CourierFixture.run {
            $0.rate = 1
            $0.password = "wrong"
            $0.script.extensions = ["AUTH PLAIN"]
            $0.script.auth = {
                logins.withLock { count in
                    count += 1
                    return count == 1 ? .say("535 5.7.8 no") : .say("235 2.7.0 yes")
                }
            }
            $0.limits.loginDelayMilliseconds = 3_600_000
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            _ = try await fixture.wait(for: id, .deferred)
            fixture.route.withLock { $0?.version = [2] }
            let other = try await fixture.submit("other", to: "a@x.example")
            _ = try await fixture.wait(for: other, .delivered)
        }
    }

    @Test func aMessageThatCannotBeReadKeepsNoOtherWaiting() async throws {
        try await CourierFixture.run({ $0.rate = 1 }, starting: false) { fixture in
            let large = String(repeating: "x\r\n", count: 200_000)
            let lost = try await fixture.submit("lost", to: "a@x.example", text: large)
            try FileManager.default.removeItem(atPath: fixture.store.bodies.directory)
            let other = try await fixture.submit("other", to: "a@x.example")
            fixture.courier.start()
            _ = try await fixture.wait(for: other, .delivered)
            let rows = try await fixture.wait(for: lost, .deferred)
            #expect(rows[0].reply == "The message cannot be read.")
        }
    }

    @Test func stoppingWaitsForNoServer() async throws {
        try await CourierFixture.run {
            $0.rate = 1
            $0.script.final = { _, _ in .silent }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            _ = try await fixture.wait(for: id) { $0.first?.ending != nil }
            await fixture.courier.stop(milliseconds: 50)
            #expect(try await fixture.recipients(of: id)[0].state == .unknown)
        }
    }

    // MARK: What its owner wants

    @Test func anotherTryOfAnUnknownOutcomeCanBeCalledOff() async throws {
        try await CourierFixture.run {
            $0.rate = 1
            $0.script.final = { _, _ in .drop }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            _ = try await fixture.wait(for: id) { $0.first?.state == .unknown && $0.first?.due != nil }
            let ann = fixture.ann
            let row = try await fixture.store.read { try $0.outbox.get(id, in: ann.key) }
            let submission = try #require(row)
            #expect(try await fixture.store.write { try $0.outbox.cancel(submission) } == 1)
            let rows = try await fixture.recipients(of: id)
            #expect(rows[0].state == .unknown && rows[0].due == nil)
        }
    }

    @Test func aCancelledMessageIsNotSent() async throws {
        try await CourierFixture.run {
            $0.script.rcpt = { _, turn in .say("450 4.2.0 later") }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            _ = try await fixture.wait(for: id) { $0.first?.state == .deferred }
            let ann = fixture.ann
            let row = try await fixture.store.read { try $0.outbox.get(id, in: ann.key) }
            let submission = try #require(row)
            _ = try await fixture.store.write { try $0.outbox.cancel(submission) }
            let rows = try await fixture.wait(for: id) { $0.first?.state == .cancelled }
            #expect(rows[0].due == nil)
            #expect(fixture.taker.taken.isEmpty)
        }
    }

    @Test func whatIsTriedAgainByHandIsSentAtOnce() async throws {
        try await CourierFixture.run {
            $0.retriesUnknown = false
            $0.script.final = { _, turn in turn == 1 ? .drop : .say("250 ok") }
        } _: { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            _ = try await fixture.wait(for: id, .unknown)
            let ann = fixture.ann
            let row = try await fixture.store.read { try $0.outbox.get(id, in: ann.key) }
            let submission = try #require(row)
            let count = try await fixture.store.write { try $0.outbox.retry(submission, expires: submission.expires) }
            #expect(count == 1)
            _ = try await fixture.wait(for: id, .delivered)
        }
    }

    @Test func aHeldQueueWaits() async throws {
        try await CourierFixture.run(starting: false) { fixture in
            let id = try await fixture.submit("m", to: "a@x.example")
            _ = try await fixture.store.write { try $0.outbox.hold() }
            fixture.courier.start()
            let later = try await fixture.submit("n", to: "a@x.example")
            try await Task.sleep(nanoseconds: 100_000_000)
            #expect(try await fixture.recipients(of: id)[0].state == .queued)
            #expect(fixture.taker.connections == 0)
            _ = try await fixture.store.write { try $0.outbox.release() }
            _ = try await fixture.wait(for: id, .delivered)
            _ = try await fixture.wait(for: later, .delivered)
        }
    }
}
