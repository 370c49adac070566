// SPDX-License-Identifier: Apache-2.0

import IMAP
import Wire

/// The first octet chooses TLS, who is logged in and the size of pieces; the rest is what a client sends.
///
/// What must hold: the machine ends its turn, what it sends together is bounded, it sends lines, nothing needs a login before there
/// is one, no message is held whole, and messages that were begun are kept or given up.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let choice = bytes[0]
    var configuration = IMAPServerConfiguration(
        hostName: "mx.example.org",
        offersStartTLS: true,
        capabilities: IMAPCapability.allCases,
        appendLimit: 1000
    )
    configuration.limits.beforeLogin.lineOctets = 200
    configuration.limits.beforeLogin.literalOctets = 50
    configuration.limits.beforeLogin.commandOctets = 400
    configuration.limits.afterLogin = configuration.limits.beforeLogin
    configuration.limits.afterLogin.takesMessages = true
    let piece = [1, 2, 7, 1 << 20][Int(choice >> 1 & 3)]
    var client = FuzzedClient(IMAPServerMachine(configuration, isTLS: choice & 1 == 0), piece: piece)
    client.receive([])
    if choice & 8 == 0 { client.receive(Array("i LOGIN a b\r\nj SELECT x\r\n".utf8)) }
    var start = 1
    while start < bytes.count, !client.isClosed {
        client.receive(Array(bytes[start..<min(start + piece, bytes.count)]))
        start += piece
    }
    return 0
}

struct FuzzedClient: ~Copyable {
    var machine: IMAPServerMachine
    let piece: Int
    var input = ByteBuffer()
    var encoder = IMAPResponseEncoder()
    var isClosed = false
    private var logins = 0
    private var isLoggedIn = false
    private var isIdle = false
    private var messages = 0

    init(_ machine: consuming IMAPServerMachine, piece: Int) {
        self.machine = machine
        self.piece = piece
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes)
        var steps = 0
        while !isClosed {
            steps += 1
            precondition(steps < 10_000 + 100 * input.count, "the machine does not end its turn")
            precondition(encoder.output.count < 256 << 10, "too much is sent together")
            act(machine.next(&input, &encoder))
            if isWaiting { return }
        }
        precondition(!isIdle && messages == 0, "something is left open")
    }

    private var isWaiting = false

    private mutating func act(_ action: IMAPServerMachine.Action) {
        isWaiting = false
        switch action {
        case .read:
            check()
            isWaiting = true
        case .write: check()
        case .startTLS:
            precondition(input.isEmpty && !isLoggedIn)
            check()
            machine.tlsEstablished(&encoder)
        case .compress:
            check()
            machine.compressionStarted()
        case .close:
            check()
            isClosed = true
        case .authenticate:
            logins += 1
            isLoggedIn = !logins.isMultiple(of: 3)
            machine.authenticated(isLoggedIn ? .accept : .refuse, &encoder)
        case .perform(let command, let tag): perform(command, tag)
        case .enabled: precondition(isLoggedIn)
        case .idle(let begins):
            precondition(begins != isIdle && isLoggedIn)
            isIdle = begins
        case .appendBegins, .appendOctets, .appendEnds, .appendAborted: append(action)
        }
    }

    private mutating func perform(_ command: IMAPCommand, _ tag: [UInt8]) {
        precondition(isLoggedIn && !isIdle && messages == 0 && !tag.isEmpty && tag.count <= 128)
        encoder.write(.exists(UInt32(tag.count)))
        if case .search(let request) = command { precondition(request.returns.count <= 10) }
        let conditions: [IMAPStatus.Condition] = [.ok, .no, .ok, .bad, .ok]
        machine.performed(IMAPStatus(conditions[tag.count % 5], nil, "Done"), &encoder)
    }

    private mutating func append(_ action: IMAPServerMachine.Action) {
        precondition(isLoggedIn)
        switch action {
        case .appendBegins(let append, let number):
            precondition(append.octets <= 1000 && (number == 0) == (messages == 0))
            let isWelcome = append.octets % 7 != 6
            if isWelcome { messages += 1 }
            machine.appendDecided(isWelcome ? nil : IMAPStatus(.no, .tryCreate, "None"), &encoder)
        case .appendOctets:
            precondition(messages > 0 && !machine.content.isEmpty && machine.content.count <= 1000)
            machine.appendTaken(machine.content.count == 13 ? IMAPStatus(.no, .overQuota, "Full") : nil)
        case .appendEnds:
            precondition(messages > 0)
            messages = 0
            machine.appendEnded(IMAPStatus(.ok, nil, "Kept"), &encoder)
        case .appendAborted:
            precondition(messages > 0)
            messages = 0
        default: break
        }
    }

    /// No bare line end, no NUL; at the end of a turn the last line is ended.
    private mutating func check() {
        let bytes = encoder.output.array()
        encoder.output.removeAll()
        guard !bytes.isEmpty else { return }
        precondition(bytes.suffix(2) == [13, 10], "a line without an end")
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast() {
            precondition(line.last == 13 && !line.dropLast().contains(13), "a bare line end")
            precondition(!line.contains(0), "NUL")
        }
    }
}
