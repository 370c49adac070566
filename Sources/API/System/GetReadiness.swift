// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage

/// `GET /readyz`: whether requests should be sent here: the store takes writes, there is room for mail and nobody asked us
/// to stop.
enum GetReadiness {
    static let operation = Operation("getReadiness", .get, "/readyz", scope: nil) { call in
        var query = call.query
        let verbose = query.octets("verbose")
        if let verbose, !verbose.isEmpty, verbose != Array("true".utf8), verbose != Array("false".utf8) {
            query.fail("verbose", "invalid", "must be true or false")
        }
        let isVerbose = verbose.map { $0 != Array("false".utf8) } ?? false
        try query.finish()
        var found: [(name: StaticString, finding: ReadinessCheck.Finding)] = []
        for check in [store(call), space(call), queue(call), draining(call)] + call.api.configuration.readinessChecks {
            found.append((check.name, await check.look()))
        }
        let isReady = found.allSatisfy { $0.finding.isGood }
        var fields = HTTPFields()
        if !isReady { fields.add("Retry-After", "5") }
        try await call.respond(isReady ? .ok : .serviceUnavailable, fields: fields) { writer in
            writer.beginObject()
            writer.key("status")
            writer.string(literal: isReady ? "ready" : "unready")
            writer.key("checks")
            writer.beginArray()
            for check in found where isVerbose || !check.finding.isGood {
                write(check.name, check.finding, to: &writer)
            }
            writer.endArray()
            writer.endObject()
        }
    }

    private static func store(_ call: Call) -> ReadinessCheck {
        let store = call.store
        return ReadinessCheck("store") {
            switch store.state {
            case .open: .init(isGood: true, "takes writes")
            case .failed: .init(isGood: false, "takes no writes since an error of the disk")
            case .closed: .init(isGood: false, "is closed")
            }
        }
    }

    private static func space(_ call: Call) -> ReadinessCheck {
        let store = call.store
        return ReadinessCheck("space") {
            switch store.room {
            case .enough: .init(isGood: true, "there is room for mail")
            case .short: .init(isGood: false, "less than limits.freeOctets is free on the disk")
            case .none: .init(isGood: false, "the disk is full")
            }
        }
    }

    /// A held queue is an operator's business, and no reason to send requests elsewhere.
    private static func queue(_ call: Call) -> ReadinessCheck {
        let store = call.store
        return ReadinessCheck("queue") {
            let held = try? await store.read { try $0.outbox.heldSince() }
            return .init(isGood: true, held ?? nil == nil ? "is not held" : "is held until postern queue release")
        }
    }

    private static func draining(_ call: Call) -> ReadinessCheck {
        let isDraining = call.api.configuration.isDraining
        return ReadinessCheck("draining") {
            isDraining()
                ? .init(isGood: false, "the server is stopping") : .init(isGood: true, "the server is not stopping")
        }
    }

    private static func write(
        _ name: StaticString,
        _ finding: ReadinessCheck.Finding,
        to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.key("name")
        writer.string(literal: name)
        writer.key("status")
        writer.string(literal: finding.isGood ? "ok" : "failed")
        writer.key("detail")
        writer.string(finding.detail)
        writer.endObject()
    }
}
