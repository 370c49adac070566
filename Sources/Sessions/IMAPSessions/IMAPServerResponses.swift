// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import Sockets
import Transport
import Wire

/// Where a delegate writes its responses, on the way to the client.
///
/// They are gathered, and sent with the end of the command or when much has come together.
package final class IMAPServerResponses {
    package var encoder = IMAPResponseEncoder()
    private let connection: Connection
    private let milliseconds: Int
    var compression: IMAPCompressedStream?

    /// So much is sent together, about, in octets.
    package static let gatheredOctets = 64 << 10

    init(_ connection: Connection, milliseconds: Int) {
        self.connection = connection
        self.milliseconds = milliseconds
    }

    package func write(_ response: IMAPResponse) { encoder.write(response) }

    /// Sends what was written, where that is much, and returns when the client has taken it: to be called between messages, and
    /// between pieces of one.
    package func relieve() async throws {
        if encoder.output.count >= Self.gatheredOctets { try await send() }
    }

    /// Sends what was written.
    package func send() async throws(IOError) {
        guard !encoder.output.isEmpty else { return }
        var output = ByteBuffer()
        swap(&output, &encoder.output)
        compression?.compress(&output)
        connection.setDeadline(milliseconds: milliseconds)
        try await connection.write(&output)
    }
}
