// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import SASL

@Suite struct SASLClientDialogueTests {
    private static func begin(
        _ offered: Set<SASLClientMechanism>,
        isConfidential: Bool = true,
        maximumInitialOctets: Int = 100
    ) -> (dialogue: SASLClientDialogue, line: String)? {
        guard
            let credentials = SASLClientCredentials(
                authenticationID: Array("user".utf8),
                proof: .password(Secret(Array("pencil".utf8)))
            ),
            var dialogue = SASLClientDialogue(
                among: offered,
                for: credentials,
                isConfidential: isConfidential,
                channelBinding: nil,
                makeNonce: { Array("rOprNGfwEbeRWgbNEkqO".utf8) },
                hostName: [],
                port: 0
            )
        else { return nil }
        var output = ByteBuffer()
        dialogue.begin(maximumInitialOctets: maximumInitialOctets, &output)
        return (dialogue, output.bytes.repairedUTF8String())
    }

    @Test func theBestMechanismBegins() throws {
        let begun = try #require(Self.begin([.login, .plain, .scramSHA256, .scramSHA256Plus]))
        #expect(begun.dialogue.mechanism == .scramSHA256)
        #expect(begun.line == "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n")
        #expect(Self.begin([.plain, .login], isConfidential: false) == nil)
        #expect(Self.begin([.xoauth2]) == nil)
    }

    @Test func aLongResponseWaitsUntilItIsAskedFor() throws {
        #expect(try #require(Self.begin([.plain], maximumInitialOctets: 16)).line == "AUTH PLAIN AHVzZXIAcGVuY2ls\r\n")
        var (dialogue, line) = try #require(Self.begin([.plain], maximumInitialOctets: 15))
        #expect(line == "AUTH PLAIN\r\n")
        var output = ByteBuffer()
        guard case .responded = dialogue.received([], &output) else {
            Issue.record("no response")
            return
        }
        #expect(output.array() == Array("AHVzZXIAcGVuY2ls\r\n".utf8))
        #expect(dialogue.succeeded() == nil && dialogue.cancellation == nil)
    }

    @Test(arguments: ["=", "x", "AA=A", "AAAA\r"])
    func aChallengeThatIsNoBase64CancelsIt(_ challenge: String) throws {
        var dialogue = try #require(Self.begin([.scramSHA256])).dialogue
        var output = ByteBuffer()
        guard case .cancelled = dialogue.received(Array(challenge.utf8), &output) else {
            Issue.record("not cancelled")
            return
        }
        #expect(output.array() == Array("*\r\n".utf8))
        #expect(dialogue.cancellation == .malformedChallenge)
    }

    @Test func aServerWithoutProofIsNotBelieved() throws {
        var dialogue = try #require(Self.begin([.scramSHA256])).dialogue
        #expect(dialogue.succeeded() == .serverNotAuthentic)
    }
}
