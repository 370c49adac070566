// SPDX-License-Identifier: Apache-2.0

internal import JSON
internal import Sockets
internal import Wire

/// What `serve` prints when everything listens: one line of JSON, for whoever started it.
struct ReadyLine {
    var http: SocketAddress?
    var https: SocketAddress?
    var smtp: SocketAddress?
    var submission: SocketAddress?
    var submissions: SocketAddress?
    var pop3: SocketAddress?
    var pop3s: SocketAddress?
    var imap: SocketAddress?
    var imaps: SocketAddress?
    var adminTokenFile = ""

    /// `{"ready":true,"http":"127.0.0.1:8025","https":null,…,"adminTokenFile":"…"}` and LF.
    var octets: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("ready")
        writer.bool(true)
        let doors: [(name: StaticString, address: SocketAddress?)] = [
            ("http", http), ("https", https), ("smtp", smtp), ("submission", submission), ("submissions", submissions),
            ("pop3", pop3), ("pop3s", pop3s), ("imap", imap), ("imaps", imaps),
        ]
        for (name, address) in doors {
            writer.key(name)
            writer.string(address?.description)
        }
        writer.key("adminTokenFile")
        writer.string(adminTokenFile)
        writer.endObject()
        var line = writer.finish()
        line.append(ASCII.lf)
        return line.array()
    }
}
