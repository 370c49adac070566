// SPDX-License-Identifier: Apache-2.0

internal import CCurl
internal import Egress
internal import Resolver
internal import Sockets

/// One loop's libcurl multi handle: its descriptors are watched by the loop, and its one timer is the loop's.
///
/// libcurl calls us back from within its functions, and we never call it from there: the callbacks watch, arm and store.
final class LoopWebClient: @unchecked Sendable {
    // Sound: used on its loop's thread only.
    private let configuration: WebClientConfiguration
    private let policy: EgressPolicy
    private let resolver: NameResolver
    private unowned let loop: EventLoop
    private let gate: TransferGate
    private var multi: UnsafeMutableRawPointer?
    private var watches: [curl_socket_t: DescriptorWatch] = [:]
    private var timer: LoopTimer?
    /// Counts what libcurl wants of the timer, so that a call for an older wish is known as such.
    private var timerSerial: UInt64 = 0
    private var transfers: [UnsafeMutableRawPointer: Transfer] = [:]
    private var idleHandles: [UnsafeMutableRawPointer] = []
    private var isStopped = false

    private static let maximumIdleHandles = 64
    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(_ configuration: WebClientConfiguration, _ policy: EgressPolicy, _ resolver: NameResolver, _ loop: EventLoop) {
        self.configuration = configuration
        self.policy = policy
        self.resolver = resolver
        self.loop = loop
        gate = TransferGate(configuration, loop)
    }

    // MARK: One request

    func send(_ request: WebRequest) async throws(WebClientError) -> WebResponse {
        let url = try Self.validated(request)
        guard !isStopped else { throw .cancelled }
        let (start, deadline) = (loop.now, loop.time(afterMilliseconds: request.totalMilliseconds))
        let addresses = try await judgedAddresses(of: url, until: deadline)
        let lookedUp = loop.now
        try await gate.enter(url.server, milliseconds: milliseconds(until: deadline))
        defer { gate.leave(url.server) }
        let admitted = loop.now
        let transfer = Transfer(request, url, addresses, policy)
        try await perform(transfer, until: deadline)
        var response = try transfer.response()
        response.timing.lookup = Int64((lookedUp - start) / 1000)
        response.timing.queue = Int64((admitted - lookedUp) / 1000)
        response.timing.total = Int64((loop.now - start) / 1000)
        return response
    }

    private static func validated(_ request: WebRequest) throws(WebClientError) -> WebURL {
        let method = Array(request.method.utf8)
        guard !method.isEmpty, method.allSatisfy(HeaderOctets.isToken), !["CONNECT", "TRACE"].contains(request.method)
        else {
            throw .invalidMethod
        }
        for field in request.fields {
            if let problem = WebRequest.problem(of: field) { throw problem }
        }
        return try WebURL(request.url)
    }

    private func milliseconds(until deadline: UInt64) -> Int { Int((max(deadline, loop.now) - loop.now) / 1_000_000) }

    /// The addresses we may connect to, at least one.
    private func judgedAddresses(of url: WebURL, until deadline: UInt64) async throws(WebClientError) -> [IPAddress] {
        var addresses: [IPAddress]
        switch url.host {
        case .address(let address): addresses = [address]
        case .name(let name):
            do throws(ResolverError) {
                addresses = try await resolver.addresses(of: name, milliseconds: milliseconds(until: deadline))
            } catch {
                throw WebClientError(error)
            }
        }
        let first = addresses.lazy.compactMap { [policy] in policy.refusal(to: $0, port: url.port, for: .web) }.first
        addresses.removeAll { policy.refusal(to: $0, port: url.port, for: .web) != nil }
        if addresses.isEmpty, let first { throw .egressDenied(first) }
        return addresses
    }

    private func perform(_ transfer: Transfer, until deadline: UInt64) async throws(WebClientError) {
        let milliseconds = milliseconds(until: deadline)
        guard milliseconds > 0 else { throw .timeout(.queue) }
        let outcome = await transfer.promise.wait(on: loop) { begin(transfer, milliseconds) }
        // Only a cancelled one is still with libcurl.
        if let easy = transfer.easy { release(transfer, easy) }
        guard try outcome.get() != CURLE_OK, !transfer.isCut else { return }
        throw transfer.error(try outcome.get())
    }

