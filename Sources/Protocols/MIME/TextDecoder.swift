// SPDX-License-Identifier: Apache-2.0

package import Charsets
package import Wire

/// A text part's octets as they are stored → UTF-8, in pieces: transfer encoding first, then character set.
package struct TextDecoder: ~Copyable {
    private var body: BodyDecoder
    private var charset: CharsetDecoder
    private var octets = ByteBuffer()

    package init(_ encoding: TransferEncoding, charset: Charset?) {
        body = BodyDecoder(encoding)
        self.charset = CharsetDecoder(charset ?? .unlabelled)
    }

    /// As ``BodyDecoder/isNotEncoded``.
    package var isNotEncoded: Bool { body.isNotEncoded }

    package mutating func decode(_ input: Span<UInt8>, into output: inout ByteBuffer) {
        body.decode(input, into: &octets)
        convert(into: &output)
    }

    package mutating func finish(into output: inout ByteBuffer) {
        body.finish(into: &octets)
        convert(into: &output)
        var text: [UInt8] = []
        charset.finish(into: &text)
        output.append(text)
    }

    private mutating func convert(into output: inout ByteBuffer) {
        var held = ByteBuffer()
        swap(&held, &octets)
        var text: [UInt8] = []
        text.reserveCapacity(held.count + held.count / 8)
        charset.decode(held.bytes, into: &text)
        output.append(text)
        held.removeAll()
        swap(&held, &octets)
    }
}
