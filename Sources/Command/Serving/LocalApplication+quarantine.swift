// SPDX-License-Identifier: Apache-2.0

internal import HTTP
internal import HTTPServer
internal import Intake
internal import JSON
internal import MailTypes
internal import Storage
internal import Wire

/// Messages that are kept unread because the process died while it read them.
extension LocalApplication {
    func listQuarantine(_ exchange: HTTPExchange) async throws -> ByteBuffer {
        let found = try await store.read { try $0.messages.quarantined(limit: 10_000) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("items")
        writer.beginArray()
        for item in found {
            writer.beginObject()
            writer.key("accountId")
            writer.string("\(item.account)")
            writer.key("id")
            writer.string("\(item.message)")
            writer.key("size")
            writer.number(item.size)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }

    /// The octets of the message, as they were accepted.
    func quarantinedOctets(_ exchange: HTTPExchange) async throws -> ByteBuffer {
        let reader = try await store.openBody(try await quarantinedBody(exchange).row)
        var octets = ByteBuffer()
        _ = try await reader.read(0..<reader.size, into: &octets, on: store.blocking)
        return octets
    }

    func releaseQuarantined(_ exchange: HTTPExchange) async throws -> ByteBuffer {
        let count = try await Rereading.release(try await quarantinedBody(exchange), in: store)
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("messages")
        writer.number(Int64(count))
        writer.endObject()
        return writer.finish()
    }

    /// The body of the message that `{"message": id}` names, whatever its account.
    private func quarantinedBody(_ exchange: HTTPExchange) async throws -> (hash: BodyHash, row: Int64) {
        let text = try await members(exchange)?["message"]?.string ?? []
        let id = PlacementID(String(decoding: text, as: UTF8.self))
        guard let id, let body = try await store.read({ try $0.messages.quarantinedBody(of: id) }) else {
            throw HTTPProblem(.notFound, "not_found", "There is no such message in quarantine.")
        }
        return body
    }
}
