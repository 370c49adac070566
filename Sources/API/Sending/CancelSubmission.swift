// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Storage

/// `DELETE /v1/accounts/{account}/outbox/{submission}`: no more tries for recipients still waiting; 409 where none is.
enum CancelSubmission {
    static let operation = Operation(
        "cancelSubmission",
        .delete,
        "/v1/accounts/{account}/outbox/{submission}",
        scope: .send
    ) { call in
        try call.refuseParameters()
        let (account, caller) = (call.account, call.caller)
        let id: SubmissionID = try call.id("submission", "submission")
        let submission = try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            guard let submission = try transaction.outbox.get(id, in: account.key) else {
                throw APIProblem.notFound("submission")
            }
            guard try transaction.outbox.cancel(submission) > 0 else {
                throw APIProblem(.conflict, "not_cancellable", "No recipient is waiting any more.")
            }
            return try transaction.outbox.get(id, in: account.key) ?? submission
        }
        try await call.respond { SubmissionJSON.write(submission, to: &$0) }
    }
}
