// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import MIME
import MailTypes
import Storage
import Wire

/// What a server told of one message, on its way into the mirror.
struct FetchedMessage: Sendable {
    let uid: UInt32
    var flags = MessageFlags()
    var internalDate: Timestamp?
    var size: UInt64 = 0
    var emailID: [UInt8]?
    var header: [UInt8] = []
    var structure: IMAPBodyStructure?

    init(uid: UInt32) { self.uid = uid }

    /// What the store keeps of it.
    func content(_ quarantine: QuarantineSlots) throws -> NewContent {
        try MirroredReading.content(
            header: header,
            parts: structure?.descriptions ?? [Self.plain],
            size: Self.bounded(size),
            emailID: emailID,
            quarantine: quarantine
        )
    }

    /// Octets of a message or part: no server has larger ones, whatever it says.
    fileprivate static func bounded(_ octets: UInt64) -> Int64 { Int64(min(octets, RemoteSections.mostOctets)) }

    /// Of a message whose structure its server could not tell.
    private static var plain: PartDescription {
        PartDescription(.leaf, in: nil, type: Array("text".utf8), subtype: Array("plain".utf8))
    }
}

extension IMAPBodyStructure {
    /// The parts as MIME reads them.
    fileprivate var descriptions: [PartDescription] {
        parts.map { part in
            let kind: PartDescription.Kind =
                switch part.kind {
                case .leaf: .leaf
                case .multipart: .multipart
                case .message: .message
                }
            var description = PartDescription(
                kind,
                in: part.parent,
                type: kind == .multipart ? Array("multipart".utf8) : part.type,
                subtype: part.subtype
            )
            description.parameters = part.parameters.map(PartDescription.Parameter.init)
            description.disposition = part.disposition?.type
            description.dispositionParameters = part.disposition?.parameters.map(PartDescription.Parameter.init) ?? []
            description.contentID = part.id
            description.encoding = part.encoding
            description.octets = FetchedMessage.bounded(part.octets)
            description.lines = Int64(clamping: part.lines ?? 0)
            return description
        }
    }
}

extension PartDescription.Parameter {
    fileprivate init(_ parameter: IMAPParameter) {
        self.init(name: parameter.name, value: parameter.value ?? [])
    }
}
