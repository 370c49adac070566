// SPDX-License-Identifier: Apache-2.0

internal import CCurl
internal import Egress
internal import Glibc

/// A URL that libcurl read, and will use as it read it: there is no second reader that could see another host in it.
final class WebURL {
    enum Host {
        case name(String)
        case address(IPAddress)
    }

    let handle: OpaquePointer
    let host: Host
    /// As it is written in requests.
    let hostOctets: [UInt8]
    let port: UInt16
    let isTLS: Bool

    /// Host and port, which is one server.
    var server: String { "\(String(decoding: hostOctets, as: UTF8.self)):\(port)" }

    init(_ text: String) throws(WebClientError) {
        try Self.checkOctets(text)
        guard let handle = curl_url() else { throw .invalidURL("out of memory") }
        do throws(WebClientError) {
            let status = curl_url_set(handle, CURLUPART_URL, text, UInt32(CURLU_DISALLOW_USER))
            guard status == CURLUE_OK else { throw .invalidURL(String(cString: curl_url_strerror(status))) }
            guard Self.part(CURLUPART_ZONEID, of: handle) == nil else { throw .invalidURL("a zone in the host") }
            isTLS = Self.part(CURLUPART_SCHEME, of: handle) == Array("https".utf8)
            port = try Self.port(of: handle)
            guard let octets = Self.part(CURLUPART_HOST, of: handle) else { throw .invalidURL("no host") }
            hostOctets = octets
            host = try Self.host(octets)
        } catch {
            curl_url_cleanup(handle)
            throw error
        }
        self.handle = handle
    }

    deinit { curl_url_cleanup(handle) }

    /// The characters of RFC 3986 §2, and a scheme of ours with exactly two slashes behind it.
    ///
    /// libcurl is milder.
    private static func checkOctets(_ text: String) throws(WebClientError) {
        let octets = Array(text.utf8)
        guard octets.count <= 8192 else { throw .invalidURL("longer than 8192 octets") }
        guard let scheme = ["https://", "http://"].first(where: { isPrefix($0, of: octets) }) else {
            throw .invalidURL("it does not begin with https:// or http://")
        }
        let rest = octets.dropFirst(scheme.utf8.count)
        guard let first = rest.first, first != 0x2F else { throw .invalidURL("no host") }
        guard rest.allSatisfy({ (0x21...0x7E).contains($0) && !unsafe.contains($0) }) else {
            throw .invalidURL("a character that belongs percent-encoded")
        }
    }

    private static let unsafe: Set<UInt8> = Set("\"<>\\^`{|}".utf8)

    private static func isPrefix(_ scheme: String, of octets: [UInt8]) -> Bool {
        octets.count > scheme.utf8.count
            && zip(scheme.utf8, octets).allSatisfy { $0 == $1 || ($1 &- 0x41 < 26 && $0 == $1 | 0x20) }
    }

    private static func part(_ what: CURLUPart, of handle: OpaquePointer, flags: Int32 = 0) -> [UInt8]? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, what, &text, UInt32(flags)) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return UnsafeRawBufferPointer(start: text, count: strlen(text)).map { $0 }
    }

    private static func port(of handle: OpaquePointer) throws(WebClientError) -> UInt16 {
        guard let digits = part(CURLUPART_PORT, of: handle, flags: CURLU_DEFAULT_PORT) else {
            throw .invalidURL("no port")
        }
        var port: UInt32 = 0
        for digit in digits.prefix(6) { port = port * 10 + UInt32(digit &- 0x30) }
        guard let port = UInt16(exactly: port), port > 0 else { throw .invalidURL("the port") }
        return port
    }

    /// libcurl has turned `2130706433` and `0x7f.1` into the address they mean.
    private static func host(_ octets: [UInt8]) throws(WebClientError) -> Host {
        if octets.first == 0x5B, octets.last == 0x5D {
            guard let address = IPAddress(octets.dropFirst().dropLast()), address.width == 128 else {
                throw .invalidURL("the host")
            }
            return .address(address)
        }
        if let address = IPAddress(octets) { return .address(address) }
        return .name(String(decoding: octets, as: UTF8.self))
    }
}
