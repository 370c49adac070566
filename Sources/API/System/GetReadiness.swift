// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage

/// `GET /readyz`: whether requests should be sent here: the store takes writes, there is room for mail and nobody asked us
/// to stop.
enum GetReadiness {
    private struct Check {
        let name: StaticString
        let isGood: Bool
        let detail: StaticString
    }

    static let operation = Operation("getReadiness", .get, "/readyz", scope: nil) { call in
        try call.refuseParameters()
        let checks = [store(call), space(call), await queue(call), draining(call)]
        let isReady = checks.allSatisfy { $0.isGood }
        var fields = HTTPFields()
        if !isReady { fields.add("Retry-After", "5") }
        try await call.respond(isReady ? .ok : .serviceUnavailable, fields: fields) { writer in
            writer.beginObject()
            writer.key("status")
            writer.string(literal: isReady ? "ready" : "unready")
            writer.key("checks")
            writer.beginArray()
            for check in checks { write(check, to: &writer) }
            writer.endArray()
            writer.endObject()
        }
    }

    private static func store(_ call: Call) -> Check {
        switch call.store.state {
        case .open: Check(name: "store", isGood: true, detail: "takes writes")
        case .failed: Check(name: "store", isGood: false, detail: "takes no writes since an error of the disk")
        case .closed: Check(name: "store", isGood: false, detail: "is closed")
        }
    }

    private static func space(_ call: Call) -> Check {
        switch call.store.room {
        case .enough: Check(name: "space", isGood: true, detail: "there is room for mail")
        case .short: Check(name: "space", isGood: false, detail: "less than limits.freeOctets is free on the disk")
        case .none: Check(name: "space", isGood: false, detail: "the disk is full")
        }
    }

    /// A held queue is an operator's business, and no reason to send requests elsewhere.
    private static func queue(_ call: Call) async -> Check {
        let held = try? await call.store.read { try $0.outbox.heldSince() }
        return held ?? nil == nil
            ? Check(name: "queue", isGood: true, detail: "is not held")
            : Check(name: "queue", isGood: true, detail: "is held until postern queue release")
    }

    private static func draining(_ call: Call) -> Check {
        call.api.configuration.isDraining()
            ? Check(name: "draining", isGood: false, detail: "the server is stopping")
            : Check(name: "draining", isGood: true, detail: "the server is not stopping")
    }

    private static func write(_ check: Check, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("name")
        writer.string(literal: check.name)
        writer.key("status")
        writer.string(literal: check.isGood ? "ok" : "failed")
        writer.key("detail")
        writer.string(literal: check.detail)
        writer.endObject()
    }
}
