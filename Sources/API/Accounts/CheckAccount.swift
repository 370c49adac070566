// SPDX-License-Identifier: Apache-2.0

import HTTP
import JSON
import MailTypes
import Storage
import Sync

/// What `dryRun=true` answers where an account would be made: whether its servers can be reached and take its credentials.
enum CheckAccount {
    static func respond(_ call: Call, _ servers: [RemoteServer], of account: AccountID) async throws {
        let mailboxes = call.api.mailboxes
        var results: [(service: RemoteService, steps: [RemoteCheck.Step])] = []
        for server in servers {
            results.append((server.service, await mailboxes.check(server, of: account)))
        }
        let found = results
        try await call.respond { writer in
            writer.beginObject()
            writer.key("dryRun")
            writer.bool(true)
            writer.key("ok")
            writer.bool(found.allSatisfy { $0.steps.allSatisfy(\.isDone) })
            for (service, steps) in found { write(service, steps, to: &writer) }
            writer.endObject()
        }
    }

    private static func write(_ service: RemoteService, _ steps: [RemoteCheck.Step], to writer: inout JSONWriter) {
        switch service {
        case .imap: writer.key("imap")
        case .pop3: writer.key("pop3")
        case .smtp: writer.key("smtp")
        }
        writer.beginArray()
        for step in steps {
            writer.beginObject()
            writer.key("step")
            writer.string(step.name.rawValue)
            writer.key("ok")
            writer.bool(step.isDone)
            writer.key("detail")
            writer.string(step.detail)
            writer.endObject()
        }
        writer.endArray()
    }
}
