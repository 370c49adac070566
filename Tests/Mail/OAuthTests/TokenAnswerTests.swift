// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import Wire

@testable import OAuth

@Suite struct TokenAnswerTests {
    private func read(_ status: Int, _ body: String) throws(TokenAnswer.Problem) -> TokenAnswer {
        try TokenAnswer(status: status, body: Array(body.utf8))
    }

    private func problem(_ status: Int, _ body: String) -> TokenAnswer.Problem? {
        do throws(TokenAnswer.Problem) {
            _ = try read(status, body)
            return nil
        } catch {
            return error
        }
    }

    @Test func tokensAreRead() throws {
        let answer = try read(
            200,
            #"{"access_token":"a.b","token_type":"Bearer","expires_in":100,"refresh_token":"r","x":[1]}"#
        )
        #expect(answer.access.withOctets { $0 } == Array("a.b".utf8))
        #expect(answer.refresh?.withOctets { $0 } == Array("r".utf8))
        #expect(answer.lifetimeSeconds == 100)
    }

    @Test(
        arguments: [
            ("", 3600), (#","expires_in":"60""#, 60), (#","expires_in":0"#, 1), (#","expires_in":-5"#, 1),
            (#","expires_in":9000000000"#, 30 * 86_400), (#","expires_in":"+5""#, 3600), (#","expires_in":null"#, 3600),
        ] as [(String, Int64)]
    )
    func lifetimesAreBounded(_ member: String, _ seconds: Int64) throws {
        let answer = try read(200, #"{"access_token":"a","token_type":"bearer"\#(member)}"#)
        #expect(answer.lifetimeSeconds == seconds)
    }

    @Test(arguments: [
        "", "[]", "{}", "null", #"{"access_token":"a"}"#, #"{"access_token":"a","token_type":"mac"}"#,
        #"{"access_token":"","token_type":"bearer"}"#, #"{"access_token":"a b","token_type":"bearer"}"#,
        #"{"access_token":"a\u0001","token_type":"bearer"}"#, #"{"access_token":"é","token_type":"bearer"}"#,
        #"{"access_token":"a","token_type":"bearer","refresh_token":"r\n"}"#,
    ])
    func whatIsNoAnswerMayBeOneLater(_ body: String) throws {
        guard case .unavailable = try #require(problem(200, body)) else {
            Issue.record("\(body)")
            return
        }
    }

    @Test func errorsAreToldApart() {
        let invalid = problem(400, #"{"error":"invalid_grant","error_description":"Token has been\nrevoked."}"#)
        #expect(invalid == .invalidGrant("The provider says invalid_grant: Token has been?revoked."))
        #expect(problem(401, #"{"error":"invalid_client"}"#) == .refused("The provider says invalid_client."))
        #expect(problem(503, #"{"error":"invalid_client"}"#) == .unavailable("The provider says invalid_client."))
        #expect(problem(429, "slow") == .unavailable("The provider answers with status 429."))
        #expect(problem(302, "") == .unavailable("The provider answers with status 302."))
    }
}
