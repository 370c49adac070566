// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// What waits in the outbox.
package struct OutboxBacklog: Hashable, Sendable {
    package var recipients: [RecipientState: Int] = [:]
    /// When the oldest of the messages was accepted.
    package var oldest: Timestamp?
}

/// Messages on their way out, and how each recipient fared.
package struct Outbox<View: StoreView> {
    let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var outbox: Outbox<Self> { Outbox(view: self) }
}

extension Outbox {
    package func get(_ id: SubmissionID, in account: AccountKey) throws -> SubmissionRow? {
        try connection.first(built: SubmissionRow.select + " WHERE o.account = ?1 AND o.id = ?2", [account, id]) {
            try SubmissionRow($0, recipients: recipients)
        }
    }

    /// The submission of a recipient that is due.
    package func get(_ key: SubmissionKey) throws -> SubmissionRow? {
        try connection.first(built: SubmissionRow.select + " WHERE o.pk = ?1", [key]) {
            try SubmissionRow($0, recipients: recipients)
        }
    }

    /// The account's submissions, newest first, from behind `cursor`, at most `limit`.
    package func list(
        of account: AccountKey,
        after cursor: MessageCursor? = nil,
        limit: Int
    ) throws -> [SubmissionRow] {
        var sql = SubmissionRow.select + " WHERE o.account = ?1"
        var parameters: [any SQLiteBindable] = [account, limit]
        if let cursor {
            sql += " AND (o.created, o.pk) < (?3, ?4)"
            parameters += [cursor.internalDate, cursor.key]
        }
        return try connection.all(built: sql + " ORDER BY o.created DESC, o.pk DESC LIMIT ?2", parameters) {
            try SubmissionRow($0, recipients: recipients)
        }
    }

    /// Recipients of any account whose next try is due by then, the longest due first, at most `limit`.
    ///
    /// None while the queue is held.
    package func due(by time: Timestamp, limit: Int) throws -> [RecipientRow] {
        guard try heldSince() == nil else { return [] }
        return try connection.all(
            built: RecipientRow.select + " WHERE r.due <= ?1 ORDER BY r.due, r.pk LIMIT ?2",
            [time.milliseconds, limit]
        ) { try RecipientRow($0) }
    }

    /// When the next try of any is due; nil when none is, or the queue is held.
    package func nextDue() throws -> Timestamp? {
        guard try heldSince() == nil else { return nil }
        return try connection.first("SELECT min(due) FROM recipients WHERE due IS NOT NULL") { $0.optionalInt64(0) }?
            .map(Timestamp.init(milliseconds:))
    }

    /// The accounts that something waits for, due or not.
    package func waitingAccounts() throws -> [AccountKey] {
        try connection.all(
            """
            WITH RECURSIVE found(account) AS (
                SELECT min(account) FROM recipients WHERE due IS NOT NULL
                UNION ALL
                SELECT (SELECT min(r.account) FROM recipients r WHERE r.due IS NOT NULL AND r.account > found.account)
                FROM found WHERE found.account IS NOT NULL
            )
            SELECT account FROM found WHERE account IS NOT NULL
            UNION SELECT account FROM recipients WHERE ending IS NOT NULL
            """
        ) { $0.key(0) }
    }

    /// An account's recipients whose next try is due by then, the longest due first, at most `limit`.
    ///
    /// None while the queue is held.
    package func due(of account: AccountKey, by time: Timestamp, limit: Int) throws -> [RecipientRow] {
        guard try heldSince() == nil else { return [] }
        return try connection.all(
            built: RecipientRow.select
                + " WHERE r.account = ?1 AND r.due <= ?2 ORDER BY r.due, r.pk LIMIT ?3",
            [account, time.milliseconds, limit]
        ) { try RecipientRow($0) }
    }

    /// An account's recipients who are still waited for though their message's time is up, at most `limit`.
    ///
    /// None while the queue is held.
    package func overdue(of account: AccountKey, at time: Timestamp, limit: Int) throws -> [RecipientRow] {
        guard try heldSince() == nil else { return [] }
        return try connection.all(
            built: RecipientRow.select
                + """
                 JOIN outbox o ON o.pk = r.submission
                WHERE r.account = ?1 AND r.due IS NOT NULL AND o.expires <= ?2 ORDER BY r.pk LIMIT ?3
                """,
            [account, time.milliseconds, limit]
        ) { try RecipientRow($0) }
    }

    /// When the account's next try behind that moment is due; nil when none is, or the queue is held.
    package func nextDue(of account: AccountKey, after time: Timestamp) throws -> Timestamp? {
        guard try heldSince() == nil else { return nil }
        return try connection.first(
            "SELECT min(due) FROM recipients WHERE account = ?1 AND due > ?2",
            account,
            time.milliseconds
        ) { $0.optionalInt64(0) }?.map(Timestamp.init(milliseconds:))
    }

