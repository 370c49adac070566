// SPDX-License-Identifier: Apache-2.0

import Crypto
import Files
import JSON
package import Wire

/// What a backup says of itself: the file that is written last, and makes it one.
package struct BackupManifest: Hashable, Sendable {
    package static let fileName = "backup.json"
    /// The layout of the directory that this version writes, and the latest that it reads.
    static let format: Int64 = 1

    var format = Self.format
    /// The schema of the database.
    var schema: Int64
    /// When the state was taken.
    package var created: Timestamp
    package var accounts: Int64
    package var messages: Int64
    /// Bodies with a file of their own.
    package var bodyFiles: Int64
    /// Octets of the database, and of all body files.
    package var databaseOctets: Int64
    package var bodyOctets: Int64
    /// SHA-256 of the database file.
    var databaseHash: BodyHash

    /// One JSON object and LF.
    package var octets: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        write(to: &writer)
        writer.endObject()
        var buffer = writer.finish()
        buffer.append(ASCII.lf)
        return buffer.array()
    }

    private func write(to writer: inout JSONWriter) {
        for (name, value) in numbers {
            writer.key(name)
            writer.number(value)
        }
        writer.key("createdAt")
        writer.string(created.description)
        writer.key("databaseSHA256")
        writer.string(databaseHash.description)
    }

    private var numbers: [(StaticString, Int64)] {
        [
            ("format", format), ("schema", schema), ("created", created.milliseconds), ("accounts", accounts),
            ("messages", messages), ("bodyFiles", bodyFiles), ("databaseOctets", databaseOctets),
            ("bodyOctets", bodyOctets),
        ]
    }

    static func read(in directory: String) throws(BackupError) -> Self {
        guard let octets = try? Files.contents("\(directory)/\(fileName)", limit: 1 << 16),
            let object = (try? JSONValue(parsing: octets.span))?.object
        else { throw .incomplete(directory) }
        func number(_ name: StaticString) throws(BackupError) -> Int64 {
            guard let value = object[name]?.int64 else { throw .incomplete(directory) }
            return value
        }
        let (format, schema) = (try number("format"), try number("schema"))
        guard format <= Self.format, schema <= Schema.version else { throw .newer(format: format, schema: schema) }
        guard let text = object["databaseSHA256"]?.string,
            let hash = BodyHash(hexadecimal: String(decoding: text, as: UTF8.self))
        else { throw .incomplete(directory) }
        return Self(
            format: format,
            schema: schema,
            created: Timestamp(milliseconds: try number("created")),
            accounts: try number("accounts"),
            messages: try number("messages"),
            bodyFiles: try number("bodyFiles"),
            databaseOctets: try number("databaseOctets"),
            bodyOctets: try number("bodyOctets"),
            databaseHash: hash
        )
    }
}
