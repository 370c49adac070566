// SPDX-License-Identifier: Apache-2.0

internal import CCurl
internal import Egress
internal import Glibc
internal import Resolver

extension Transfer.Report {
    /// What libcurl knows of a transfer that is done.
    init(_ easy: UnsafeMutableRawPointer) {
        func number(_ info: CURLINFO) -> Int {
            var value = 0
            return ccurl_get_long(easy, info, &value) == CURLE_OK ? value : 0
        }
        func microseconds(_ info: CURLINFO) -> Int64 {
            var value: curl_off_t = 0
            return ccurl_get_size(easy, info, &value) == CURLE_OK ? Int64(value) : 0
        }
        status = number(CURLINFO_RESPONSE_CODE)
        connects = number(CURLINFO_NUM_CONNECTS)
        systemError = Int32(clamping: number(CURLINFO_OS_ERRNO))
        connectTime = microseconds(CURLINFO_CONNECT_TIME_T)
        handshakeTime = microseconds(CURLINFO_APPCONNECT_TIME_T)
        sendTime = microseconds(CURLINFO_PRETRANSFER_TIME_T)
        answerTime = microseconds(CURLINFO_STARTTRANSFER_TIME_T)
        var text: UnsafePointer<CChar>?
        if ccurl_get_text(easy, CURLINFO_PRIMARY_IP, &text) == CURLE_OK, let text {
            peer = IPAddress(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        }
    }
}

extension Transfer {
    /// The answer, of a transfer that went well.
    func response() throws(WebClientError) -> WebResponse {
        guard (200...599).contains(report.status) else { throw .protocolError("the status is \(report.status)") }
        let isReused = report.connects == 0
        var timing = WebResponse.Timing()
        if !isReused {
            timing.connect = report.connectTime
            timing.tls = isTLS ? max(0, report.handshakeTime - report.connectTime) : 0
        }
        return WebResponse(
            status: report.status,
            fields: fields,
            body: body,
            isCut: isCut,
            timing: timing,
            peer: report.peer,
            isReused: isReused
        )
    }

    /// What libcurl's result means.
    func error(_ code: CURLcode) -> WebClientError {
        if let refusal { return .egressDenied(refusal) }
        if isHeadTooLarge { return .tooLarge }
        switch code {
        case CURLE_URL_MALFORMAT: return .invalidURL(reasonText)
        case CURLE_OPERATION_TIMEDOUT: return .timeout(phase)
        case CURLE_COULDNT_CONNECT:
            if report.systemError == ECONNREFUSED { return .connectionRefused }
            return .connectFailed(report.systemError > 0 ? String(cString: strerror(report.systemError)) : reasonText)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_USE_SSL_FAILED,
            CURLE_SSL_ENGINE_INITFAILED:
            return .tlsFailed(reasonText)
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE, CURLE_SEND_FAIL_REWIND:
            return .connectionLost(reasonText)
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING,
            CURLE_HTTP_RETURNED_ERROR:
            return .protocolError(reasonText)
        default: return .connectFailed(reasonText.isEmpty ? String(cString: curl_easy_strerror(code)) : reasonText)
        }
    }

    /// What was under way when time was up.
    private var phase: WebClientError.Phase {
        if report.answerTime > 0 { return .body }
        if report.sendTime > 0 { return .response }
        // libcurl knows the peer once it is connected; the time it tells only when all is done.
        return isTLS && report.peer != nil ? .tls : .connect
    }
}

extension WebClientError {
    init(_ error: ResolverError) {
        switch error {
        case .notFound, .noAddress: self = .nameNotFound
        case .malformedName: self = .invalidURL("the host")
        case .timeout: self = .timeout(.lookup)
        case .cancelled: self = .cancelled
        case .noAnswer, .badAnswer, .other: self = .resolverFailed("\(error)")
        }
    }
}
