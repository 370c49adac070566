// SPDX-License-Identifier: Apache-2.0

package import IMAP

/// A message, so far as a server has told of it.
package struct IMAPFetchedMessage: Hashable, Sendable {
    package let sequenceNumber: UInt32
    package var uid: UInt32?
    package var flags: IMAPFlags?
    package var modSeq: UInt64?
    package var size: UInt64?
    package var internalDate: IMAPDateTime?
    package var envelope: IMAPEnvelope?
    package var bodyStructure: IMAPBodyStructure?
    package var emailID: [UInt8]?
    package var threadID: [UInt8]?
    package var saveDate: IMAPDateTime?
    package var preview: [UInt8]?
    package var gmailMessageID: UInt64?
    package var gmailThreadID: UInt64?
    package var gmailLabels: [[UInt8]]?
    package var binarySizes: [[UInt32]: UInt64] = [:]
    /// What was collected of it.
    package var sections: [IMAPSection: [UInt8]] = [:]
    /// Sections that the message does not have.
    package var absent: Set<IMAPSection> = []
    /// Items that made no sense, by name: of these nothing is known.
    package var senseless: [[UInt8]] = []
    /// False where the response could not be read to its end.
    package var isWhole = true

    package init(sequenceNumber: UInt32) { self.sequenceNumber = sequenceNumber }

    /// Sections of one message that are told of; a server that goes on tells nothing new.
    private static let mostItems = 1_000

    mutating func take(_ item: IMAPFetchItem) {
        switch item {
        case .flags(let flags): self.flags = flags
        case .uid(let uid): self.uid = uid
        case .size(let size): self.size = size
        case .internalDate(let date): internalDate = date
        case .envelope(let envelope): self.envelope = envelope
        case .bodyStructure(let structure): bodyStructure = structure
        case .modSeq(let modSeq): self.modSeq = modSeq
        case .emailID(let id): emailID = id
        case .threadID(let id): threadID = id
        case .saveDate(let date): saveDate = date
        case .preview(let text): preview = text
        case .binarySize(let part, let octets): if binarySizes.count < Self.mostItems { binarySizes[part] = octets }
        case .gmailMessageID(let id): gmailMessageID = id
        case .gmailThreadID(let id): gmailThreadID = id
        case .gmailLabels(let labels): gmailLabels = labels
        case .absent(let section): if absent.count < Self.mostItems { absent.insert(section) }
        case .other(let name): if senseless.count < 16 { senseless.append(name) }
        }
    }
}

/// What a server tells without being asked.
package enum IMAPUpdate: Hashable, Sendable {
    /// How many messages there are in the selected mailbox.
    case exists(UInt32)
    /// One of them is gone; those behind it move up.
    case expunge(sequenceNumber: UInt32)
    /// QRESYNC: these are gone.
    case vanished(IMAPNumberSet)
    /// New flags, mostly; its UID is there with CONDSTORE or QRESYNC enabled, or NOTIFY.
    case message(IMAPFetchedMessage)
    /// NOTIFY, or a server that means well.
    case mailboxStatus(IMAPMailboxStatus)
    case list(IMAPListEntry)
    /// The server's words: an alert, `NOTIFICATIONOVERFLOW`, a new HIGHESTMODSEQ.
    case status(IMAPStatus)
    case other(IMAPResponse)

    init(_ response: IMAPResponse) {
        self =
            switch response {
            case .exists(let number): .exists(number)
            case .expunge(let number): .expunge(sequenceNumber: number)
            case .vanished(let uids, _): .vanished(uids)
            case .mailboxStatus(let status): .mailboxStatus(status)
            case .list(let entry): .list(entry)
            case .status(let status): .status(status)
            default: .other(response)
            }
    }
}
