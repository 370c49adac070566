// SPDX-License-Identifier: Apache-2.0

import SQLite

/// The tables, and how a store of an earlier version gets them: each step forward is one transaction.
enum Schema {
    /// "Post", so that the file says whose it is.
    static let applicationID: Int64 = 0x506F_7374

    /// The schema this version writes.
    static var version: Int64 { Int64(steps.count) }

    /// Takes an empty file, or a store of an earlier version, to this one.
    static func bringUpToDate(_ connection: SQLiteConnection, steps: [String] = steps) throws {
        let found = try connection.pragma("user_version") ?? 0
        let owner = try connection.pragma("application_id") ?? 0
        guard found <= steps.count else { throw StoreError.newerSchema(found: found, known: Int64(steps.count)) }
        let tables = try connection.first("SELECT count(*) FROM sqlite_schema") { $0.int(0) } ?? 0
        guard owner == applicationID || (found == 0 && tables == 0) else { throw StoreError.foreignFile }
        for step in Int(found)..<steps.count {
            try connection.execute("BEGIN IMMEDIATE")
            do {
                try connection.execute(steps[step])
                if steps[step] == addingShown { try ShownMembers.fill(connection) }
                try connection.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(step + 1)")
                try connection.execute("COMMIT")
            } catch {
                if connection.isInTransaction { try connection.execute("ROLLBACK") }
                throw error
            }
        }
    }

    /// Reads the whole file; throws if its structure is damaged.
    static func quickCheck(_ connection: SQLiteConnection) throws {
        let findings = try connection.all("PRAGMA quick_check(1)") { $0.string(0) }
        guard findings == ["ok"] else { throw StoreError.corrupt(findings.first ?? "quick_check says nothing") }
    }

    /// A column that SQL alone cannot fill: see ``ShownMembers``.
    static let addingShown = "ALTER TABLE messages ADD COLUMN shown BLOB NOT NULL DEFAULT x''"

