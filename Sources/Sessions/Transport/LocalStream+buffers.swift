// SPDX-License-Identifier: Apache-2.0

package import Sockets
package import Wire

extension LocalStream {
    /// Sends and consumes all of it.
    package func write(_ buffer: inout ByteBuffer) throws(Failure) {
        while !buffer.isEmpty {
            let count = try buffer.withUnsafeBytes { bytes throws(Failure) in try send(bytes) }
            buffer.consume(count)
        }
    }

    /// Appends what comes, and says how much; 0 is the end.
    package func read(into buffer: inout ByteBuffer) throws(Failure) -> Int {
        try buffer.fill(atLeast: 64 * 1024) { memory throws(Failure) in try receive(into: memory) }
    }
}