    /// The account's recipients for whom the end of a message is on its way.
    ///
    /// When nothing is being sent, these were cut off by the end of the process.
    package func ending(of account: AccountKey) throws -> [RecipientRow] {
        try connection.all(
            built: RecipientRow.select + " WHERE r.account = ?1 AND r.ending IS NOT NULL",
            [account]
        ) { try RecipientRow($0) }
    }

    /// What waits to be delivered: recipients by state, and when the oldest of their messages was accepted.
    package func backlog() throws -> OutboxBacklog {
        var backlog = OutboxBacklog()
        for (state, count, oldest) in try connection.all(
            """
            SELECT r.state, count(*), min(o.created) FROM recipients r JOIN outbox o ON o.pk = r.submission
            WHERE r.due IS NOT NULL GROUP BY r.state
            """
        ) { ($0.string(0), $0.int(1), Timestamp(milliseconds: $0.int64(2))) } {
            guard let state = RecipientState(rawValue: state) else { continue }
            backlog.recipients[state] = count
            backlog.oldest = min(backlog.oldest ?? oldest, oldest)
        }
        return backlog
    }

    private func recipients(of submission: SubmissionKey) throws -> [RecipientRow] {
        try connection.all(built: RecipientRow.select + " WHERE r.submission = ?1 ORDER BY r.pk", [submission]) {
            try RecipientRow($0)
        }
    }
}

extension SubmissionRow {
    /// The place of this submission in a list.
    package var cursor: MessageCursor { MessageCursor(internalDate: created.milliseconds, key: key.value) }
}

extension Outbox where View == Transaction {
    /// Takes a message for delivery.
    ///
    /// Recipients that are queued are due at once.
    @discardableResult
    package func enqueue(_ new: NewSubmission) throws -> SubmissionRow {
        let body =
            switch new.octets {
            case .spooled(let body): try view.retainBody(body)
            case .row(let body): try retain(row: body)
            }
        try connection.run(
            """
            INSERT INTO outbox (id, account, sender, body, message_id, message, envelope, created, expires, modseq)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """,
            new.id,
            new.account,
            new.sender?.description ?? "",
            body,
            new.messageID,
            new.message,
            new.trace,
            view.now.milliseconds,
            new.expires.milliseconds,
            try view.modseq(of: new.account)
        )
        let key = SubmissionKey(connection.lastInsertRowID)
        for (address, state) in new.recipients {
            try connection.run(
                """
                INSERT INTO recipients (account, submission, address, state, due, updated)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                """,
                new.account,
                key,
                address.description,
                state.rawValue,
                state == .queued ? view.now.milliseconds : nil,
                view.now.milliseconds
            )
            try announce(RecipientOutcome(state), of: address, submission: new.id, account: new.account)
        }
        guard let row = try get(key) else { throw StoreError.corrupt("a new submission is not there") }
        return row
    }

    /// Notes that the end of a message is about to go out for these recipients; how many of them still want that, having
    /// not been cancelled meanwhile.
    ///
    /// Until the outcome is recorded, a crash leaves the fact behind (``ending(of:)``).
    package func noteEnding(for recipients: [RecipientRow]) throws -> Int {
        var wanted = 0
        for recipient in recipients {
            wanted += try connection.run(
                """
                UPDATE recipients SET ending = ?3
                WHERE account = ?1 AND pk = ?2 AND state <> 'cancelled' AND due IS NOT NULL
                """,
                recipient.account,
                recipient.key,
                view.now.milliseconds
            )
        }
        return wanted
    }

    /// Notes how a try ended; with ``RecipientOutcome/due``, when the next one is.
    ///
    /// A recipient that was cancelled meanwhile stays so, unless it was delivered, or may have been, after all: false then.
    @discardableResult
    package func record(_ outcome: RecipientOutcome, for recipient: RecipientRow) throws -> Bool {
        let current = try connection.first(
            "SELECT state, due IS NULL FROM recipients WHERE account = ?1 AND pk = ?2",
            recipient.account,
            recipient.key
        ) { (state: RecipientState(rawValue: $0.string(0)), hasEnded: $0.bool(1)) }
        guard let current else { throw StoreError.notFound(.recipient) }
        let isCancelled = current.state == .cancelled || current.state == .unknown && current.hasEnded
        if isCancelled, outcome.state != .delivered, outcome.state != .unknown {
            try connection.run(
                "UPDATE recipients SET ending = NULL WHERE account = ?1 AND pk = ?2",
                recipient.account,
                recipient.key
            )
            return false
        }
        try connection.run(
            """
            UPDATE recipients SET state = ?3, attempts = attempts + ?4, due = ?5, code = ?6, status = ?7, phase = ?8,
                reply = ?9, updated = ?10, ending = NULL, doubts = doubts + ?11
            WHERE account = ?1 AND pk = ?2
            """,
            recipient.account,
            recipient.key,
            outcome.state.rawValue,
            outcome.state == .expired ? 0 : 1,
            isCancelled ? nil : outcome.due?.milliseconds,
            outcome.code,
            outcome.status,
            outcome.phase,
            outcome.reply,
            view.now.milliseconds,
            outcome.state == .unknown ? 1 : 0
        )
        guard let submission = try touch(recipient.submission, of: recipient.account) else { return true }
        try announce(outcome, of: recipient.address, submission: submission, account: recipient.account)
        return true
    }

