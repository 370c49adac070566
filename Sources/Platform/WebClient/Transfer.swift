// SPDX-License-Identifier: Apache-2.0

internal import CCurl
internal import Crypto
internal import Egress
internal import Glibc
internal import Sockets

/// One request on its way: what libcurl is told, and what it hands us.
///
/// Its callbacks come from within libcurl, and only store.
final class Transfer {
    typealias Outcome = Result<CURLcode, WebClientError>

    let promise = LoopPromise<Outcome>(cancelled: .failure(.cancelled))
    /// Owned by the client, while the transfer goes.
    var easy: UnsafeMutableRawPointer?
    private(set) var fields: [WebRequest.Field] = []
    private(set) var body: [UInt8] = []
    private(set) var isCut = false
    private(set) var isHeadTooLarge = false
    private(set) var refusal: EgressRefusal?
    /// Filled in when it is done.
    var report = Report()

    struct Report {
        var status = 0
        var connects = 0
        var systemError: Int32 = 0
        var connectTime: Int64 = 0
        var handshakeTime: Int64 = 0
        var sendTime: Int64 = 0
        var answerTime: Int64 = 0
        var peer: IPAddress?
    }

    private let request: WebRequest
    private let url: WebURL
    private let addresses: [IPAddress]
    private let policy: EgressPolicy
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private let reason: UnsafeMutablePointer<CChar>
    private var headOctets = 0
    private var isHeadDone = false

    /// Every octet of header sections that an answer may have, those of interim answers and the trailer included.
    private static let maximumHeadOctets = 64 << 10

    init(_ request: WebRequest, _ url: WebURL, _ addresses: [IPAddress], _ policy: EgressPolicy) {
        self.request = request
        self.url = url
        self.addresses = addresses
        self.policy = policy
        reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        reason.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        for list in lists { curl_slist_free_all(list) }
        reason.deallocate()
    }

    var isTLS: Bool { url.isTLS }

    /// libcurl's sentence about what went wrong.
    var reasonText: String {
        let octets = UnsafeRawBufferPointer(start: reason, count: strnlen(reason, Int(CURL_ERROR_SIZE)))
        return String(decoding: octets, as: UTF8.self)
    }

    // MARK: What libcurl is told

