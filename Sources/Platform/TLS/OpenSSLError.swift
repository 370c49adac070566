// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import Sockets

/// OpenSSL's error queue, which is one per thread and so shared by all connections of a loop: emptied before each call.
enum OpenSSLError {
    static func clear() {
        // Nearly always it is empty, and to see that costs less.
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// The reason of the first error queued, in OpenSSL's words; empties the queue.
    static func takeReason(or other: String) -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return other }
        return String(cString: reason)
    }
}
