// SPDX-License-Identifier: Apache-2.0

package import Egress

/// The answer to a ``WebRequest``.
package struct WebResponse: Sendable {
    /// 200 to 599.
    package let status: Int
    /// As they came, the trailer excluded.
    package let fields: [WebRequest.Field]
    /// The beginning of the body, up to the request's limit.
    package let body: [UInt8]
    /// The body went on where ``body`` ends.
    package let isCut: Bool
    package internal(set) var timing: Timing
    /// Whom we were connected to.
    package let peer: IPAddress?
    /// The request went over a connection that was there already.
    package let isReused: Bool

    /// How long things took, in microseconds.
    package struct Timing: Sendable, Equatable {
        /// Looking up the name.
        package var lookup: Int64 = 0
        /// Waiting for others' requests to the same server.
        package var queue: Int64 = 0
        /// The TCP connection; 0 where there was one.
        package var connect: Int64 = 0
        /// The TLS handshake; 0 where there was none.
        package var tls: Int64 = 0
        /// Everything together, to the end of what was read of the answer.
        package var total: Int64 = 0
    }

    /// The value of the first field of this name, in any case.
    package func field(_ name: StaticString) -> [UInt8]? {
        fields.first { HeaderOctets.equal($0.name, name) }?.value
    }
}
