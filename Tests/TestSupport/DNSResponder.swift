// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A name server for tests, on a loopback address, that answers from a script (RFC 1035 §4 over UDP).
package final class DNSResponder: @unchecked Sendable {
    // Sound: what changes is under the lock.
    package struct Question: Hashable, Sendable {
        /// Lower case, without the final dot.
        package let name: String
        /// 1 is A, 28 is AAAA (RFC 1035 §3.2.2, RFC 3596 §2.1).
        package let type: UInt16

        package init(name: String, type: UInt16) {
            self.name = name
            self.type = type
        }
    }

    package enum Answer: Sendable {
        /// The addresses among these, as texts, that the question is for.
        case addresses([String], ttl: UInt32 = 0)
        /// Records of the question's type, each the octets of its data (RFC 1035 §3.2.1).
        case records([[UInt8]])
        /// The response code alone: 2 is SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
        case code(UInt8)
        case silence
    }

    /// What is answered to the question's n-th asking, from 1.
    package typealias Script = @Sendable (_ question: Question, _ turn: Int) -> Answer

    package let port: UInt16
    private let descriptor: Int32
    private let script: Script
    private let lock = NSLock()
    private var counts: [Question: Int] = [:]

    /// On any free port of 127.0.0.1, or on this port of another loopback address.
    package init(address text: String = "127.0.0.1", port: UInt16 = 0, _ script: @escaping Script) throws {
        self.script = script
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { throw POSIXError(.EMFILE) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard status else { throw POSIXError(.EADDRNOTAVAIL) }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in serve() }
    }

    /// The name server as `resolver.servers` has it.
    package var server: String { "127.0.0.1:\(port)" }

    /// How often a question was asked.
    package func count(_ name: String, type: UInt16 = 1) -> Int {
        lock.withLock { counts[Question(name: name, type: type)] ?? 0 }
    }

    package func stop() {
        // Wakes the thread, which closes the socket.
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    private func serve() {
        var buffer = [UInt8](repeating: 0, count: 1500)
        while true {
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            guard count > 0 else { break }
            guard let reply = reply(to: Array(buffer.prefix(count))) else { continue }
            _ = withUnsafePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, reply, reply.count, 0, $0, length)
                }
            }
        }
        close(descriptor)
    }

    private func reply(to message: [UInt8]) -> [UInt8]? {
        guard message.count > 12 else { return nil }
        var labels: [String] = []
        var place = 12
        while place < message.count, message[place] != 0 {
            let end = place + 1 + Int(message[place])
            guard end < message.count else { return nil }
            labels.append(String(decoding: message[(place + 1)..<end], as: UTF8.self).lowercased())
            place = end
        }
        guard place + 5 <= message.count else { return nil }
        let question = Question(
            name: labels.joined(separator: "."),
            type: UInt16(message[place + 1]) << 8 | UInt16(message[place + 2])
        )
        let turn = lock.withLock {
            counts[question, default: 0] += 1
            return counts[question] ?? 0
        }
        let asked = Array(message[12..<(place + 5)])
        switch script(question, turn) {
        case .silence: return nil
        case .code(let code): return Self.header(message, code: code, answers: 0) + asked
        case .addresses(let texts, let ttl):
            let found = texts.compactMap { Self.octets($0, type: question.type) }
            return Self.header(message, code: 0, answers: UInt8(found.count)) + asked
                + found.flatMap { Self.record($0, type: question.type, ttl: ttl) }
        case .records(let found):
            return Self.header(message, code: 0, answers: UInt8(found.count)) + asked
                + found.flatMap { Self.record($0, type: question.type, ttl: 60) }
        }
    }

    /// The data of a service record (RFC 2782); a target of `.` is none.
    package static func srv(_ priority: UInt16, _ weight: UInt16, _ port: UInt16, _ target: String) -> [UInt8] {
        [priority, weight, port].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } + name(target)
    }

    /// The data of a mail exchanger (RFC 1035 §3.3.9).
    package static func mx(_ preference: UInt16, _ host: String) -> [UInt8] {
        [UInt8(preference >> 8), UInt8(preference & 0xFF)] + name(host)
    }

    private static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    private static func header(_ message: [UInt8], code: UInt8, answers: UInt8) -> [UInt8] {
        // An answer, recursion desired and available.
        [message[0], message[1], 0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]
    }

    private static func record(_ data: [UInt8], type: UInt16, ttl: UInt32) -> [UInt8] {
        let time = (0..<4).map { UInt8(truncatingIfNeeded: ttl >> (24 - 8 * $0)) }
        // The name is a pointer to the question's.
        return [0xC0, 0x0C, UInt8(type >> 8), UInt8(type & 0xFF), 0, 1] + time + [0, UInt8(data.count)] + data
    }

    private static func octets(_ text: String, type: UInt16) -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: type == 1 ? 4 : 16)
        guard type == 1 || type == 28 else { return nil }
        return inet_pton(type == 1 ? AF_INET : AF_INET6, text, &octets) == 1 ? octets : nil
    }
}
