// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Intake

@Suite struct BaseSubjectTests {
    @Test(arguments: [
        ("Re: Hello", "Hello"), ("RE: re: Fwd: Hello", "Hello"), ("Re[2]: Hello", "Hello"),
        ("[list] Re: [x] Hello", "Hello"),
        ("[Fwd: Re: Hello]", "Hello"), ("Hello (fwd) ", "Hello"), ("  a \t b ", "a b"), ("[only]", "[only]"),
        ("[a][b]", "[b]"), ("Re:", ""), ("Reply: x", "Reply: x"), ("AW: WG: Hallo", "Hallo"), ("", ""),
        ("Re: [Fwd: [l] Re: x (fwd)]", "x"), ("Re [list]: x", "x"), ("[broken Re: x", "[broken Re: x"), ("Fw : x", "x"),
    ]) func leavesWhatTheConversationIsAbout(_ subject: String, _ expected: String) {
        #expect(BaseSubject.of(subject) == expected)
    }

    @Test(.timeLimit(.minutes(20)), arguments: ["Re:", "[", "[a]", "(fwd)", "[fwd:", "re "])
    func anythingRepeatedEnds(_ piece: String) { _ = BaseSubject.of(String(repeating: piece, count: 100_000) + "]") }
}
