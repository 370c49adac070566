// SPDX-License-Identifier: Apache-2.0

import Accounts
import Delivery
import HTTP
import MailTypes
import Storage
import Wire

/// `POST /v1/accounts/{account}/outbox/{submission}/retry`: tries the recipients that were not reached at once; 409 where there
/// is none.
enum RetrySubmission {
    static let operation = Operation(
        "retrySubmission",
        .post,
        "/v1/accounts/{account}/outbox/{submission}/retry",
        scope: .send
    ) { call in
        try call.refuseParameters()
        let (account, caller) = (call.account, call.caller)
        let lifetime = call.api.submissions.lifetimeMilliseconds
        let id: SubmissionID = try call.id("submission", "submission")
        let submission = try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            guard let submission = try transaction.outbox.get(id, in: account.key) else {
                throw APIProblem.notFound("submission")
            }
            let expires = Timestamp(milliseconds: transaction.now.milliseconds + lifetime)
            guard try transaction.outbox.retry(submission, expires: expires) > 0 else {
                throw APIProblem(.conflict, "not_retryable", "No recipient is left that could be tried again.")
            }
            return try transaction.outbox.get(id, in: account.key) ?? submission
        }
        try await call.respond { SubmissionJSON.write(submission, to: &$0) }
    }
}