    /// Announces that the sender was told of recipients that were not reached, by a message in a folder or not.
    package func noteBounce(of submission: SubmissionRow, recipients: Int, message: PlacementID?) throws {
        try view.events.append(.messageBounced, to: submission.account) {
            $0.id("submissionId", submission.id)
            $0.number("recipients", Int64(recipients))
            if let message { $0.id("messageId", message) }
        }
    }

    /// Makes the recipients that have not been reached due now, those given up included; how many they are.
    ///
    /// One refused stays refused. Delivery gives up at `expires` then, if that is later than it was.
    package func retry(_ submission: SubmissionRow, expires: Timestamp) throws -> Int {
        let count = try change(submission, from: [.queued, .deferred, .expired, .unknown], to: .queued, due: view.now)
        if count > 0 {
            try connection.run(
                "UPDATE outbox SET expires = max(expires, ?3) WHERE account = ?1 AND pk = ?2",
                submission.account,
                submission.key,
                expires.milliseconds
            )
        }
        return count
    }

    /// Ends the tries for recipients still waiting; how many they are.
    ///
    /// Those who may have got the message, and would be sent it once more, stay unknown.
    package func cancel(_ submission: SubmissionRow) throws -> Int {
        let count = try change(submission, from: [.queued, .deferred], to: .cancelled, due: nil)
        let doubtful = try connection.run(
            """
            UPDATE recipients SET due = NULL, updated = ?3
            WHERE account = ?1 AND submission = ?2 AND state = 'unknown' AND due IS NOT NULL
            """,
            submission.account,
            submission.key,
            view.now.milliseconds
        )
        if doubtful > 0 { _ = try touch(submission.key, of: submission.account) }
        return count + doubtful
    }

    /// Removes a submission that has ended for all its recipients.
    package func delete(_ submission: SubmissionRow) throws {
        guard let row = try get(submission.key) else { throw StoreError.notFound(.submission) }
        guard row.recipients.allSatisfy({ $0.state.isFinal && $0.due == nil }) else {
            throw StoreError.wrongState("delivery is under way")
        }
        try connection.run("DELETE FROM outbox WHERE account = ?1 AND pk = ?2", row.account, row.key)
        try view.releaseBody(row.body)
    }

    private func change(
        _ submission: SubmissionRow,
        from: [RecipientState],
        to state: RecipientState,
        due: Timestamp?
    ) throws -> Int {
        guard let row = try get(submission.key), row.account == submission.account else {
            throw StoreError.notFound(.submission)
        }
        let affected = row.recipients.filter { from.contains($0.state) }
        for recipient in affected {
            try connection.run(
                "UPDATE recipients SET state = ?3, due = ?4, updated = ?5 WHERE account = ?1 AND pk = ?2",
                row.account,
                recipient.key,
                state.rawValue,
                due?.milliseconds,
                view.now.milliseconds
            )
            if state != recipient.state {
                try announce(
                    RecipientOutcome(state),
                    of: recipient.address,
                    submission: row.id,
                    account: row.account
                )
            }
        }
        if !affected.isEmpty { _ = try touch(row.key, of: row.account) }
        return affected.count
    }

    private func retain(row body: Int64) throws -> Int64 {
        guard try connection.run("UPDATE bodies SET refs = refs + 1 WHERE pk = ?1", body) == 1 else {
            throw StoreError.notFound(.content)
        }
        return body
    }

    private func touch(_ submission: SubmissionKey, of account: AccountKey) throws -> SubmissionID? {
        try connection.first(
            "UPDATE outbox SET modseq = ?3 WHERE account = ?1 AND pk = ?2 RETURNING id",
            account,
            submission,
            try view.modseq(of: account)
        ) { try $0.id(0) }
    }

    private func announce(
        _ outcome: RecipientOutcome,
        of address: EmailAddress,
        submission: SubmissionID,
        account: AccountKey
    ) throws {
        try view.events.append(outcome.state.event, to: account) {
            $0.id("submissionId", submission)
            $0.text("recipient", address.description)
            if let code = outcome.code { $0.number("code", Int64(code)) }
            if let status = outcome.status { $0.text("status", status) }
            if let phase = outcome.phase { $0.text("phase", phase) }
            if let reply = outcome.reply { $0.text("reply", reply) }
        }
    }
}
