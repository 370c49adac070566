// SPDX-License-Identifier: Apache-2.0

internal import CAres
internal import Sockets

/// Questions for other things than addresses: asked for each caller, kept nowhere.
extension LoopResolver {
    /// The octets of an answer to a question of this type (RFC 1035 §4), nil where the name or such records are not there.
    func answer(to text: String, type: Int32, milliseconds: Int) async throws(ResolverError) -> [UInt8]? {
        guard let name = HostName.normalised(text) else { throw .malformedName }
        let question = RecordQuestion(self)
        let outcome: Result<[UInt8], ResolverError> = await question.promise.wait(
            on: loop,
            limit: (milliseconds, .failure(.timeout))
        ) {
            askForRecords(name, type: type, question)
        }
        switch outcome {
        case .success(let octets): return octets
        case .failure(.notFound), .failure(.noAddress): return nil
        case .failure(let error): throw error
        }
    }

    private func askForRecords(_ name: String, type: Int32, _ question: RecordQuestion) {
        guard let channel = openChannel() else { return question.promise.end(.failure(.other("c-ares cannot start"))) }
        recordQuestions += 1
        // The question is released by its callback, which is called exactly once.
        ares_query(
            channel,
            name,
            Self.internet,
            type,
            { argument, status, _, octets, count in
                guard let argument else { return }
                let question = Unmanaged<RecordQuestion>.fromOpaque(argument).takeRetainedValue()
                question.resolver?.recordQuestions -= 1
                if let error = ResolverError(status: status) {
                    question.promise.end(.failure(error))
                } else {
                    question.promise.end(.success(Array(UnsafeRawBufferPointer(start: octets, count: Int(count)))))
                }
            },
            Unmanaged.passRetained(question).toOpaque()
        )
        armTimer()
    }

    /// RFC 1035 §3.2.4, §3.2.2; RFC 2782.
    private static let (internet, mx, srv): (Int32, Int32, Int32) = (1, 15, 33)

    /// At most so many are taken from one answer.
    private static let maximumRecords = 32

    func services(of name: String, milliseconds: Int) async throws(ResolverError) -> [ServiceRecord] {
        guard let octets = try await answer(to: name, type: Self.srv, milliseconds: milliseconds) else {
            return []
        }
        var first: UnsafeMutablePointer<ares_srv_reply>?
        let status = ares_parse_srv_reply(octets, Int32(clamping: octets.count), &first)
        defer { if let first { ares_free_data(first) } }
        if let error = ResolverError(status: status) { throw error }
        var records: [ServiceRecord] = []
        var next = first
        while let record = next?.pointee, records.count < Self.maximumRecords {
            next = record.next
            guard let name = Self.name(record.host) else { continue }
            records.append(
                ServiceRecord(
                    priority: record.priority,
                    weight: record.weight,
                    port: record.port,
                    target: name.isEmpty ? nil : name
                )
            )
        }
        return records.sorted { ($0.priority, $1.weight) < ($1.priority, $0.weight) }
    }

    func exchangers(of domain: String, milliseconds: Int) async throws(ResolverError) -> [MailExchanger] {
        guard let octets = try await answer(to: domain, type: Self.mx, milliseconds: milliseconds) else {
            return []
        }
        var first: UnsafeMutablePointer<ares_mx_reply>?
        let status = ares_parse_mx_reply(octets, Int32(clamping: octets.count), &first)
        defer { if let first { ares_free_data(first) } }
        if let error = ResolverError(status: status) { throw error }
        var records: [MailExchanger] = []
        var next = first
        while let record = next?.pointee, records.count < Self.maximumRecords {
            next = record.next
            guard let name = Self.name(record.host) else { continue }
            records.append(MailExchanger(preference: record.priority, host: name.isEmpty ? nil : name))
        }
        return records.sorted { $0.preference < $1.preference }
    }

    /// A host's name, normalised; empty for the root, nil for what is no host's name.
    private static func name(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text else { return nil }
        let name = String(cString: text)
        return name.isEmpty || name == "." ? "" : HostName.normalised(name)
    }
}

/// One question on its way, and who waits for its answer.
private final class RecordQuestion {
    let promise = LoopPromise<Result<[UInt8], ResolverError>>(cancelled: .failure(.cancelled))
    weak var resolver: LoopResolver?

    init(_ resolver: LoopResolver) { self.resolver = resolver }
}
