// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Storage

/// `GET /v1/accounts/{account}/outbox/{submission}`: how each recipient of a submission stands.
enum GetSubmission {
    static let operation = Operation(
        "getSubmission",
        .get,
        "/v1/accounts/{account}/outbox/{submission}",
        scope: .read
    ) { call in
        try call.refuseParameters()
        let (account, caller) = (call.account, call.caller)
        let id: SubmissionID = try call.id("submission", "submission")
        let submission = try await call.store.read { snapshot in
            try snapshot.outbox.get(id, in: try account.resolve(in: snapshot, for: caller).key)
        }
        guard let submission else { throw APIProblem.notFound("submission") }
        try await call.respond { SubmissionJSON.write(submission, to: &$0) }
    }
}
