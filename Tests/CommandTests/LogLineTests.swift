// SPDX-License-Identifier: Apache-2.0

import Configuration
import Foundation
import Logging
import Runtime
import Testing
import Wire

@testable import Command

@Suite struct LogLineTests {
    private let time = Timestamp(milliseconds: 1_775_035_800_123)

    /// What a logger writes while `body` runs.
    private func lines(_ settings: Settings.Log = Settings().log, _ body: (Logger, LogOutput) -> Void) -> [String] {
        let written = Lock<[[UInt8]]>([])
        let time = time
        let output = LogOutput(settings, clock: { time }) { line in
            let copy = line.array()
            written.withLock { $0.append(copy) }
        }
        body(output.logger("smtp"), output)
        return written.withLock { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func aLineIsOneJSONObject() throws {
        let written = lines { logger, _ in
            logger.info(
                "message accepted",
                metadata: ["size": "\(12)", "account": "acc_x", "ms": .stringConvertible(3)]
            )
        }
        #expect(
            written == [
                #"{"level":"info","ts":"2026-04-01T09:30:00.123Z","msg":"message accepted","component":"smtp","account":"acc_x","ms":3,"size":"12"}"#
                    + "\n"
            ]
        )
    }

    @Test(arguments: [
        "a\nb", "a\r\n{\"level\":\"error\"}", "\u{1B}[31mred", "\u{9B}31m", "\u{85}", "\u{2028}", "\u{202E}txt.exe",
        "nul\0",
        "\"quoted\\\"", "\u{7F}", "é漢🙂",
    ])
    func noTextLeavesItsLine(_ text: String) throws {
        for format in Settings.Log.Format.allCases {
            var settings = Settings().log
            settings.format = format
            let written = lines(settings) { logger, _ in logger.error("\(text)", metadata: ["key\(text)": "\(text)"]) }
            let line = try #require(written.first)
            #expect(written.count == 1)
            #expect(line.utf8.filter { $0 == 0x0A }.count == 1 && line.utf8.last == 0x0A)
            #expect(!line.unicodeScalars.dropLast().contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
            guard format == .json else { continue }
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
            #expect(object["msg"] == text)
            #expect(object["level"] == "error")
        }
    }

    @Test func aFactCannotTakeOurKeysPlace() throws {
        let written = lines { logger, _ in logger.info("m", metadata: ["level": "error"]) }
        #expect(written.first?.contains(#""level":"info""#) == true)
        #expect(written.first?.contains(#""level_":"error""#) == true)
    }

    @Test func aLongTextIsCut() {
        let written = lines { logger, _ in logger.info("\(String(repeating: "é", count: 100_000))") }
        #expect((written.first?.utf8.count ?? 0) < LogLine.longestText + 200)
    }

    @Test func theLevelChangesForLoggersThatExist() {
        let written = lines { logger, output in
            logger.debug("one")
            output.level = .debug
            logger.debug("two")
            output.level = .error
            logger.warning("three")
        }
        #expect(written.count == 1)
        #expect(written.first?.contains("two") == true)
    }

    @Test func aSecretIsNotShown() {
        let secret = Secret(Array("hunter2".utf8))
        let written = lines { logger, _ in
            logger.info(
                "m",
                metadata: ["token": .stringConvertible(secret), "other": "\(secret)"]
            )
        }
        #expect(written.allSatisfy { !$0.contains("hunter2") && $0.contains("‹redacted›") })
    }

    @Test func logfmtHasTheSameFacts() {
        var settings = Settings().log
        settings.format = .logfmt
        let written = lines(settings) { logger, _ in logger.notice("a b", metadata: ["k": "v"]) }
        #expect(written == [#"level=notice ts=2026-04-01T09:30:00.123Z msg="a b" component="smtp" k="v""# + "\n"])
    }
}
