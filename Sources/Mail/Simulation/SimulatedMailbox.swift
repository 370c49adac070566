// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Runtime
import Wire

/// The mail of a simulated server, in memory: shared by all its connections.
package final class SimulatedMailbox: Sendable {
    struct Message: Sendable {
        let uid: UInt32
        var flags: [[UInt8]]
        let date: Timestamp
        let octets: [UInt8]

        func has(_ flag: StaticString) -> Bool { flags.contains { ASCII.equalsIgnoringCase($0, flag) } }
    }

    struct Folder: Sendable {
        var validity: UInt32
        var next: UInt32 = 1
        var isSubscribed = true
        /// Ascending by UID.
        var messages: [Message] = []

        mutating func add(_ octets: [UInt8], _ flags: [[UInt8]], _ date: Timestamp) -> UInt32 {
            let uid = next
            next &+= 1
            messages.append(Message(uid: uid, flags: flags, date: date, octets: octets))
            return uid
        }
    }

    struct State: Sendable {
        /// By name, as it stands on the wire.
        var folders: [[UInt8]: Folder] = [:]
        var nextValidity: UInt32 = 1_000

        @discardableResult
        mutating func create(_ name: [UInt8]) -> Bool {
            guard folders[name] == nil else { return false }
            folders[name] = Folder(validity: nextValidity)
            nextValidity &+= 1
            return true
        }
    }

    private let state = Lock(State())
    static let inbox = Array("INBOX".utf8)

    /// With so many messages in the inbox.
    package init(messages: Int, folders: [String] = ["Drafts", "Sent", "Trash", "Archive"]) {
        with { state in
            state.create(Self.inbox)
            for name in folders { state.create(Array(name.utf8)) }
            for number in 1...max(messages, 1) where number <= messages {
                let date = Timestamp(milliseconds: 1_700_000_000_000 + Int64(number) * 60_000)
                _ = state.folders[Self.inbox]?.add(Self.message(number), [], date)
            }
        }
    }

    func with<R: Sendable>(_ body: (inout State) -> sending R) -> R { state.withLock { body(&$0) } }

    /// A folder as it is now.
    func folder(_ name: [UInt8]) -> Folder? { with { $0.folders[name] } }

    /// How many messages a folder has; nil where there is none of that name.
    package func count(in folder: String) -> Int? { self.folder(Array(folder.utf8))?.messages.count }

    /// Puts a message into the inbox, as if it had been delivered.
    package func deliver(_ octets: [UInt8]) {
        with { state in _ = state.folders[Self.inbox]?.add(octets, [], Timestamp(milliseconds: 1_800_000_000_000)) }
    }

    /// Gives a folder another UIDVALIDITY, and its messages other UIDs, as a server does that lost its index.
    package func renumber(_ name: String) {
        with { state in
            guard let folder = state.folders.removeValue(forKey: Array(name.utf8)) else { return }
            state.create(Array(name.utf8))
            for message in folder.messages {
                _ = state.folders[Array(name.utf8)]?.add(message.octets, message.flags, message.date)
            }
        }
    }

    /// As if another client of its owner moved all messages of a folder into another one.
    package func moveAll(from name: String, to other: String) {
        with { state in
            let moved = state.folders[Array(name.utf8)]?.messages ?? []
            for message in moved {
                _ = state.folders[Array(other.utf8)]?.add(message.octets, message.flags, message.date)
            }
            state.folders[Array(name.utf8)]?.messages = []
        }
    }

    /// Removes a folder with all that is in it.
    package func remove(_ name: String) { with { state in state.folders[Array(name.utf8)] = nil } }

    private static func message(_ number: Int) -> [UInt8] {
        Array(
            """
            From: Somebody <somebody@example.org>\r
            To: user@example.com\r
            Subject: Message \(number)\r
            Date: Tue, 14 Nov 2023 22:13:20 +0000\r
            Message-ID: <\(number)@simulated.example>\r
            MIME-Version: 1.0\r
            Content-Type: text/plain; charset=utf-8\r
            \r
            This is message \(number).\r

            """.utf8
        )
    }
}