    /// Times are milliseconds since 1970.
    ///
    /// Ids are 10 octets. Every row of an account carries the account's key, and every
    /// statement asks for it. Keys that others refer to lead an index there, because deleting a row asks for its referrers.
    static let steps: [String] = [
        """
        CREATE TABLE accounts (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, address TEXT NOT NULL,
            -- The address with A-Z lowered; NULL once the account is deleted.
            address_key TEXT UNIQUE, alias TEXT UNIQUE, display_name TEXT, verifier BLOB, is_suspended INTEGER NOT NULL,
            quota INTEGER, used INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 1,
            modseq INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT 0,
            last_uid_validity INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, updated INTEGER NOT NULL,
            deleted INTEGER, is_purged INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE TABLE folders (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            account INTEGER NOT NULL REFERENCES accounts, name TEXT NOT NULL, role TEXT,
            uid_validity INTEGER NOT NULL, uid_next INTEGER NOT NULL DEFAULT 1, highest_modseq INTEGER NOT NULL,
            total INTEGER NOT NULL DEFAULT 0, unread INTEGER NOT NULL DEFAULT 0,
            UNIQUE (account, name), UNIQUE (account, role)
        ) STRICT;
        CREATE TABLE threads (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, account INTEGER NOT NULL REFERENCES accounts,
            latest INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, unread INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX threads_by_date ON threads (account, latest, pk) WHERE total > 0;
        -- Which thread a Message-ID belongs to, whether a message of that name is here or only referred to.
        CREATE TABLE thread_links (
            account INTEGER NOT NULL REFERENCES accounts, message_id BLOB NOT NULL,
            thread INTEGER NOT NULL REFERENCES threads, PRIMARY KEY (account, message_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX thread_links_by_thread ON thread_links (thread);
        -- data is NULL for a body that has a file of its own.
        CREATE TABLE bodies (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
            refs INTEGER NOT NULL, data BLOB
        ) STRICT;
        CREATE TABLE contents (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            account INTEGER NOT NULL REFERENCES accounts, body INTEGER NOT NULL REFERENCES bodies,
            thread INTEGER NOT NULL REFERENCES threads,
            -- The thread's id again, because a list of messages shows it with each.
            thread_id BLOB NOT NULL, size INTEGER NOT NULL, has_attachments INTEGER NOT NULL, is_quarantined INTEGER NOT NULL, summary BLOB NOT NULL, message_id BLOB, base_subject TEXT NOT NULL,
            detail BLOB NOT NULL, layout BLOB NOT NULL
        ) STRICT;
        CREATE INDEX contents_by_account ON contents (account);
        CREATE INDEX contents_by_body ON contents (body, account);
        CREATE INDEX contents_by_thread ON contents (thread);
        -- Contents that may have lost their last message, and when.
        CREATE TABLE released (content INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;
        CREATE TABLE messages (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            account INTEGER NOT NULL REFERENCES accounts, folder INTEGER NOT NULL REFERENCES folders,
            uid INTEGER NOT NULL, modseq INTEGER NOT NULL, flags INTEGER NOT NULL, keywords TEXT NOT NULL,
            internal_date INTEGER NOT NULL, saved_at INTEGER NOT NULL, size INTEGER NOT NULL,
            content INTEGER NOT NULL REFERENCES contents, thread INTEGER NOT NULL REFERENCES threads,
            trace BLOB NOT NULL, remote_uid INTEGER, UNIQUE (folder, uid)
        ) STRICT;
        CREATE INDEX messages_by_folder ON messages (folder, internal_date, pk);
        CREATE INDEX messages_by_date ON messages (account, internal_date, pk);
        CREATE INDEX messages_by_modseq ON messages (account, modseq);
        CREATE INDEX messages_by_thread ON messages (thread, internal_date, pk);
        CREATE INDEX messages_by_content ON messages (content);
        CREATE INDEX messages_unread ON messages (folder, internal_date, pk) WHERE flags & 1 = 0;
        CREATE INDEX messages_unread_by_date ON messages (account, internal_date, pk) WHERE flags & 1 = 0;
        CREATE INDEX messages_flagged ON messages (account, internal_date, pk) WHERE flags & 4 <> 0;
        -- What was in a folder under a UID and is there no more; message is its pk, moved or deleted.
        CREATE TABLE expunged (
            account INTEGER NOT NULL, folder INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL,
            message INTEGER NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (account, folder, uid)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX expunged_by_modseq ON expunged (account, modseq);
        CREATE TABLE outbox (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            account INTEGER NOT NULL REFERENCES accounts, sender TEXT NOT NULL, body INTEGER NOT NULL REFERENCES bodies,
            message_id BLOB, message BLOB, envelope BLOB NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
            modseq INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX outbox_by_body ON outbox (body);
        CREATE INDEX outbox_by_date ON outbox (account, created, pk);
        CREATE TABLE recipients (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts,
            submission INTEGER NOT NULL REFERENCES outbox ON DELETE CASCADE, address TEXT NOT NULL, state TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0, due INTEGER, code INTEGER, reply TEXT, updated INTEGER NOT NULL,
            UNIQUE (submission, address)
        ) STRICT;
        CREATE INDEX recipients_due ON recipients (due) WHERE due IS NOT NULL;
        CREATE TABLE events (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, seq INTEGER NOT NULL,
            time INTEGER NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL, UNIQUE (account, seq)
        ) STRICT;
        CREATE INDEX events_by_time ON events (time);
        CREATE TABLE tokens (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, hash BLOB NOT NULL UNIQUE,
            name TEXT NOT NULL, scopes INTEGER NOT NULL,
            -- The ids of the accounts it is good for, 10 octets each; NULL for all.
            accounts BLOB, origins TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER, last_used INTEGER
        ) STRICT;
        CREATE TABLE idempotency (
            pk INTEGER PRIMARY KEY, scope BLOB NOT NULL, key BLOB NOT NULL, fingerprint BLOB NOT NULL,
            status INTEGER, headers BLOB, body BLOB, created INTEGER NOT NULL, expires INTEGER NOT NULL,
            UNIQUE (scope, key)
        ) STRICT;
        CREATE INDEX idempotency_by_expiry ON idempotency (expires);
        """,
        """
        -- The number of the account's last account.restored event, and how many numbers were left out in front of it.
        ALTER TABLE accounts ADD COLUMN restored_seq INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE accounts ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
        -- What is held back by an operator's or a restoration's decision, and since when.
        CREATE TABLE holds (name TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """,
        """
        -- The highest pk of the account's events that were removed: a cursor before it has missed some.
        ALTER TABLE accounts ADD COLUMN expired_position INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX accounts_by_expired_position ON accounts (expired_position);
        -- What was removed before this column was there came before all that is kept of the account.
        UPDATE accounts SET expired_position = coalesce(
                (SELECT pk - 1 FROM events WHERE account = accounts.pk ORDER BY seq LIMIT 1),
                (SELECT max(pk) FROM events), 0)
            WHERE coalesce((SELECT min(seq) FROM events WHERE account = accounts.pk), seq + 1) > 1;
        """,
        """
        CREATE TABLE webhooks (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
            -- The ids of the accounts that its maker might touch, 10 octets each; NULL for all.
            scope BLOB, name TEXT NOT NULL, url TEXT NOT NULL, state TEXT NOT NULL, reason TEXT,
            -- What it wants: words with spaces between them, ids, and a search; what is empty or NULL excludes nothing.
            types TEXT NOT NULL, accounts BLOB NOT NULL, folders BLOB NOT NULL, query TEXT,
            payload TEXT NOT NULL, is_ordered INTEGER NOT NULL, signatures INTEGER NOT NULL,
            -- Encrypted; their names in the clear.
            headers BLOB, header_names TEXT NOT NULL,
            -- The pk of the last event that is settled, and of the last whose loss was reported.
            cursor INTEGER NOT NULL, reported INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,
            version INTEGER NOT NULL DEFAULT 1, created INTEGER NOT NULL, updated INTEGER NOT NULL,
            last_success INTEGER, last_failure INTEGER
        ) STRICT;
        CREATE TABLE webhook_secrets (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
            kind INTEGER NOT NULL, sealed BLOB NOT NULL, public_key BLOB, created INTEGER NOT NULL, expires INTEGER
        ) STRICT;
        CREATE INDEX webhook_secrets_by_webhook ON webhook_secrets (webhook, kind);
        -- Events that are to be tried again, that ran out, or that were delivered lately; event is a pk that may be gone.
        CREATE TABLE deliveries (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
            event INTEGER NOT NULL, account INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
            time INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, due INTEGER,
            attempted INTEGER, duration INTEGER, status INTEGER, error TEXT, answer BLOB, updated INTEGER NOT NULL,
            UNIQUE (webhook, event)
        ) STRICT;
        CREATE INDEX deliveries_due ON deliveries (webhook, due) WHERE state = 'pending';
        CREATE INDEX deliveries_by_state ON deliveries (webhook, state, updated);
        CREATE INDEX deliveries_by_time ON deliveries (state, time);
        """,
        """
        -- Where a remote account's mail is, and how one gets in.
        CREATE TABLE remote_servers (
            account INTEGER NOT NULL REFERENCES accounts, service TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,
            security TEXT NOT NULL, username TEXT NOT NULL, credential TEXT NOT NULL,
            -- Encrypted; NULL where the server asks for nothing.
            secret BLOB,
            -- The SHA-256 of the one certificate that is trusted besides those of the authorities.
            pin BLOB, options TEXT NOT NULL, PRIMARY KEY (account, service)
        ) STRICT, WITHOUT ROWID;
        -- How the account's server stood when that last changed, and why.
        ALTER TABLE accounts ADD COLUMN remote_state TEXT;
        ALTER TABLE accounts ADD COLUMN remote_reason TEXT;
        ALTER TABLE accounts ADD COLUMN remote_since INTEGER;
        -- The folder at the server: its name there, and how far the mirror is. remote_low: all UIDs from here up to
        -- remote_uid_next are mirrored; verified: when that was last seen to be all.
        ALTER TABLE folders ADD COLUMN remote_path BLOB;
        ALTER TABLE folders ADD COLUMN remote_separator INTEGER;
        ALTER TABLE folders ADD COLUMN remote_uid_validity INTEGER;
        ALTER TABLE folders ADD COLUMN remote_uid_next INTEGER;
        ALTER TABLE folders ADD COLUMN remote_low INTEGER;
        ALTER TABLE folders ADD COLUMN remote_modseq INTEGER;
        ALTER TABLE folders ADD COLUMN remote_id BLOB;
        ALTER TABLE folders ADD COLUMN verified INTEGER;
        ALTER TABLE folders ADD COLUMN remote_problem TEXT;
        CREATE UNIQUE INDEX folders_by_remote_path ON folders (account, remote_path) WHERE remote_path IS NOT NULL;
        CREATE UNIQUE INDEX messages_by_remote_uid ON messages (folder, remote_uid) WHERE remote_uid IS NOT NULL;
        -- What a message is known by at the server, wherever it lies (EMAILID), or else by what never changes of it.
        ALTER TABLE contents ADD COLUMN email_id BLOB;
        ALTER TABLE contents ADD COLUMN fingerprint BLOB;
        -- When a body that is only lent from the server was fetched.
        ALTER TABLE contents ADD COLUMN fetched INTEGER;
        CREATE INDEX contents_by_email_id ON contents (account, email_id) WHERE email_id IS NOT NULL;
        CREATE INDEX contents_by_fingerprint ON contents (account, fingerprint) WHERE fingerprint IS NOT NULL;
        CREATE INDEX contents_by_use ON contents (fetched) WHERE fetched IS NOT NULL;
        -- Messages that are here and on their way to the server.
        CREATE TABLE pending_uploads (
            message INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE, account INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX pending_uploads_by_account ON pending_uploads (account);
        -- The body of a mirrored message may be at the server only.
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'body INTEGER NOT NULL REFERENCES bodies', 'body INTEGER REFERENCES bodies')
            WHERE type = 'table' AND name = 'contents';
        PRAGMA writable_schema = RESET;
        """,
        """
        -- How the last try ended: in which part of the dialogue, with which enhanced status code (RFC 3463).
        ALTER TABLE recipients ADD COLUMN phase TEXT;
        ALTER TABLE recipients ADD COLUMN status TEXT;
        -- Since when the end of the message is on its way to the other side; NULL once it is known what came of that.
        ALTER TABLE recipients ADD COLUMN ending INTEGER;
        -- Tries whose end nobody answered.
        ALTER TABLE recipients ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX recipients_due_by_account ON recipients (account, due) WHERE due IS NOT NULL;
        CREATE INDEX recipients_ending ON recipients (account) WHERE ending IS NOT NULL;
        """,
        addingShown,
        """
        -- What the POP3 servers of accounts have or had, by unique-id. message: our copy, NULL before it was fetched and after
        -- it was deleted for good; hash: of its octets; gone: since when the server does not list it.
        CREATE TABLE maildrop (
            pk INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, uid BLOB NOT NULL,
            size INTEGER NOT NULL, state TEXT NOT NULL, is_old INTEGER NOT NULL,
            message INTEGER REFERENCES messages ON DELETE SET NULL, hash BLOB, fetched INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0, retry INTEGER, reason TEXT, gone INTEGER, UNIQUE (account, uid)
        ) STRICT;
        CREATE INDEX maildrop_by_message ON maildrop (message);
        CREATE INDEX maildrop_by_hash ON maildrop (account, hash) WHERE hash IS NOT NULL;
        CREATE INDEX maildrop_gone ON maildrop (account, gone) WHERE gone IS NOT NULL;
        CREATE INDEX maildrop_not_here ON maildrop (account) WHERE state IN ('waiting', 'left');
        """,
        """
        -- Parts of messages whose octets are at the server, encoded as they are there: fetched for somebody, and kept a while.
        CREATE TABLE fetched_parts (
            pk INTEGER PRIMARY KEY, account INTEGER NOT NULL, content INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
            part TEXT NOT NULL, fetched INTEGER NOT NULL, size INTEGER NOT NULL, octets BLOB NOT NULL, UNIQUE (content, part)
        ) STRICT;
        CREATE INDEX fetched_parts_by_use ON fetched_parts (fetched, size);
        """,
        """
        -- Since when a remote account was not seen to be what its server has, once that is too long; NULL where it was.
        ALTER TABLE accounts ADD COLUMN remote_stale INTEGER;
        """,
        """
        -- When it was tried to get first words of a message whose octets are at the server.
        ALTER TABLE contents ADD COLUMN previewed INTEGER;
        """,
        """
        -- What a provider gave us for an account: tokens are encrypted; due: when the access token is renewed; version: another
        -- one with every authorisation.
        CREATE TABLE oauth_grants (
            account INTEGER PRIMARY KEY REFERENCES accounts, provider TEXT NOT NULL, refresh BLOB NOT NULL, access BLOB,
            expires INTEGER, due INTEGER, version INTEGER NOT NULL, problem TEXT
        ) STRICT;
        """,
        """
        -- Names of folders that mail programs are to show; a name may have no folder.
        CREATE TABLE subscriptions (
            account INTEGER NOT NULL REFERENCES accounts, name TEXT NOT NULL, PRIMARY KEY (account, name)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO subscriptions (account, name) SELECT account, name FROM folders;
        CREATE INDEX messages_with_keywords ON messages (folder, keywords) WHERE keywords <> '';
        CREATE INDEX messages_deleted ON messages (folder, uid) WHERE flags & 16 <> 0;
        -- What FETCH tells of a content, as it goes out: written when it is asked for first, and to be had again at any time.
        CREATE TABLE fetch_items (
            content INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE, envelope BLOB, structure BLOB
        ) STRICT;
        """,
    ]
}
