// SPDX-License-Identifier: Apache-2.0

import Storage
import Wire

// A search's cursor has, before its two numbers, which order they are a place in. That follows from the query, so the
// cursors of all lists are alike: 32 digits, of which every one is a place.
extension SearchCursor {
    var digits: [UInt8] {
        let place = Array(octets.dropFirst())
        return Hex.encode(place.span)
    }
}

extension SearchService {
    private static var orders: ClosedRange<UInt8> { 1...2 }

    /// A page of what the query finds, from behind the place that `digits` say.
    func page(
        _ query: SearchQuery,
        of account: AccountKey,
        folder: FolderKey?,
        known: SearchHits,
        limit: Int,
        after digits: [UInt8]?
    ) async throws -> SearchPage {
        guard let digits, let place = Hex.decode(digits.span) else {
            return try await search(account, query, folder: folder, known: known, limit: limit)
        }
        for order in Self.orders {
            let octets = [order] + place
            guard let cursor = SearchCursor(octets: octets.span) else { continue }
            do {
                return try await search(
                    account,
                    query,
                    folder: folder,
                    known: known,
                    limit: limit,
                    after: cursor
                )
            } catch SearchError.foreignCursor {
                continue
            }
        }
        throw APIProblem.invalidParameter("cursor", "invalid", "is not a cursor that this list gave")
    }
}
