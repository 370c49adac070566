// SPDX-License-Identifier: Apache-2.0

import Accounts
import EmbeddedFiles
import HTTP
import HTTPServer
import Wire

/// `GET /openapi.yaml`: the contract, as it was when this was built.
enum GetOpenAPI {
    static let operation = Operation("getOpenAPI", .get, "/openapi.yaml", scope: nil) { call in
        try call.refuseParameters()
        try await call.exchange.respond(
            HTTPResponse(.ok, contentType: "application/yaml"),
            body: ByteBuffer(EmbeddedFile.openAPI)
        )
    }
}
