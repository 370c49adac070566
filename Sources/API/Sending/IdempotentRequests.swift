// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import MailTypes
import Runtime
import Storage
import Wire

/// Requests under an `Idempotency-Key` that are being done just now.
///
/// Those done are in the store.
final class IdempotentRequests: Sendable {
    /// How long an answer is kept.
    static let keptMilliseconds: Int64 = 7 * 86_400_000
    static let maximumKeyOctets = 255

    private struct Name: Hashable {
        let scope: [UInt8]
        let key: [UInt8]
    }

    private let underWay = Lock(Set<Name>())

    /// The request's key, or nil where it has none; 400 where it is not 1…255 visible octets.
    static func key(_ fields: HTTPFields) throws -> [UInt8]? {
        guard let value = try fields.single("Idempotency-Key") else { return nil }
        let key = Array(value)
        guard (1...maximumKeyOctets).contains(key.count), key.allSatisfy({ $0 > ASCII.space && $0 < ASCII.delete })
        else {
            throw APIProblem(
                .badRequest,
                "invalid_idempotency_key",
                "Idempotency-Key must have 1 to 255 visible ASCII characters."
            )
        }
        return key
    }

    /// Runs `body` unless a twin is under way: then 409.
    func alone<R>(_ scope: [UInt8], _ key: [UInt8], _ body: () async throws -> R) async throws -> R {
        let name = Name(scope: scope, key: key)
        guard underWay.withLock({ $0.insert(name).inserted }) else { throw Self.inFlight }
        defer { _ = underWay.withLock { $0.remove(name) } }
        return try await body()
    }

    /// The answer to give again; nil where the request is to be done.
    static func answer(of state: IdempotencyState) throws(APIProblem) -> StoredAnswer? {
        switch state {
        case .fresh: return nil
        case .done(let answer): return answer
        case .mismatch: throw mismatch
        case .inFlight: throw inFlight
        }
    }

    static var inFlight: APIProblem {
        var problem = APIProblem(.conflict, "idempotency_in_flight", "The same request is being done just now.")
        problem.fields.add("Retry-After", "1")
        return problem
    }

    static let mismatch = APIProblem(
        .unprocessableContent,
        "idempotency_mismatch",
        "The Idempotency-Key was used for another request."
    )
}

extension APIProblem {
    /// Whether an `Idempotency-Key` is what the request was refused for.
    var isIdempotencyConflict: Bool {
        [IdempotentRequests.inFlight, IdempotentRequests.mismatch].contains { code.utf8Start == $0.code.utf8Start }
    }
}
