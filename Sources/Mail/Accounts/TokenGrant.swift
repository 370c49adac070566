// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// What a token allows.
///
/// Each is for itself: `admin` alone reads no mail.
package struct TokenScopes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Folders, messages, events.
    package static let read = Self(rawValue: 1)
    /// Changing folders, messages and flags.
    package static let write = Self(rawValue: 2)
    package static let send = Self(rawValue: 4)
    /// Accounts, tokens, webhooks.
    package static let admin = Self(rawValue: 8)
    package static let all: Self = [.read, .write, .send, .admin]

    /// The word the API writes for each bit, in the order it writes them.
    package static let words: [(scope: TokenScopes, word: StaticString)] = [
        (.read, "read"), (.write, "write"), (.send, "send"), (.admin, "admin"),
    ]

    /// The scope of an API word, exactly as written.
    package init?(word: String) {
        guard let known = Self.words.first(where: { "\($0.word)" == word }) else { return nil }
        self = known.scope
    }
}

/// A token's rights, as the store keeps them beside the token's hash; the token itself is nowhere.
package struct TokenGrant: Hashable, Sendable {
    package let id: TokenID
    /// For people: what it is used for.
    package let name: String
    package let scopes: TokenScopes
    /// The only accounts it may touch; nil for all.
    package let accounts: [AccountID]?
    /// The web origins it may be used from, besides callers that are no browsers; empty for none.
    package let origins: [String]
    package let createdAt: Timestamp
    package let expiresAt: Timestamp?
    /// To the minute; nil before its first use.
    package let lastUsedAt: Timestamp?

    package init(
        id: TokenID,
        name: String,
        scopes: TokenScopes,
        accounts: [AccountID]?,
        origins: [String],
        createdAt: Timestamp,
        expiresAt: Timestamp?,
        lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.accounts = accounts
        self.origins = origins
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
    }

    package func allows(_ scope: TokenScopes) -> Bool { scopes.isSuperset(of: scope) }

    package func allows(_ account: AccountID) -> Bool { accounts?.contains(account) ?? true }

    /// Whether a browser page of this origin may use it; octets are compared.
    package func allows(origin: [UInt8]) -> Bool { origins.contains { Array($0.utf8) == origin } }

    package func isExpired(at now: Timestamp) -> Bool { expiresAt.map { $0 <= now } ?? false }
}

/// What somebody wishes a new token to be.
package struct TokenDraft: Sendable {
    package var name: String
    package var scopes: TokenScopes
    package var accounts: [AccountID]?
    package var origins: [String]
    package var expiresAt: Timestamp?

    package init(
        name: String,
        scopes: TokenScopes,
        accounts: [AccountID]? = nil,
        origins: [String] = [],
        expiresAt: Timestamp? = nil
    ) {
        self.name = name
        self.scopes = scopes
        self.accounts = accounts
        self.origins = origins
        self.expiresAt = expiresAt
    }
}

/// A token when it is made: the only moment its text exists on our side.
package struct CreatedToken: Sendable {
    package let grant: TokenGrant
    package let text: Secret
}

/// The octets of a bearer token: `pst_` and 32 random octets in lower-case base32 without padding, 52 digits.
package enum TokenText {
    package static let prefix: StaticString = "pst_"
    package static let octetCount = 56

    /// A fresh one.
    static func random() -> [UInt8] { text(of: RandomToken.octets()) }

    /// Whether octets have the form of a token, so that a look-up is worth while.
    package static func isWellFormed(_ bearer: Span<UInt8>) -> Bool {
        guard bearer.count == octetCount, bearer.extracting(0..<4).equals(prefix) else { return false }
        for index in 4..<octetCount where !ASCII.isLower(bearer[index]) && !(0x32...0x37).contains(bearer[index]) {
            return false
        }
        return true
    }

    static func text(of octets: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(prefix)
        var bits: UInt32 = 0
        var count = 0
        for octet in octets + [0] {
            bits = bits << 8 | UInt32(octet)
            count += 8
            while count >= 5, buffer.count < octetCount {
                let digit = UInt8(bits >> UInt32(count - 5) & 31)
                buffer.append(digit < 26 ? 0x61 + digit : 0x32 + digit - 26)
                count -= 5
            }
            bits &= (1 << UInt32(count)) - 1
        }
        return buffer.array()
    }
}
