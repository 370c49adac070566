// SPDX-License-Identifier: Apache-2.0

internal import CAres
internal import Egress
internal import Glibc
internal import Sockets

/// One loop's c-ares channel: its descriptors are watched by the loop, and its one timer is the loop's.
///
/// c-ares calls us back from within its functions, and we never call it from there: callbacks store answers and resume
/// continuations, which run later.
final class LoopResolver: @unchecked Sendable {
    // Sound: used on its loop's thread only.
    private let configuration: ResolverConfiguration
    unowned let loop: EventLoop
    private var channel: ares_channel?
    private var watches: [ares_socket_t: DescriptorWatch] = [:]
    private var timer: LoopTimer?
    private var questions: [String: Question] = [:]
    /// Questions on their way that are not for addresses.
    var recordQuestions = 0
    private var cache: AnswerCache
    private var isStopped = false
    /// The system's servers as the channel has them, and when that was last compared.
    private var systemStamp: FileStamp?
    private var systemCheck: UInt64 = 0

    init(_ configuration: ResolverConfiguration, _ loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        cache = AnswerCache(capacity: configuration.cacheEntries, maximumSeconds: configuration.cacheSeconds)
    }

    func addresses(of text: String, milliseconds: Int) async throws(ResolverError) -> [IPAddress] {
        guard let name = HostName.normalised(text) else { throw .malformedName }
        guard !isStopped else { throw .cancelled }
        if let known = cache.addresses(of: name, at: loop.now) { return known }
        let waiter = Waiter(cancelled: .failure(.cancelled))
        return try await waiter.wait(on: loop, limit: (milliseconds, .failure(.timeout))) {
            ask(name, for: waiter)
        }.get()
    }

    private func ask(_ name: String, for waiter: Waiter) {
        if let question = questions[name] {
            question.waiters.append(waiter)
            return
        }
        guard let channel = openChannel() else { return waiter.end(.failure(.other("c-ares cannot start"))) }
        let question = Question(name, self)
        question.waiters.append(waiter)
        questions[name] = question
        var hints = ares_addrinfo_hints()
        hints.ai_family = AF_UNSPEC
        hints.ai_flags = ARES_AI_NOSORT
        // The question is released by its callback, which is called exactly once.
        ares_getaddrinfo(channel, name, nil, &hints, Self.answered, Unmanaged.passRetained(question).toOpaque())
        armTimer()
    }

    private static let answered: ares_addrinfo_callback = { argument, status, _, result in
        guard let argument else { return }
        let question = Unmanaged<Question>.fromOpaque(argument).takeRetainedValue()
        defer { if let result { ares_freeaddrinfo(result) } }
        question.resolver?.finish(question, status, result?.pointee.nodes)
    }

    private func finish(_ question: Question, _ status: Int32, _ nodes: UnsafeMutablePointer<ares_addrinfo_node>?) {
        questions[question.name] = nil
        let outcome: Result<[IPAddress], ResolverError>
        if let error = ResolverError(status: status) {
            outcome = .failure(error)
        } else {
            let (addresses, seconds) = Self.read(nodes)
            outcome = addresses.isEmpty ? .failure(.noAddress) : .success(addresses)
            if !addresses.isEmpty { cache.keep(addresses, of: question.name, seconds: seconds, at: loop.now) }
        }
        for waiter in question.waiters { waiter.end(outcome) }
    }

    /// The addresses, each once, and the shortest time that one of them may be kept.
    private static func read(_ first: UnsafeMutablePointer<ares_addrinfo_node>?) -> ([IPAddress], seconds: Int) {
        var addresses: [IPAddress] = []
        var seconds = Int.max
        var next = first
        while let node = next?.pointee {
            next = node.ai_next
            guard let system = node.ai_addr, let address = address(system, family: node.ai_family),
                !addresses.contains(address), addresses.count < maximumAddresses
            else { continue }
            addresses.append(address)
            seconds = min(seconds, Int(node.ai_ttl))
        }
        return (addresses, max(seconds, 0))
    }

    /// More than any client tries; an answer over TCP could hold thousands.
    private static let maximumAddresses = 32

