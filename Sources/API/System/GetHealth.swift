// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON

/// `GET /healthz`: whether the process can answer.
///
/// It looks at nothing else, so that no full disk makes a supervisor restart us over and over.
enum GetHealth {
    static let operation = Operation("getHealth", .get, "/healthz", scope: nil) { call in
        try call.refuseParameters()
        try await call.respond { writer in
            writer.beginObject()
            writer.key("status")
            writer.string(literal: "ok")
            writer.endObject()
        }
    }
}
