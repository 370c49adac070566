#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backup while mail comes in, and what is restored of it: a state that was, with everything that was acknowledged before the
backup began; ids and kept answers as they were, UIDVALIDITY not, and consumers of events are told.

usage: backups.py POSTERN FOLDER [--clients 16] [--before 2.0] [--backups 3]
"""
import argparse, json, os, subprocess, threading, time
from server import Claims, Server, message, verify


class Writer:
    """One client that puts messages into its account, one after the other, and notes when it asked and was answered."""

    def __init__(self, server, number):
        self.alias, self.to = f"w{number}", f"w{number}@durable.example"
        self.api, self.smtp = server.client(), server.mailer()
        self.entries = []

    def run(self, is_over):
        while not is_over():
            count = len(self.entries)
            asked = time.monotonic()
            octets = message(f"{self.alias}-{count}", self.to, 300_000 if count % 25 == 7 else 4000)
            if count % 2:
                self.smtp.sendmail("zoe@example.net", [self.to], octets)
            else:
                self.api.json("POST", f"/v1/accounts/{self.alias}/messages", octets)
            self.entries.append((asked, time.monotonic()))


def command(postern, *arguments):
    return subprocess.run([postern, *arguments], capture_output=True, text=True)


def milliseconds(writers, since, until):
    """Median and 99th percentile of the answers that came in that time."""
    times = sorted(1000 * (answered - asked) for w in writers for asked, answered in w.entries if since <= answered < until)
    return (round(times[len(times) // 2], 1), round(times[len(times) * 99 // 100], 1), len(times)) if times else None


def compare(client, writers, begun, claims, name):
    """Whether what is there is one state that was, and no earlier than the backup's beginning."""
    kept, latest = {}, 0
    for writer in writers:
        subjects = [item["subject"] for item in client.items(f"/v1/accounts/{writer.alias}/messages?fields=subject")]
        kept[writer] = len(subjects)
        wanted = {f"{writer.alias}-{number}" for number in range(len(subjects))}
        claims.check(f"{name}: {writer.alias} has a prefix of its messages", set(subjects) == wanted, sorted(set(subjects) ^ wanted)[:5], quiet=True)
        early = sum(answered <= begun for _, answered in writer.entries)
        claims.check(f"{name}: {writer.alias} has all from before", len(subjects) >= early, (len(subjects), early), quiet=True)
        if subjects:
            latest = max(latest, writer.entries[len(subjects) - 1][0])
    # Whatever was answered before the last one kept was asked for must be there too.
    missing = [(w.alias, kept[w]) for w in writers if sum(answered < latest for _, answered in w.entries) > kept[w]]
    claims.check(f"{name}: what is kept is a prefix over all accounts", not missing, missing[:5])
    return sum(kept.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--clients", type=int, default=16), parser.add_argument("--before", type=float, default=2.0)
    parser.add_argument("--backups", type=int, default=3)
    options = parser.parse_args()
    folder, claims = os.path.abspath(options.folder), Claims()
    server = Server(options.postern, f"{folder}/data", ["log.level=notice"])
    for number in range(options.clients):
        server.account(f"w{number}")
    server.account("keys")
    client, key = server.client(), {"Idempotency-Key": "before-the-backup"}
    sent = {"to": "keys@durable.example", "subject": "once", "text": "x"}
    status, _, first = client.call("POST", "/v1/accounts/keys/send", sent, headers=key)
    claims.check("a message is sent under a key", status == 202, first)
    folders = {f["id"]: f for f in client.json("GET", "/v1/accounts/keys/folders")["items"]}
    known = client.json("GET", "/v1/accounts/keys/messages/latest")
    writers, over = [Writer(server, number) for number in range(options.clients)], []
    threads = [threading.Thread(target=writer.run, args=(lambda: bool(over),)) for writer in writers]
    started = time.monotonic()
    [thread.start() for thread in threads]
    time.sleep(options.before)
    spans = []
    for number in range(options.backups):
        begun = time.monotonic()
        done = command(options.postern, "backup", f"{folder}/backup{number}", "--data", server.data)
        spans.append((begun, time.monotonic()))
        claims.check(f"backup {number} is made", done.returncode == 0, done.stderr)
        print(done.stderr.strip(), f"({spans[-1][1] - begun:.2f} s)", flush=True)
        time.sleep(options.before / 4)
    again = command(options.postern, "backup", f"{folder}/backup0", "--data", server.data)
    claims.check("a backup is not overwritten", again.returncode == 1 and "not empty" in again.stderr, again.stderr)
    over.append(True)
    [thread.join() for thread in threads]
    print("answers without a backup (median, p99, count):", milliseconds(writers, started, spans[0][0]),
          "during the first:", milliseconds(writers, *spans[0]), flush=True)
    claims.check("the server ends in order", server.stop() == 0)
    found = verify(options.postern, server.data)
    claims.check("verify is content", not found, found[:300])
    for number, (begun, _) in enumerate(spans):
        name, data = f"backup {number}", f"{folder}/restored{number}"
        done = command(options.postern, "verify", "--backup", f"{folder}/backup{number}")
        claims.check(f"{name} is sound", done.returncode == 0, done.stdout + done.stderr)
        done = command(options.postern, "restore", f"{folder}/backup{number}", "--data", data)
        claims.check(f"{name} is restored", done.returncode == 0, done.stderr)
        twice = command(options.postern, "restore", f"{folder}/backup{number}", "--data", data)
        claims.check(f"{name} is not restored over a store", twice.returncode == 1 and "not empty" in twice.stderr, twice.stderr)
        found = verify(options.postern, data)
        claims.check(f"{name}: verify of what was restored is content", not found, found[:300])
        server = Server(options.postern, data, ["log.level=notice"])
        client = server.client()
        print(f"{name}: {compare(client, writers, begun, claims, name)} of {sum(len(w.entries) for w in writers)} messages")
        status, fields, again = client.call("POST", "/v1/accounts/keys/send", sent, headers=key)
        claims.check(f"{name}: the kept answer is given again", (status, again) == (202, first) and fields["Idempotent-Replayed"] == "true", again)
        now = client.json("GET", "/v1/accounts/keys/messages/latest")
        claims.check(f"{name}: ids are kept", now["id"] == known["id"] and now["uid"] == known["uid"], now)
        for f in client.json("GET", "/v1/accounts/keys/folders")["items"]:
            claims.check(f"{name}: {f['name']} has a new UIDVALIDITY", f["uidValidity"] > folders[f["id"]]["uidValidity"], f, quiet=True)
        claims.check(f"{name}: the restored server ends in order", server.stop() == 0)
    claims.end()


if __name__ == "__main__":
    main()
