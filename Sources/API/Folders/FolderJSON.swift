// SPDX-License-Identifier: Apache-2.0

import HTTP
import JSON
import MailTypes
import Storage
import Wire

/// A folder as the API shows it.
enum FolderJSON {
    /// `parent` is the id of the folder it is in.
    static func write(_ folder: FolderRow, parent: FolderID?, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("id")
        writer.string { folder.id.append(to: &$0) }
        writer.key("name")
        writer.string(Array(folder.name.text.utf8.split(separator: ASCII.slash).last ?? []))
        writer.key("path")
        writer.string(folder.name.text)
        writer.key("parentId")
        if let parent { writer.string { parent.append(to: &$0) } } else { writer.null() }
        writer.key("role")
        writer.string(folder.role?.rawValue)
        writer.key("messages")
        writer.number(folder.total)
        writer.key("unread")
        writer.number(folder.unread)
        writer.key("uidValidity")
        writer.number(folder.uidValidity)
        writer.key("uidNext")
        writer.number(folder.uidNext)
        writer.key("highestModseq")
        writer.number(folder.highestModseq)
        if folder.isMirror {
            writer.key("verifiedAt")
            writer.timestamp(folder.verified)
            writer.key("problem")
            writer.string(folder.problem)
        }
        writer.endObject()
    }

    /// Of this state of the folder, its messages included.
    static func tag(_ folder: FolderRow) -> EntityTag {
        EntityTag("f\(folder.uidValidity).\(folder.highestModseq).\(folder.total).\(folder.unread)".utf8)
    }

    /// The id of the folder that `folder` is in.
    static func parent(of folder: FolderRow, in view: some StoreView) throws -> FolderID? {
        guard let name = folder.name.parent else { return nil }
        return try view.folders.find(name, in: folder.account)?.id
    }
}

/// A folder and what an answer that shows it needs.
struct ShownFolder: Sendable {
    let row: FolderRow
    let parent: FolderID?

    init(_ row: FolderRow, in view: some StoreView) throws {
        self.row = row
        parent = try FolderJSON.parent(of: row, in: view)
    }

    var tag: EntityTag { FolderJSON.tag(row) }

    func write(to writer: inout JSONWriter) { FolderJSON.write(row, parent: parent, to: &writer) }

    /// `ETag`, to which `Location` may be added.
    func fields() throws -> HTTPFields {
        var fields = HTTPFields()
        try fields.add("ETag", tag.fieldValue)
        return fields
    }
}

extension JSONField {
    /// One level of a folder's name.
    func folderName() -> String? {
        guard let name = line(minimum: 1, maximum: 100) else { return nil }
        guard !name.utf8.contains(ASCII.slash) else {
            fail(.invalid, "must not contain a slash")
            return nil
        }
        return name
    }

    /// The id or role of a folder.
    func folderReference() -> FolderReference? {
        guard let text = text(minimum: 1, maximum: 64) else { return nil }
        guard text.allSatisfy({ ASCII.isLower($0) || ASCII.isDigit($0) || $0 == ASCII.underscore }) else {
            fail(.invalid, "must be a folder's id or role")
            return nil
        }
        return FolderReference(text)
    }
}

extension FolderName {
    /// `name` below `parent`, or at the top.
    init(_ name: String, below parent: FolderRow?) throws(StoreError) {
        try self.init(parent.map { $0.name.text + "/" + name } ?? name)
    }
}
