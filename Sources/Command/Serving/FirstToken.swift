// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Configuration
internal import Crypto
internal import Files
internal import MailTypes
internal import Runtime
internal import Wire

/// The token that an operator begins with.
enum FirstToken {
    static func path(_ settings: Settings) -> String { "\(settings.data)/\(AdminToken.fileName)" }

    /// A new store gets a token of our making in `admin-token`.
    ///
    /// One that the configuration gives is taken in at each start,
    /// so that revoking it lasts only once it is gone from there, too.
    static func prepare(
        _ settings: Settings,
        rows: any TokenRows,
        tokens: TokenAuthenticator,
        clock: Clock
    ) async throws {
        guard let given = settings.adminToken else {
            _ = try await AdminToken.ensure(at: path(settings), tokens: tokens)
            return
        }
        let octets = given.withOctets { $0 }
        try await adopt(octets, rows, clock)
        try Files.replaceContents(of: path(settings), with: octets + [ASCII.lf])
    }

    private static func adopt(_ octets: [UInt8], _ rows: any TokenRows, _ clock: Clock) async throws {
        let hash = Digest.sha256(octets)
        guard try await rows.grant(hash: hash) == nil else { return }
        let grant = TokenGrant(
            id: .random(),
            name: "admin, from the configuration",
            scopes: .all,
            accounts: nil,
            origins: [],
            createdAt: Timestamp(milliseconds: clock.now()),
            expiresAt: nil
        )
        try await rows.insert(grant, hash: hash)
    }
}
