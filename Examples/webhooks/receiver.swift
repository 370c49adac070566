// SPDX-License-Identifier: Apache-2.0
// Receives Postern's webhooks and checks their signatures, without any package, so that one file shows all of it:
//
//     swiftc -O receiver.swift -o receiver && WEBHOOK_SECRET=whsec_… ./receiver 9000
//
// Prints a line for each event that is new: its type and its id. A server that has HTTP and cryptography already (Vapor,
// Hummingbird, swift-crypto) needs only `isSigned`, with its own HMAC<SHA256>.
import Foundation

let secretText = ProcessInfo.processInfo.environment["WEBHOOK_SECRET"] ?? ""
guard CommandLine.arguments.count == 2, let port = UInt16(CommandLine.arguments[1]), secretText.hasPrefix("whsec_"),
    let secret = Data(base64Encoded: String(secretText.dropFirst(6))).map({ [UInt8]($0) })
else {
    print("usage: WEBHOOK_SECRET=whsec_… receiver PORT")
    exit(2)
}
let tolerance = 300.0  // seconds that sender's and receiver's clocks may differ
let maximum = 4 << 20  // octets of a body
var seen: Set<String> = []  // a real receiver keeps these where it keeps what it makes of the events

// MARK: HMAC-SHA256 (FIPS 180-4, RFC 2104)

/// The first 32 bits of the fractions of the square (or cube) roots of the first primes, which SHA-256 begins with.
func fractions(_ count: Int, root: (Double) -> Double) -> [UInt32] {
    var primes: [Int] = []
    var candidate = 2
    while primes.count < count {
        if !primes.contains(where: { candidate % $0 == 0 }) { primes.append(candidate) }
        candidate += 1
    }
    return primes.map { prime in
        let value = root(Double(prime))
        return UInt32((value - value.rounded(.down)) * 4_294_967_296)
    }
}
let initial = fractions(8) { $0.squareRoot() }
let constants = fractions(64) { cbrt($0) }

func sha256(_ message: [UInt8]) -> [UInt8] {
    var padded = message + [0x80]
    padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
    padded += stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: (message.count * 8) >> $0) }
    var hash = initial
    for block in stride(from: 0, to: padded.count, by: 64) {
        var w = (0..<16).map { word in (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + word * 4 + $1]) } }
        func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
        for i in 16..<64 {
            let (x, y) = (w[i - 15], w[i - 2])
            let a = rotate(x, 7) ^ rotate(x, 18) ^ x >> 3
            let b = rotate(y, 17) ^ rotate(y, 19) ^ y >> 10
            w.append(w[i - 16] &+ a &+ w[i - 7] &+ b)
        }
        var v = hash
        for i in 0..<64 {
            let sum1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)
            let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
            let first = v[7] &+ sum1 &+ choice &+ constants[i] &+ w[i]
            let sum0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
            v = [first &+ sum0 &+ majority, v[0], v[1], v[2], v[3] &+ first, v[4], v[5], v[6]]
        }
        hash = zip(hash, v).map { $0 &+ $1 }
    }
    return hash.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
}

func hmac(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    let short = key.count > 64 ? sha256(key) : key
    let block = short + [UInt8](repeating: 0, count: 64 - short.count)
    return sha256(block.map { $0 ^ 0x5C } + sha256(block.map { $0 ^ 0x36 } + message))
}

// MARK: Standard Webhooks 1.0

/// HMAC-SHA256 over id, timestamp and body; one of the signatures must be ours.
func isSigned(_ headers: [String: String], _ body: [UInt8]) -> Bool {
    let (id, timestamp) = (headers["webhook-id"] ?? "", headers["webhook-timestamp"] ?? "")
    guard let seconds = UInt64(timestamp), abs(Date().timeIntervalSince1970 - Double(seconds)) <= tolerance else {
        return false
    }
    let code = hmac(Array("\(id).\(timestamp).".utf8) + body, key: secret)
    let expected = Array("v1,\(Data(code).base64EncodedString())".utf8)
    return (headers["webhook-signature"] ?? "").split(separator: " ").contains { given in
        let given = Array(given.utf8)
        // Every octet is looked at, however early one differs.
        return given.count == expected.count && zip(given, expected).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

func receive(_ headers: [String: String], _ body: [UInt8]) -> String {
    guard isSigned(headers, body), let id = headers["webhook-id"] else { return "401 Unauthorized" }
    if seen.insert(id).inserted {  // an event may come more than once
        let event = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        print(event?["type"] as? String ?? "?", id)
        fflush(stdout)
    }
    return "204 No Content"  // at once: work that takes long belongs behind the answer
}

// MARK: As much HTTP as this takes: a request for each connection

func serve(_ connection: Int32) {
    defer { close(connection) }
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var octets: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    let end = Array("\r\n\r\n".utf8)
    var head: Range<Data.Index>?
    while head == nil {
        let count = recv(connection, &piece, piece.count, 0)
        guard count > 0, octets.count < maximum else { return }
        octets += piece[..<count]
        head = Data(octets).range(of: Data(end))
    }
    guard let head else { return }
    var headers: [String: String] = [:]
    for line in String(decoding: octets[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n").dropFirst()
    {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { continue }
        headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    let length = Int(headers["content-length"] ?? "") ?? 0
    var status = "413 Content Too Large"
    if (0...maximum).contains(length) {
        while octets.count < head.upperBound + length {
            let count = recv(connection, &piece, piece.count, 0)
            guard count > 0 else { return }
            octets += piece[..<count]
        }
        status = receive(headers, Array(octets[head.upperBound..<(head.upperBound + length)]))
    }
    let answer = Array("HTTP/1.1 \(status)\r\nConnection: close\r\n\r\n".utf8)
    _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
}

let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
var on: Int32 = 1
setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
var address = sockaddr_in()
address.sin_family = sa_family_t(AF_INET)
address.sin_port = port.bigEndian
address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
let bound = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
}
guard bound == 0, listen(listener, 64) == 0 else {
    print("cannot listen at \(port)")
    exit(1)
}
while true {
    let connection = accept(listener, nil, nil)
    if connection >= 0 { serve(connection) }
}
