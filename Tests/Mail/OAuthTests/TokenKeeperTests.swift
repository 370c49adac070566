// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import Storage
import TestSupport
import Testing
import Wire

@testable import Accounts
@testable import OAuth

@Suite struct TokenKeeperTests {
    @Test func howeverManyAskTheProviderIsAskedOnce() async throws {
        let (tokens, forms) = try await FakeProvider.run { turn, _ in
            try? await EventLoop.current?.sleep(milliseconds: 50)
            return FakeProvider.token("a\(turn)", refresh: "r\(turn)")
        } _: { fake in
            let first = await withTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { await fake.token() } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            // Fifty connections whose token was refused.
            let second = await withTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { await fake.token(insteadOf: "a1") } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            return (Set(first + second), fake.forms.withLock { $0 })
        }
        #expect(tokens == ["a1", "a2"])
        #expect(
            forms == [
                "grant_type=refresh_token&refresh_token=r0&client_id=us&client_secret=s%26cret",
                "grant_type=refresh_token&refresh_token=r1&client_id=us&client_secret=s%26cret",
            ]
        )
    }

    @Test func aTokenIsRenewedBeforeItsEnd() async throws {
        let (tokens, count) = try await FakeProvider.run { turn, _ in
            FakeProvider.token("a\(turn)", seconds: 3600)
        } _: { fake in
            var tokens = [await fake.token()]
            fake.passed.withLock { $0 += 3_200_000 }
            tokens.append(await fake.token())
            fake.passed.withLock { $0 += 200_000 }
            tokens.append(await fake.token())
            tokens.append(await fake.token())
            return (tokens, fake.forms.withLock { $0.count })
        }
        #expect(tokens == ["a1", "a1", "a2", "a2"])
        #expect(count == 2)
    }

    @Test func aProviderThatIsAwayIsNoReasonToGiveUpAGoodToken() async throws {
        let (tokens, count) = try await FakeProvider.run { turn, _ in
            turn == 1 || turn == 4 ? FakeProvider.token("a\(turn)") : turn == 2 ? nil : (503, "")
        } _: { fake in
            var tokens = [await fake.token()]
            // About to end: the provider is asked, in vain, and then left alone for a while.
            fake.passed.withLock { $0 += 3_400_000 }
            tokens.append(await fake.token())
            tokens.append(await fake.token())
            // At its end.
            fake.passed.withLock { $0 += 300_000 }
            tokens.append(await fake.token())
            tokens.append(await fake.token())
            fake.passed.withLock { $0 += 6_000 }
            tokens.append(await fake.token())
            return (tokens, fake.forms.withLock { $0.count })
        }
        #expect(tokens == ["a1", "a1", "a1", "unavailable", "unavailable", "a4"])
        #expect(count == 4)
    }

    @Test func aGrantThatIsOverIsNotShownAgain() async throws {
        let (tokens, count, events, state) = try await FakeProvider.run { turn, _ in
            turn == 1 ? (400, #"{"error":"invalid_grant","error_description":"revoked"}"#) : FakeProvider.token("a2")
        } _: { fake in
            var tokens = [await fake.token(), await fake.token(insteadOf: "a0")]
            let (events, state) = try await fake.store.read { snapshot in
                var types: [String] = []
                try snapshot.events.list(of: fake.account.key, after: 0, limit: 10) { event in
                    types.append(event.type.repairedUTF8String())
                    return true
                }
                return (types, try snapshot.mirror.state(of: fake.account.key))
            }
            let count = fake.forms.withLock { $0.count }
            let grant = fake.keeper.grant(refresh: Secret(Array("new".utf8)), at: "generic", for: fake.account.id)
            try await fake.store.write { try $0.oauthGrants.put(grant, of: fake.account.key) }
            tokens.append(await fake.token())
            return (tokens, count, events, state)
        }
        let words = "refused: The provider says invalid_grant: revoked"
        #expect(tokens == [words, words, "a2"])
        #expect(count == 1)
        #expect(events.contains("account.authentication_failed"))
        #expect(state?.condition == .authenticationFailed)
        #expect(state?.reason == "The provider says invalid_grant: revoked")
    }

    @Test func anAnswerToAnOlderGrantDoesNotTakeTheNewOnesPlace() async throws {
        let version = try await FakeProvider.run { turn, _ in
            try? await EventLoop.current?.sleep(milliseconds: 200)
            return FakeProvider.token("a\(turn)", refresh: "old")
        } _: { fake in
            async let token = fake.token()
            while fake.forms.withLock({ $0.isEmpty }) { try await EventLoop.current?.sleep(milliseconds: 5) }
            let grant = fake.keeper.grant(refresh: Secret(Array("new".utf8)), at: "generic", for: fake.account.id)
            try await fake.store.write { try $0.oauthGrants.put(grant, of: fake.account.key) }
            _ = await token
            _ = await fake.token()
            return fake.forms.withLock { $0.last }
        }
        #expect(version?.contains("refresh_token=new&") == true)
    }

    /// The key may be rotated while a provider is asked: what is written then must not be sealed by the one that is gone.
    @Test(arguments: [FakeProvider.token("a1"), (400, #"{"error":"invalid_grant"}"#)])
    func anAnswerBringsNoEarlierKeyBack(_ status: Int, _ body: String) async throws {
        let isRotated = Lock(false)
        let late = try await FakeProvider.run { _, _ in
            while !isRotated.withLock({ $0 }) { try? await EventLoop.current?.sleep(milliseconds: 5) }
            return (status, body)
        } _: { fake in
            async let token = fake.token()
            while fake.forms.withLock({ $0.isEmpty }) { try await EventLoop.current?.sleep(milliseconds: 5) }
            fake.box.change(to: Secret([UInt8](repeating: 6, count: 32)))
            try await KeyRotation(store: fake.store, box: fake.box, directory: "").resealAll()
            isRotated.withLock { $0 = true }
            _ = await token
            return try await fake.store.read { try $0.sealedRows(notBeginningWith: fake.box.head, limit: 10) }
        }
        #expect(late.isEmpty)
    }

    @Test func withoutAGrantThereIsNoToken() async throws {
        let token = try await FakeProvider.run { _, _ in
            nil
        } _: { fake in
            try await fake.store.write { try $0.oauthGrants.remove(fake.account.key) }
            return await fake.token()
        }
        #expect(token == "refused: No provider was authorised for the account.")
    }
}
