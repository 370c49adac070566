// SPDX-License-Identifier: Apache-2.0

package import JSON
package import MailTypes
package import Wire

// The one form in which an event leaves the server: an item of a page, the data of a stream, the body of a webhook. The
// members `type`, `timestamp` and `data` are those of Standard Webhooks 1.0.
//
//     {"type":"message.received","timestamp":"2026-11-25T04:30:00.000Z","id":"evt_c4mt2q7v6k3x5jrh_12",
//      "accountId":"acc_c4mt2q7v6k3x5jrh","seq":12,"data":{…}}
extension EventView {
    /// Writes the event as an object.
    ///
    /// What `extending` writes are further members of its `data`, behind those of the log.
    package func write(
        to writer: inout JSONWriter,
        extending: (inout JSONWriter) throws -> Void = { _ in }
    ) throws {
        let account = try account
        writer.beginObject()
        writer.key("type")
        writer.string(type)
        writer.key("timestamp")
        writer.timestamp(time)
        writer.key("id")
        writer.string { EventID(account: account, seq: seq).append(to: &$0) }
        writer.key("accountId")
        writer.string { account.append(to: &$0) }
        writer.key("seq")
        writer.number(seq)
        writer.key("data")
        writer.beginObject()
        writer.raw(members: members)
        try extending(&writer)
        writer.endObject()
        writer.endObject()
    }

    /// The members of ``data``, without its braces.
    private var members: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let data = data
            return data.extracting(min(1, data.count)..<max(data.count - 1, min(1, data.count)))
        }
    }
}

/// What names an event among all events of all accounts, always the same: `evt_`, the account's 16 digits, `_` and the
/// event's number.
package struct EventID: Hashable, Sendable {
    package let account: AccountID
    package let seq: Int64

    package init(account: AccountID, seq: Int64) {
        self.account = account
        self.seq = seq
    }

    /// Writes the text form.
    package func append(to buffer: inout ByteBuffer) {
        buffer.append("evt_")
        account.appendDigits(to: &buffer)
        buffer.append("_")
        buffer.append(decimal: UInt64(max(seq, 0)))
    }
}
