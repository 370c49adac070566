// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import Intake
import MailTypes
import Storage
import Wire

// APPEND (RFC 9051 §6.3.12, RFC 3502): the octets go to the store's spool as they come, and all messages of a command into
// their folder in one transaction.
extension IMAPMailbox {
    /// The messages of the APPEND under way.
    struct Uploads {
        fileprivate struct Upload {
            let taken: TakenMessage
            let flags: MessageFlags
            let date: Timestamp?
        }

        fileprivate var folder: FolderRow?
        fileprivate var done: [Upload] = []
        fileprivate var append: IMAPAppend?
        fileprivate var incoming: IncomingMessage?
    }

    func appendBegins(_ append: IMAPAppend, number: Int, _ session: IMAPServerSession) async -> IMAPStatus? {
        do {
            if number == 0 { uploads = Uploads() }
            if uploads.folder == nil { uploads.folder = try await target(append.mailbox, session) }
            try await finishUpload()
            guard append.flags.others.isEmpty else { throw Refusal(.no, .cannot, "Such a flag cannot be kept") }
            let key = try account.key
            if let row = try await store.read({ try $0.accounts.get(key) }), let quota = row.quota,
                UInt64(max(quota - row.used, 0)) < append.octets
            {
                throw StoreError.overQuota
            }
            uploads.append = append
            uploads.incoming = context.intake.begin(.normalising)
            return nil
        } catch {
            uploads = Uploads()
            return status(ofUpload: error)
        }
    }

    func append(_ octets: inout ByteBuffer) async -> IMAPStatus? {
        guard let incoming = uploads.incoming else { return IMAPStatus(.no, .serverBug, "Nothing was announced") }
        do {
            if uploads.append?.isBinary != true, octets.bytes.firstIndex(of: ASCII.nul) != nil {
                throw Refusal(.no, .cannot, "NUL can only be in a literal8")
            }
            try incoming.append(octets.bytes)
            octets.removeAll()
            return nil
        } catch {
            octets.removeAll()
            uploads = Uploads()
            return status(ofUpload: error)
        }
    }

    /// The message that came last is complete.
    private func finishUpload() async throws {
        guard let incoming = uploads.incoming, let append = uploads.append else { return }
        uploads.incoming = nil
        uploads.append = nil
        uploads.done.append(
            Uploads.Upload(
                taken: try await incoming.finish(),
                flags: append.flags.flags,
                date: append.internalDate?.timestamp
            )
        )
    }

    func appendEnds(_ session: IMAPServerSession, _ responses: IMAPServerResponses) async throws -> IMAPStatus {
        defer { uploads = Uploads() }
        let status: IMAPStatus
        do {
            try await finishUpload()
            guard let folder = uploads.folder else { return IMAPStatus(.no, .serverBug, "Nothing was announced") }
            let done = uploads.done
            let uids = try await store.write { tx in
                try done.map { upload in
                    try tx.messages.append(
                        to: folder,
                        upload.taken.content,
                        flags: upload.flags,
                        internalDate: upload.date,
                        arrival: .added
                    ).uid
                }
            }
            for upload in done { context.observer?.messageAppended(octets: upload.taken.body.size) }
            status = IMAPStatus(.ok, .appendUID(validity: folder.uidValidity, uids: IMAPNumberSet(uids)), "Appended")
        } catch StoreError.notFound(.folder) {
            return IMAPStatus(.no, .tryCreate, "There is no such mailbox")
        } catch {
            return self.status(ofUpload: error)
        }
        try await tellNewsBehindChange(session, responses)
        return status
    }

    func appendAborted() { uploads = Uploads() }

    private func status(ofUpload error: any Error) -> IMAPStatus {
        switch error {
        case let refusal as Refusal: refusal.status
        case let error as StoreError: status(of: error)
        case is BodyTooLarge: IMAPStatus(.no, .tooBig, "The message is too large")
        default: unforeseen(error)
        }
    }
}
