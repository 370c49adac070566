// SPDX-License-Identifier: Apache-2.0

internal import CCurl

/// Sets options of one of libcurl's easy handles, and remembers whether all were taken.
final class EasyOptions {
    private let easy: UnsafeMutableRawPointer
    private(set) var isFine = true

    init(_ easy: UnsafeMutableRawPointer) { self.easy = easy }

    private func note(_ status: CURLcode) { if status != CURLE_OK { isFine = false } }

    func set(_ option: CURLoption, _ value: Int) { note(ccurl_set_long(easy, option, value)) }
    func set(_ option: CURLoption, _ value: String) { note(ccurl_set_text(easy, option, value)) }
    func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer) { note(ccurl_set_pointer(easy, option, pointer)) }
    func set(_ url: WebURL) { note(ccurl_set_url(easy, url.handle)) }

    func unset(_ option: CURLoption) { note(ccurl_set_text(easy, option, nil)) }

    /// The list must live as long as the transfer goes; nil is one that could not be made.
    func set(_ option: CURLoption, _ list: UnsafeMutablePointer<curl_slist>?) {
        guard let list else { return isFine = false }
        note(ccurl_set_list(easy, option, list))
    }

    /// libcurl keeps a copy.
    func setBody(_ octets: [UInt8]) {
        note(ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(octets.count)))
        octets.withUnsafeBytes { bytes in
            var nothing: UInt8 = 0
            let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            note(
                withUnsafeMutablePointer(to: &nothing) {
                    ccurl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, start ?? .init($0))
                }
            )
        }
    }

    /// The transfer is not kept alive: it outlives its time with libcurl.
    func setCallbacks(of transfer: Transfer) {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        note(ccurl_set_receiver(easy, CURLOPT_WRITEFUNCTION, Self.received))
        set(CURLOPT_WRITEDATA, pointer: context)
        note(ccurl_set_receiver(easy, CURLOPT_HEADERFUNCTION, Self.receivedHead))
        set(CURLOPT_HEADERDATA, pointer: context)
        note(ccurl_set_opener(easy, Self.open))
        set(CURLOPT_OPENSOCKETDATA, pointer: context)
    }

    private static let received: curl_write_callback = { start, size, count, context in
        guard let context else { return 0 }
        let octets = UnsafeRawBufferPointer(start: start, count: size &* count)
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().received(octets)
    }

    private static let receivedHead: curl_write_callback = { start, size, count, context in
        guard let context else { return 0 }
        let octets = UnsafeRawBufferPointer(start: start, count: size &* count)
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().receivedHead(octets)
    }

    private static let open: curl_opensocket_callback = { context, purpose, address in
        guard let context, let address, purpose == CURLSOCKTYPE_IPCXN else { return CURL_SOCKET_BAD }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return transfer.open(UnsafeRawPointer(ccurl_address(address)), count: Int(address.pointee.addrlen))
            ?? CURL_SOCKET_BAD
    }
}
