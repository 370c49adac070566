// SPDX-License-Identifier: Apache-2.0

import Delivery
import JSON
import MailTypes
import Storage

/// A submission as the API shows it.
enum SubmissionJSON {
    /// The answer to a send.
    static func write(_ accepted: AcceptedSubmission, to writer: inout JSONWriter) {
        writer.beginObject()
        writeNames(accepted.id, accepted.messageID.octets, accepted.message, to: &writer)
        writer.key("recipients")
        writer.beginArray()
        for recipient in accepted.recipients {
            writer.beginObject()
            writer.key("address")
            writer.string(recipient.address.octets)
            writer.key("state")
            writer.string(recipient.state.rawValue)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    static func write(_ submission: SubmissionRow, to writer: inout JSONWriter) {
        writer.beginObject()
        writeNames(submission.id, submission.messageID ?? [], submission.message, to: &writer)
        writer.key("from")
        writer.string(submission.sender?.octets ?? [])
        writer.key("createdAt")
        writer.timestamp(submission.created)
        writer.key("recipients")
        writer.beginArray()
        for recipient in submission.recipients {
            writer.beginObject()
            writer.key("address")
            writer.string(recipient.address.octets)
            writer.key("state")
            writer.string(recipient.state.rawValue)
            writer.key("detail")
            writer.string(recipient.reply)
            writer.key("code")
            if let code = recipient.code { writer.number(Int64(code)) } else { writer.null() }
            writer.key("status")
            writer.string(recipient.status)
            writer.key("phase")
            writer.string(recipient.phase)
            writer.key("attempts")
            writer.number(Int64(recipient.attempts))
            writer.key("nextAttemptAt")
            if let due = recipient.due { writer.timestamp(due) } else { writer.null() }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    private static func writeNames(
        _ id: SubmissionID,
        _ messageID: [UInt8],
        _ message: PlacementID?,
        to writer: inout JSONWriter
    ) {
        writer.key("id")
        writer.string { id.append(to: &$0) }
        writer.key("messageId")
        writer.string("<".utf8 + messageID + ">".utf8)
        writer.key("message")
        if let message { writer.string { message.append(to: &$0) } } else { writer.null() }
    }
}