    private func begin(_ transfer: Transfer, _ milliseconds: Int) {
        guard let multi = openMulti(), let easy = idleHandles.popLast() ?? curl_easy_init() else {
            return transfer.promise.end(.failure(isStopped ? .cancelled : .connectFailed("libcurl cannot start")))
        }
        guard transfer.configure(easy, configuration, milliseconds: milliseconds),
            curl_multi_add_handle(multi, easy) == CURLM_OK
        else {
            curl_easy_cleanup(easy)
            return transfer.promise.end(.failure(.connectFailed("libcurl does not take the request")))
        }
        transfer.easy = easy
        transfers[easy] = transfer
    }

    /// Takes the handle back from libcurl, which closes the connection if the transfer was not done.
    private func release(_ transfer: Transfer, _ easy: UnsafeMutableRawPointer) {
        transfer.easy = nil
        transfers[easy] = nil
        if let multi { curl_multi_remove_handle(multi, easy) }
        curl_easy_reset(easy)
        if idleHandles.count < Self.maximumIdleHandles, !isStopped {
            idleHandles.append(easy)
        } else {
            curl_easy_cleanup(easy)
        }
    }

    // MARK: libcurl and the loop

    private func openMulti() -> UnsafeMutableRawPointer? {
        if let multi { return multi }
        guard !isStopped, Self.isLibraryReady, let made = curl_multi_init() else { return nil }
        let context = Unmanaged.passUnretained(self).toOpaque()
        ccurl_multi_set_watcher(made) { _, descriptor, what, context, _ in
            guard let context else { return 0 }
            Unmanaged<LoopWebClient>.fromOpaque(context).takeUnretainedValue().watch(descriptor, what)
            return 0
        }
        ccurl_multi_set_pointer(made, CURLMOPT_SOCKETDATA, context)
        ccurl_multi_set_timer(made) { _, milliseconds, context in
            guard let context else { return 0 }
            Unmanaged<LoopWebClient>.fromOpaque(context).takeUnretainedValue().arm(milliseconds)
            return 0
        }
        ccurl_multi_set_pointer(made, CURLMOPT_TIMERDATA, context)
        ccurl_multi_set_long(made, CURLMOPT_MAXCONNECTS, configuration.idleConnections)
        multi = made
        return made
    }

    private func watch(_ descriptor: curl_socket_t, _ what: Int32) {
        guard what != CURL_POLL_REMOVE else {
            // If this comes from the watch's own handler, the loop holds the watch until that returns.
            watches.removeValue(forKey: descriptor)?.cancel()
            return
        }
        let interest: DescriptorWatch.Readiness = [
            what & CURL_POLL_IN != 0 ? .read : [], what & CURL_POLL_OUT != 0 ? .write : [],
        ]
        if let watch = watches[descriptor] {
            try? watch.update(interest)
        } else {
            watches[descriptor] = try? loop.watch(descriptor, interest) { [unowned self] ready in
                act(
                    descriptor,
                    (ready.contains(.read) ? CURL_CSELECT_IN : 0) | (ready.contains(.write) ? CURL_CSELECT_OUT : 0)
                )
            }
        }
    }

    private func arm(_ milliseconds: Int) {
        timer?.cancel()
        timer = nil
        timerSerial &+= 1
        guard milliseconds >= 0 else { return }
        let serial = timerSerial
        if milliseconds == 0 {
            // The timer's tick would be long for what is to be done at once.
            loop.post { if self.timerSerial == serial { self.act(CURL_SOCKET_TIMEOUT, 0) } }
        } else {
            timer = loop.schedule(afterMilliseconds: milliseconds) { [unowned self] in
                timer = nil
                act(CURL_SOCKET_TIMEOUT, 0)
            }
        }
    }

    private func act(_ descriptor: curl_socket_t, _ events: Int32) {
        guard let multi else { return }
        var running: Int32 = 0
        curl_multi_socket_action(multi, descriptor, events, &running)
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle,
                let transfer = transfers[easy]
            else { continue }
            let result = ccurl_result(message)
            transfer.report = Transfer.Report(easy)
            release(transfer, easy)
            transfer.promise.end(.success(result))
        }
    }

    // MARK: The end

    func stop() {
        isStopped = true
        gate.stop()
        for (easy, transfer) in transfers {
            release(transfer, easy)
            transfer.promise.end(.failure(.cancelled))
        }
        for easy in idleHandles { curl_easy_cleanup(easy) }
        idleHandles = []
        // Closes the connections, and may watch and arm for the last time.
        if let multi { curl_multi_cleanup(multi) }
        multi = nil
        for watch in watches.values { watch.cancel() }
        watches = [:]
        timer?.cancel()
        timer = nil
    }
}
