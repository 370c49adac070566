// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import HTTP
internal import HTTPServer
internal import JSON
internal import Runtime
internal import Sockets
internal import Storage
internal import Wire

/// What the unix socket offers: the API, and work on the store as a whole that has no place in the API.
struct LocalApplication: HTTPApplication {
    let api: any HTTPApplication
    let store: Store
    /// Nil where the configuration gives the key.
    let rotation: KeyRotation?
    /// Backups and rotations have their turn one after another: a backup that saw half a rotation would lack a key.
    private let maintenance = Lock<Bool>(false)

    init(api: any HTTPApplication, store: Store, rotation: KeyRotation?) {
        self.api = api
        self.store = store
        self.rotation = rotation
    }

    static let rotateKeyPath = "/local/rotate-key"
    static let verifyPath = "/local/verify"
    static let backupPath = "/local/backup"
    static let queuePath = "/local/queue"
    static let quarantinePath = "/local/quarantine"
    static let quarantineBodyPath = "/local/quarantine/body"
    static let quarantineReleasePath = "/local/quarantine/release"

    func handle(_ exchange: HTTPExchange) async throws {
        let path = String(decoding: Array(exchange.path), as: UTF8.self)
        switch path {
        case Self.verifyPath: try await onPost(exchange, verify)
        case Self.backupPath: try await onPost(exchange) { exchange in try await alone { try await backUp(exchange) } }
        case Self.rotateKeyPath: try await onPost(exchange) { _ in try await alone { try await rotateKey() } }
        case Self.queuePath: try await onPost(exchange, changeQueue)
        case Self.quarantinePath: try await onPost(exchange, listQuarantine)
        case Self.quarantineBodyPath: try await onPost(exchange, type: "application/octet-stream", quarantinedOctets)
        case Self.quarantineReleasePath: try await onPost(exchange, releaseQuarantined)
        default: try await api.handle(exchange)
        }
    }

    private func onPost(
        _ exchange: HTTPExchange,
        type: StaticString = "application/json",
        _ body: (HTTPExchange) async throws -> ByteBuffer
    ) async throws {
        guard exchange.method == .post else {
            throw HTTPProblem(.methodNotAllowed, "method_not_allowed", "It is started with POST.")
        }
        let answer: ByteBuffer
        do {
            answer = try await body(exchange)
        } catch let error as BackupError {
            throw HTTPProblem(.conflict, "backup_failed", "\(error)")
        } catch let error as KeyRotation.Unreadable {
            throw HTTPProblem(.conflict, "unreadable", "\(error)")
        } catch let error as StoreError {
            throw HTTPProblem(.serviceUnavailable, "store_unavailable", "\(error)")
        }
        try await exchange.respond(HTTPResponse(.ok, contentType: type), body: answer)
    }

    /// The members of the body, an object.
    func members(_ exchange: HTTPExchange) async throws -> JSONObject? {
        let octets = try await exchange.collectBody(limit: 1 << 16)
        return octets.isEmpty ? nil : (try? JSONValue(parsing: octets.span))?.object
    }

    /// Refuses where another such work is under way.
    private func alone<R: ~Copyable>(_ body: () async throws -> R) async throws -> R {
        let isFree = maintenance.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isFree else {
            throw HTTPProblem(.conflict, "busy", "A backup is written or a key rotated: try again after that.")
        }
        defer { maintenance.withLock { $0 = false } }
        return try await body()
    }

    /// How many values were encrypted anew.
    private func rotateKey() async throws -> ByteBuffer {
        guard let rotation else {
            throw HTTPProblem(
                .conflict,
                "key_given",
                "The key comes from the configuration: give the new one as secret and this one as previousSecret, and start."
            )
        }
        let count = try await rotation.rotate { try? await EventLoop.current?.sleep(milliseconds: 2000) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("values")
        writer.number(Int64(count))
        writer.endObject()
        return writer.finish()
    }

    private func verify(_ exchange: HTTPExchange) async throws -> ByteBuffer {
        let findings = try await store.verify()
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("items")
        writer.beginArray()
        for finding in findings { writer.string(finding.description) }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }

    /// `{"directory": an absolute path}`; what the backup says of itself.
    private func backUp(_ exchange: HTTPExchange) async throws -> ByteBuffer {
        guard let path = try await members(exchange)?["directory"]?.string, path.first == ASCII.slash else {
            throw HTTPProblem(.unprocessableContent, "invalid_fields", "directory must be an absolute path.")
        }
        let manifest = try await store.backUp(to: String(decoding: path, as: UTF8.self))
        return ByteBuffer(manifest.octets)
    }

    /// `{"release": true}` lets a held queue go on, `{}` changes nothing; how it stands.
    private func changeQueue(_ exchange: HTTPExchange) async throws -> ByteBuffer {
        let isReleasing = try await members(exchange)?["release"]?.bool ?? false
        if isReleasing { _ = try await store.write { try $0.outbox.release() } }
        let (since, waiting) = try await store.read { (try $0.outbox.heldSince(), try $0.outbox.waiting()) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("heldSince")
        writer.string(since?.description)
        writer.key("waiting")
        writer.number(Int64(waiting))
        writer.endObject()
        return writer.finish()
    }
}
