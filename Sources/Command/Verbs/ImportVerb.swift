// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Configuration
internal import Files
internal import MIME
internal import Wire

/// `postern import PATH… --account A`: mbox files, Maildirs, files with one message, directories of any of them.
struct ImportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Put mail from files into an account.",
        discussion: """
            Takes mbox files, Maildirs (with their subfolders and flags), files with one message, and directories of any of \
            them. It may be stopped at any moment and run again: what is in the store already is not put there twice.
            """
    )
    @OptionGroup var options: ConfigurationOptions
    @Option(help: "The account: id, alias or address.") var account: String
    @Option(
        help: """
            Where it goes: a folder's id, role or path; what lies in subdirectories goes below it. Default: inbox, and \
            subdirectories to folders of their name.
            """
    )
    var folder: String?
    @Argument(help: "Files and directories.") var paths: [String]

    func run() throws {
        let settings = try options.resolve().settings
        try Backend.with(options) { client in
            let account = try client.call("GET", "/v1/accounts/\(Target.encoded(account))").text("id")
            var run = ImportRun(
                client: client,
                account: account,
                folder: folder,
                limit: settings.limits.messageOctets,
                folders: try FolderMap(client: client, account: account)
            )
            for path in paths { try run.take(path, journals: "\(settings.data)/imports") }
            run.finish()
            if run.failed > 0 { throw ExitCode.failure }
        }
    }
}

/// One import under way: what was done, and what is told about it.
struct ImportRun {
    let client: LocalClient
    let account: String
    let folder: String?
    let limit: Int
    var folders: FolderMap
    private(set) var imported = 0
    private(set) var known = 0
    private(set) var failed = 0

    init(client: LocalClient, account: String, folder: String?, limit: Int, folders: FolderMap) {
        self.client = client
        self.account = account
        self.folder = folder
        self.limit = limit
        self.folders = folders
    }

    mutating func take(_ path: String, journals: String) throws {
        let root = try Console.reporting(path) { () throws(FileError) in try Files.canonicalPath(path) }
        let journal = try Console.reporting(journals) { () throws(FileError) in
            try ImportJournal(directory: journals, account: account, folder: folder ?? "", source: root)
        }
        let sources = try Console.reporting(path) { () throws(FileError) in try MailSource.found(at: root) }
        for source in sources {
            do {
                try source.forEach(limit: limit) { try put($0, source.name(below: root), journal) }
            } catch let error as FileError {
                fail("\(source.path): \(error)")
            }
        }
    }

    private mutating func put(_ item: ImportItem, _ source: String, _ journal: ImportJournal) throws {
        switch item {
        case .unreadable(let failure):
            fail(source.isEmpty ? "\(failure.key): \(failure.reason)" : "\(source), \(failure.key): \(failure.reason)")
        case .message(let message):
            let name = journal.name(of: message, in: source)
            guard !journal.contains(name) else {
                known += 1
                return
            }
            do {
                try append(message, key: name)
                try journal.add(name)
                imported += 1
                if imported % 100 == 0 { Console.say("\(imported) imported") }
            } catch let error as LocalClient.Refusal where [400, 413, 415, 422].contains(error.status) {
                fail("\(source), \(message.key): \(error)")
            }
        }
    }

    private mutating func append(_ message: ImportedMessage, key: [UInt8]) throws {
        var query = [("folder", try folders.id(of: destination(of: message), client: client))]
        if !message.flags.isEmpty { query.append(("flags", message.flags.joined(separator: ","))) }
        if let date = message.internalDate ?? Self.headerDate(of: message) {
            query.append(("internalDate", date.description))
        }
        let content = LocalClient.Content(
            type: "message/rfc822",
            octets: message.octets,
            fields: [("Idempotency-Key", String(decoding: key, as: UTF8.self))]
        )
        _ = try client.call("POST", Target.with("/v1/accounts/\(account)/messages", query), content)
    }

    /// The message's own `Date`: an archive keeps its order, whenever it is imported.
    private static func headerDate(of message: ImportedMessage) -> Timestamp? {
        let header = MIMEParser.parse(message.octets.span.extracting(first: min(message.octets.count, 1 << 17)))
        return header.envelope.date.flatMap { Timestamp.writable.contains($0) ? $0 : nil }
    }

    /// A source's own messages go to the folder that was named, or the inbox; those of its subfolders below it, or to
    /// folders of their name.
    private func destination(of message: ImportedMessage) -> String {
        if message.folder.isEmpty { return folder ?? "inbox" }
        return folder.map { "\($0)/\(message.folder)" } ?? message.folder
    }

    private mutating func fail(_ sentence: String) {
        failed += 1
        Console.say("postern: \(Console.visible(Array(sentence.utf8)))")
    }

    func finish() { Console.say("\(imported) imported, \(known) already there, \(failed) not imported") }
}
