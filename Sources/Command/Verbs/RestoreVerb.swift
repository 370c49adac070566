// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Configuration
internal import Runtime
internal import Storage

/// `postern restore BACKUP --data DIRECTORY`: makes a store of a backup.
struct RestoreVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a new data directory of a backup.",
        discussion: """
            The data directory must be new or empty. Ids, messages, tokens and idempotency keys are as they were; every \
            folder has a new UIDVALIDITY; the numbers of events go on behind those given after the backup, and each \
            account's next event is account.restored. Deliveries that waited are held until `postern queue release`.
            """
    )
    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The backup's directory.") var backup: String

    func run() throws {
        ProcessSetup.keepFilesPrivate()
        let settings = try options.resolve().settings
        let restoration = Restoration(
            from: BackupDirectory(path: backup),
            to: settings.storeConfiguration,
            clock: settings.clock
        )
        let report = try Console.reporting("not restored") { try restoration.run() }
        let (messages, accounts) = (report.manifest.messages, report.manifest.accounts)
        Console.say("\(messages) messages of \(accounts) accounts are in \(settings.data)")
        if report.held > 0 {
            Console.say("\(report.held) deliveries are held: `postern queue release` lets them go on")
        }
    }
}