    /// False when it refuses an option, which it does for want of memory.
    func configure(_ easy: UnsafeMutableRawPointer, _ configuration: WebClientConfiguration, milliseconds: Int) -> Bool
    {
        let options = EasyOptions(easy)
        restrain(options, configuration)
        options.set(CURLOPT_TIMEOUT_MS, milliseconds)
        options.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, min(milliseconds, request.connectMilliseconds)))
        options.set(url)
        pin(options)
        setMessage(options, configuration)
        options.setCallbacks(of: self)
        options.set(CURLOPT_ERRORBUFFER, pointer: reason)
        return options.isFine
    }

    private func restrain(_ options: EasyOptions, _ configuration: WebClientConfiguration) {
        options.set(CURLOPT_NOSIGNAL, 1)
        options.set(CURLOPT_PROTOCOLS_STR, "http,https")
        options.set(CURLOPT_FOLLOWLOCATION, 0)
        options.set(CURLOPT_PROXY, "")
        options.set(CURLOPT_NOPROXY, "*")
        options.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        options.set(CURLOPT_HTTP09_ALLOWED, 0)
        options.set(CURLOPT_HTTP_CONTENT_DECODING, 0)
        options.set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        options.set(CURLOPT_UPLOAD_BUFFERSIZE, 16 << 10)
        options.set(CURLOPT_MAXAGE_CONN, configuration.idleSeconds)
        options.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        options.set(CURLOPT_SSL_VERIFYPEER, 1)
        options.set(CURLOPT_SSL_VERIFYHOST, 2)
        // Sessions are not told apart by owner, so none is resumed.
        options.set(CURLOPT_SSL_SESSIONID_CACHE, 0)
        // With a file alone libcurl keeps the parsed authorities; with a folder it reads them for every connection.
        options.unset(CURLOPT_CAPATH)
        if !configuration.authoritiesPath.isEmpty { options.set(CURLOPT_CAINFO, configuration.authoritiesPath) }
    }

    /// Has libcurl connect to the judged addresses and nowhere else.
    ///
    /// It is told to connect to a name that exists only here, made of the owner, the host and the addresses. So it has no
    /// name that it could look up itself, and a connection is used again only where all three are the same.
    private func pin(_ options: EasyOptions) {
        let name = pinName
        let texts = addresses.map { $0.width == 32 ? "\($0)" : "[\($0)]" }
        options.set(CURLOPT_RESOLVE, list(["+\(name):\(url.port):\(texts.joined(separator: ","))"]))
        options.set(CURLOPT_CONNECT_TO, list(["::\(name):\(url.port)"]))
    }

    /// `invalid` is nobody's (RFC 6761 §6.4).
    private var pinName: String {
        var octets = Array(request.owner.utf8) + [0] + url.hostOctets + [0]
        for address in addresses.map(\.octets).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            octets.append(UInt8(address.count))
            octets += address
        }
        let digits = Array("0123456789abcdef".utf8)
        let name = Digest.sha256(octets).prefix(16).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: name, as: UTF8.self) + ".invalid"
    }

    private func setMessage(_ options: EasyOptions, _ configuration: WebClientConfiguration) {
        if !configuration.userAgent.isEmpty { options.set(CURLOPT_USERAGENT, configuration.userAgent) }
        let takesBody = ["POST", "PUT", "PATCH"].contains(request.method)
        if request.method == "HEAD" {
            options.set(CURLOPT_NOBODY, 1)
        } else if let body = request.body ?? (takesBody ? [] : nil) {
            options.set(CURLOPT_POST, 1)
            options.setBody(body)
            options.set(CURLOPT_CUSTOMREQUEST, request.method)
        } else {
            options.set(CURLOPT_HTTPGET, 1)
            options.set(CURLOPT_CUSTOMREQUEST, request.method)
        }
        options.set(CURLOPT_HTTPHEADER, list(headerLines))
    }

    /// The request's fields, and two of libcurl's taken away: it would wait for a `100 Continue`, and guess a type.
    private var headerLines: [[UInt8]] {
        var lines = [Array("Expect:".utf8)]
        if !request.fields.contains(where: { HeaderOctets.equal($0.name, "content-type") }) {
            lines.append(Array("Content-Type:".utf8))
        }
        for field in request.fields {
            // A field without a value is written with a semicolon: a colon would take it away.
            let isEmpty = field.value.allSatisfy(HeaderOctets.isBlank)
            lines.append(isEmpty ? field.name + [0x3B] : field.name + Array(": ".utf8) + field.value)
        }
        return lines
    }

    private func list(_ texts: [String]) -> UnsafeMutablePointer<curl_slist>? { list(texts.map { Array($0.utf8) }) }

    /// libcurl copies the texts; the list is ours, and lives as long as we do.
    private func list(_ texts: [[UInt8]]) -> UnsafeMutablePointer<curl_slist>? {
        var head: UnsafeMutablePointer<curl_slist>?
        for text in texts {
            let longer = (text + [0]).withUnsafeBufferPointer { octets in
                octets.withMemoryRebound(to: CChar.self) { curl_slist_append(head, $0.baseAddress) }
            }
            head = longer ?? head
        }
        if let head { lists.append(head) }
        return head
    }

    // MARK: What libcurl hands us

    /// The octets taken; fewer than came end the transfer.
    func received(_ octets: UnsafeRawBufferPointer) -> Int {
        let room = request.maximumResponseOctets - body.count
        body.append(contentsOf: octets.prefix(room))
        guard octets.count > room else { return octets.count }
        isCut = true
        return 0
    }

    /// One line of a header section or a trailer.
    func receivedHead(_ line: UnsafeRawBufferPointer) -> Int {
        headOctets += line.count
        guard headOctets <= Self.maximumHeadOctets else {
            isHeadTooLarge = true
            return 0
        }
        let text = line.prefix { $0 != 0x0D && $0 != 0x0A }
        if text.starts(with: "HTTP/".utf8) {
            fields = []
            isHeadDone = false
        } else if text.isEmpty {
            isHeadDone = true
        } else if !isHeadDone, let colon = text.firstIndex(of: 0x3A) {
            let value = text[(colon + 1)...].drop(while: HeaderOctets.isBlank)
            let end = value.lastIndex { !HeaderOctets.isBlank($0) }.map { $0 + 1 } ?? value.startIndex
            fields.append(WebRequest.Field([UInt8](text[..<colon]), [UInt8](value[..<end])))
        }
        return line.count
    }

    /// The descriptor for a connection to this address; nil when it is not to be made.
    func open(_ system: UnsafeRawPointer, count: Int) -> Int32? {
        guard let (octets, port) = ForeignSocket.destination(system, count: count),
            let address = IPAddress(octets: octets)
        else { return nil }
        if let refusal = policy.refusal(to: address, port: port, for: .web) {
            self.refusal = refusal
            return nil
        }
        return try? ForeignSocket.make(addressOctets: octets.count)
    }
}
