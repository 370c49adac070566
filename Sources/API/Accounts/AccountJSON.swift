// SPDX-License-Identifier: Apache-2.0

import JSON
import MailTypes
import Storage
import Wire

/// An account as the API shows it.
enum AccountJSON {
    static func write(_ account: AccountRow, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("id")
        writer.string { account.id.append(to: &$0) }
        writer.key("kind")
        writer.string(account.kind.rawValue)
        writer.key("address")
        writer.string(account.address.octets)
        writer.key("alias")
        writer.string(account.alias)
        writer.key("displayName")
        writer.string(account.displayName)
        writer.key("createdAt")
        writer.timestamp(account.created)
        writer.endObject()
    }
}

extension JSONField {
    /// A mailbox of one account: ASCII, and no quoted local part.
    func address() -> EmailAddress? {
        guard let text = text(minimum: 1, maximum: EmailAddress.maximumOctets) else { return nil }
        guard text.first != ASCII.quote, let address = try? EmailAddress(text.span, allowingUTF8: false) else {
            fail(.invalid, "must be an address such as ann@example.com")
            return nil
        }
        return address
    }

    /// ```
    /// alias = let-dig [*62( let-dig / "-" ) let-dig]        ; a-z and 0-9
    /// ```
    func alias() -> String? {
        guard let text = text(minimum: 1, maximum: 64) else { return nil }
        let isAlias =
            text.allSatisfy { ASCII.isLower($0) || ASCII.isDigit($0) || $0 == ASCII.hyphen }
            && text.first != ASCII.hyphen && text.last != ASCII.hyphen
        guard isAlias else {
            fail(.invalid, "must be of a-z, 0-9 and -, with no - at its ends")
            return nil
        }
        return text.span.utf8String()
    }

    /// Text on one line: no control characters.
    func line(minimum: Int = 0, maximum: Int) -> String? {
        guard let text = text(minimum: minimum, maximum: maximum) else { return nil }
        guard !text.contains(where: ASCII.isControl) else {
            fail(.invalid, "must not contain control characters")
            return nil
        }
        return text.span.utf8String()
    }

    var isNull: Bool { value == .null }
}
