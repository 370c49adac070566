// SPDX-License-Identifier: Apache-2.0

import JSON
import Storage
import Sync

extension API {
    /// Has a remote account's server look for what the query wants found in the texts of messages, most of which are there
    /// only; nil where the account's mail is here or nothing is looked for in texts.
    func searchServer(
        _ query: SearchQuery,
        of account: AccountKey,
        folder: FolderKey?,
        isContinued: Bool
    ) async -> RemoteSearch? {
        let phrases = query.textPhrases
        guard !phrases.isEmpty, let mailbox = mailboxes.mailbox(of: account) else { return nil }
        return await mailbox.search(phrases, in: folder, isContinued: isContinued)
    }
}

extension JSONWriter {
    /// `"serverSearch":{"complete":…,"code":…,"detail":…}`.
    mutating func serverSearch(_ search: RemoteSearch) {
        key("serverSearch")
        beginObject()
        key("complete")
        bool(search.gap == nil)
        if let gap = search.gap {
            key("code")
            string(gap.code)
            key("detail")
            string(gap.sentence)
        }
        endObject()
    }
}

extension RemoteSearch.Gap {
    var code: String {
        switch self {
        case .timedOut: "timed_out"
        case .tooMany: "too_many"
        case .mirroring: "mirroring"
        case .failed(let error): "\(APIProblem(remote: error).code)"
        }
    }

    /// For people.
    var sentence: String {
        switch self {
        case .timedOut: "The account's server did not answer in time."
        case .tooMany: "The account's server found more messages than are taken; the newest are among them."
        case .mirroring: "Older messages of the account are not mirrored yet."
        case .failed(let error): error.reason
        }
    }
}
