// SPDX-License-Identifier: Apache-2.0

package import Runtime
package import SASL
package import Sockets
package import Wire

/// What the driver of a client's dialogue does with its connection: opens and secures it, sends what there is, reads what
/// comes, with one deadline for one answer, and gives up when its task is cancelled.
///
/// It belongs to the one task that uses it, on its loop.
package final class DialogueChannel {
    package let connection: Connection
    /// What came and was not looked at.
    package var input = ByteBuffer()
    /// What is to be sent.
    package var output = ByteBuffer()
    /// What ``startTLS(milliseconds:)`` failed with, which the protocols' machines have no word for.
    package private(set) var handshakeError: DialError?
    private let server: ServerEndpoint
    private let dialer: Dialer
    private let pool: BlockingPool
    /// The answer whose deadline runs, by its number.
    private var awaited: Int?

    /// Connects, with TLS where that comes first.
    ///
    /// - Parameter pool: where keys are derived.
    package init(
        to server: ServerEndpoint,
        dialer: Dialer,
        pool: BlockingPool,
        milliseconds: Int
    ) async throws(DialError) {
        connection = try await dialer.connect(to: server, milliseconds: milliseconds)
        self.server = server
        self.dialer = dialer
        self.pool = pool
    }

    /// Makes the connection a TLS one whose peer is verified, or says why not in ``handshakeError`` and returns false.
    ///
    /// What came and was not looked at is a reason.
    package func startTLS(milliseconds: Int) async -> Bool {
        do throws(DialError) {
            try await dialer.secure(connection, to: server, unread: input, milliseconds: milliseconds)
            return true
        } catch {
            handshakeError = error
            return false
        }
    }

    /// What a password is salted to, computed on the pool; nil where that takes no more work.
    package func derive(_ key: SCRAMKeyDerivation) async -> [UInt8]? {
        try? await pool.run { key.saltedPassword() }
    }

    /// Sends the output; where that fails, what was not sent stays in it.
    package func flush(milliseconds: Int) async throws(IOError) {
        guard !output.isEmpty else { return }
        connection.setDeadline(milliseconds: milliseconds)
        awaited = nil
        try await connection.write(&output)
        output.removeAll(keepingCapacity: false)
    }

    /// Reads more of an answer, for which so much time is given in all, however it dribbles.
    ///
    /// - Parameter answer: a number that is another for each answer.
    package func fill(answer: Int, milliseconds: Int) async throws(IOError) {
        if awaited != answer {
            awaited = answer
            connection.setDeadline(milliseconds: milliseconds)
        }
        // No memory while we wait.
        if input.isEmpty { input.removeAll(keepingCapacity: false) }
        guard try await connection.read(into: &input) > 0 else { throw .endOfStream }
    }

    /// Reads what is there already, without waiting, at most about 256 KiB; what fails, whoever needs the connection next finds out.
    package func takeWhatIsThere() {
        do throws(IOError) {
            var octets = 0
            while octets < 1 << 18, let count = try connection.readNow(into: &input), count > 0 { octets += count }
        } catch {
            return
        }
    }

    /// Whether nothing has come and the connection stands, as it should be between two commands.
    package var isQuiet: Bool {
        guard input.isEmpty, !connection.hasPeerClosed else { return false }
        do throws(IOError) {
            return try connection.readNow(into: &input) == nil
        } catch {
            return false
        }
    }

    /// Does `body`; when the task is cancelled meanwhile, or was before, the connection fails.
    package func cancellable<R>(_ body: () async -> R) async -> R {
        let socket = connection.socket
        return await withTaskCancellationHandler {
            await body()
        } onCancel: {
            socket.loop.post { socket.fail(.cancelled) }
        }
    }

    /// Says a last word, if that can be done at once, and closes.
    package func close(saying word: StaticString? = nil) {
        if let word, isQuiet {
            connection.writeNow(word.withUTF8Buffer { Array($0) })
        }
        connection.close()
    }
}
