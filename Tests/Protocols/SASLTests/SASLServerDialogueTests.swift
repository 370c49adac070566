// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import SASL

@Suite struct SASLServerDialogueTests {
    /// What becomes of the lines of a client, the first of which goes with the command, or is nil.
    private static func hold(_ mechanism: String, _ lines: [String?]) -> [String]? {
        guard
            var dialogue = SASLServerDialogue(Array(mechanism.utf8).span, among: SASLMechanism.allCases, mark: "334 ")
        else { return nil }
        var said: [String] = []
        for (index, line) in lines.enumerated() {
            var output = ByteBuffer()
            let octets = line.map { Array($0.utf8) }
            let step = index == 0 ? dialogue.begin(octets, &output) : dialogue.received(octets ?? [], &output)
            said.append(outcome(step, output))
        }
        return said
    }

    private static func outcome(_ step: SASLServerDialogue.Step, _ output: borrowing ByteBuffer) -> String {
        switch step {
        case .challenged: return output.bytes.repairedUTF8String()
        case .credentials(let credentials):
            return "\(credentials.authenticationID.span.repairedUTF8String()), output \(output.count)"
        case .cancelled: return "cancelled, output \(output.count)"
        case .failure(let error): return "\(error), output \(output.count)"
        }
    }

    @Test(arguments: [
        ("plain", ["AHVzZXIAcGVuY2ls"], ["user, output 0"]),
        ("PLAIN", [nil, "AHVzZXIAcGVuY2ls"], ["334 \r\n", "user, output 0"]),
        ("Login", [nil, "dXNlcg==", "cGVuY2ls"], ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "user, output 0"]),
        ("LOGIN", ["dXNlcg==", "cGVuY2ls"], ["334 UGFzc3dvcmQ6\r\n", "user, output 0"]),
        // There and empty: no name, which is not what none at all means.
        ("LOGIN", ["="], ["malformedResponse, output 0"]),
        ("PLAIN", [nil, "="], ["334 \r\n", "malformedResponse, output 0"]),
        ("PLAIN", ["*"], ["malformedResponse, output 0"]),
        ("PLAIN", [nil, "*"], ["334 \r\n", "cancelled, output 0"]),
        ("LOGIN", [nil, "dXNlcg==", "*"], ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "cancelled, output 0"]),
        ("PLAIN", ["AHVzZXIAcGVuY2l"], ["malformedResponse, output 0"]),
        ("PLAIN", ["b3RoZXIAdXNlcgBwZW5jaWw="], ["notAuthorized, output 0"]),
    ])
    func lines(_ mechanism: String, _ lines: [String?], _ outcomes: [String]) {
        #expect(Self.hold(mechanism, lines) == outcomes)
    }

    @Test(arguments: ["LOGIN", "CRAM-MD5", "PLAI", "PLAIN ", ""])
    func onlyWhatIsOfferedBegins(_ mechanism: String) {
        let name = Array(mechanism.utf8)
        let dialogue = SASLServerDialogue(name.span, among: [.plain], mark: "+ ")
        #expect(dialogue == nil)
    }
}