    private static func address(_ system: UnsafeMutablePointer<sockaddr>, family: Int32) -> IPAddress? {
        let raw = UnsafeRawPointer(system)
        switch family {
        case AF_INET:
            return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in.self).sin_addr) { IPAddress(octets: $0) }
        case AF_INET6:
            return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { IPAddress(octets: $0) }
        default: return nil
        }
    }

    // MARK: The channel

    private static let isLibraryReady = ares_library_init(ARES_LIB_INIT_ALL) == 0

    func openChannel() -> ares_channel? {
        closeOutdatedChannel()
        if let channel { return channel }
        guard Self.isLibraryReady, !isStopped else { return nil }
        systemStamp = FileStamp(configuration.systemPath)
        systemCheck = loop.now
        var options = ares_options()
        options.flags = ARES_FLAG_NOSEARCH
        options.timeout = Int32(clamping: configuration.timeoutMilliseconds)
        options.tries = Int32(clamping: configuration.tries)
        options.udp_port = configuration.port
        options.tcp_port = configuration.port
        options.sock_state_cb = { data, descriptor, readable, writable in
            guard let data else { return }
            let resolver = Unmanaged<LoopResolver>.fromOpaque(data).takeUnretainedValue()
            resolver.watch(descriptor, read: readable != 0, write: writable != 0)
        }
        options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        let mask =
            ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_UDP_PORT
            | ARES_OPT_TCP_PORT | ARES_OPT_RESOLVCONF
        var made: ares_channel?
        var path = configuration.systemPath.utf8CString.map { $0 }
        let status = path.withUnsafeMutableBufferPointer { path in
            options.resolvconf_path = path.baseAddress
            return ares_init_options(&made, &options, mask)
        }
        guard status == 0, let made else { return nil }
        if !configuration.servers.isEmpty {
            guard ares_set_servers_ports_csv(made, configuration.servers.joined(separator: ",")) == 0 else {
                ares_destroy(made)
                return nil
            }
        }
        channel = made
        return made
    }

    /// c-ares reads the system's servers once.
    ///
    /// Only between questions: those on their way would be lost with the channel.
    private func closeOutdatedChannel() {
        guard configuration.servers.isEmpty, questions.isEmpty, recordQuestions == 0, let current = channel,
            loop.now &- systemCheck >= UInt64(configuration.systemCheckMilliseconds) &* 1_000_000
        else { return }
        systemCheck = loop.now
        guard FileStamp(configuration.systemPath) != systemStamp else { return }
        channel = nil
        ares_destroy(current)
    }

    /// c-ares tells what it waits for; nothing means that it is about to close the descriptor.
    private func watch(_ descriptor: ares_socket_t, read: Bool, write: Bool) {
        let interest: DescriptorWatch.Readiness = [read ? .read : [], write ? .write : []]
        if interest.isEmpty {
            watches.removeValue(forKey: descriptor)?.cancel()
        } else if let watch = watches[descriptor] {
            try? watch.update(interest)
        } else {
            watches[descriptor] = try? loop.watch(descriptor, interest) { [unowned self] ready in
                process(ready.contains(.read) ? descriptor : -1, ready.contains(.write) ? descriptor : -1)
            }
        }
    }

    private func process(_ readable: ares_socket_t, _ writable: ares_socket_t) {
        guard let channel else { return }
        ares_process_fd(channel, readable, writable)
        armTimer()
    }

    func armTimer() {
        timer?.cancel()
        timer = nil
        var time = timeval()
        guard let channel, !questions.isEmpty || recordQuestions > 0, ares_timeout(channel, nil, &time) != nil else {
            return
        }
        let milliseconds = time.tv_sec * 1000 + (time.tv_usec + 999) / 1000
        timer = loop.schedule(afterMilliseconds: milliseconds) { [unowned self] in
            timer = nil
            process(-1, -1)
        }
    }

    // MARK: The end

    func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        // Calls back every question with ARES_EDESTRUCTION, and closes the descriptors.
        if let channel = channel.take() { ares_destroy(channel) }
        for watch in watches.values { watch.cancel() }
        watches = [:]
    }
}

/// One question on its way and everybody who waits for its answer.
private final class Question {
    let name: String
    weak var resolver: LoopResolver?
    var waiters: [Waiter] = []

    init(_ name: String, _ resolver: LoopResolver) {
        self.name = name
        self.resolver = resolver
    }
}

private typealias Waiter = LoopPromise<Result<[IPAddress], ResolverError>>

extension ResolverError {
    /// Nil for ARES_SUCCESS.
    init?(status: Int32) {
        switch status {
        case 0: return nil
        case ARES_ENOTFOUND: self = .notFound
        case ARES_ENODATA: self = .noAddress
        case ARES_EBADNAME, ARES_EBADQUERY, ARES_EBADSTR: self = .malformedName
        case ARES_ETIMEOUT: self = .timeout
        // c-ares passes on to the next server, and says of the last one what it would say if nobody listened there.
        case ARES_ECONNREFUSED, ARES_EREFUSED, ARES_ESERVFAIL, ARES_ENOTIMP: self = .noAnswer
        case ARES_EFORMERR, ARES_EBADRESP: self = .badAnswer
        case ARES_EDESTRUCTION, ARES_ECANCELLED: self = .cancelled
        default: self = .other(String(cString: ares_strerror(status)))
        }
    }
}
