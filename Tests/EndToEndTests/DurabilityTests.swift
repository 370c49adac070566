// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What is acknowledged stays: the scripts in `Outside` that look at it from there, in a small size.
///
/// Each says in its first lines how it is run in full.
@Suite(.serialized) struct DurabilityTests {
    private let folder = try? Folder()

    private func python(_ script: String, _ arguments: String...) throws -> Outcome {
        let folder = try #require(folder).path
        return try run(
            "/usr/bin/python3",
            ["\(Project.root)/Tests/EndToEndTests/Outside/\(script)", Project.postern, folder] + arguments,
            seconds: 600
        )
    }

    private func expectPassed(_ outcome: Outcome, _ location: SourceLocation = #_sourceLocation) {
        #expect(outcome.status == 0, "\(outcome.output.suffix(4000)) \(outcome.errors)", sourceLocation: location)
    }

    @Test func everyAcknowledgementComesAfterItsSync() throws {
        expectPassed(try python("sync_order.py", "--acks", "150", "--clients", "4"))
    }

    @Test func whatWasAcknowledgedOutlivesKillsAndStops() throws {
        expectPassed(try python("kills.py", "--kills", "4", "--stops", "2", "--clients", "8", "--seconds", "0.5"))
    }

    @Test func aPOP3SessionDeletesAllOrNothingThroughKills() throws {
        expectPassed(try python("pop3_kills.py", "--kills", "4", "--clients", "8"))
    }

    @Test func errorsOfTheDiskLoseNothing() throws {
        expectPassed(try python("disk_faults.py", "--runs", "10", "--clients", "3", "--seconds", "0.8"))
    }

    @Test func aFullDiskLosesNothing() throws {
        let outcome = try python("full_disk.py", "--rounds", "1", "--clients", "4")
        if outcome.errors.hasPrefix("SKIPPED") { print(outcome.errors) } else { expectPassed(outcome) }
    }

    @Test func aKeyHappensOnceThroughKills() throws {
        expectPassed(try python("twins.py", "--keys", "8", "--twins", "12", "--kills", "2"))
    }

    @Test func aQuarantinedMessageCanBeReadAgain() throws {
        expectPassed(try python("quarantine.py"))
    }

    @Test func aBackupIsAStateThatWas() throws {
        expectPassed(try python("backups.py", "--clients", "4", "--before", "0.7", "--backups", "1"))
    }
}
