#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A message that was being read when the process died is kept unread, and an operator has it read again: it keeps its id, joins
its thread and is found; nothing else changes.

usage: quarantine.py POSTERN FOLDER
"""
import hashlib, os, subprocess, sys
from server import Claims, Server, message, verify

postern, folder = sys.argv[1], os.path.abspath(sys.argv[2])
data, claims = folder + "/data", Claims()
octets = message("mended", "ann@durable.example").replace(b"\r\n\r\n", b"\r\nReferences: <first@example.net>\r\n\r\n", 1)


def quarantine(*arguments):
    return subprocess.run([postern, "quarantine", *arguments, "--data", data], capture_output=True, text=True)


def die_while_reading():
    """The slot that a process leaves which dies while it reads: the message's hash, and that it is set."""
    with open(data + "/parsing.slots", "r+b") as slots:
        slots.write(hashlib.sha256(octets).digest() + b"\x01")


server = Server(postern, data)
server.account("ann"), server.account("bob")
server.kill()
die_while_reading()
server = Server(postern, data)
client = server.client()
first = client.json("POST", "/v1/accounts/ann/messages", message("first", "ann@durable.example"))
made = {name: client.json("POST", f"/v1/accounts/{name}/messages?flags=flagged", octets) for name in ("ann", "bob")}
path = f"/v1/accounts/ann/messages/{made['ann']['id']}"
unread = client.json("GET", path)
claims.check("it is kept unread", unread["quarantined"] and not unread["subject"], unread)
claims.check("as it was accepted", client.call("GET", path + "/raw")[2] == octets)
listed = quarantine("list").stdout.splitlines()
claims.check("both accounts' messages are listed", {line.split("\t")[1] for line in listed} == {m["id"] for m in made.values()}, listed)
claims.check("what is not in quarantine is not released", quarantine("release", first["id"]).returncode == 1)
done = quarantine("release", made["ann"]["id"])
claims.check("it is released", done.returncode == 0 and "2 messages" in done.stderr, done.stderr)
for name, message_made in made.items():
    read = client.json("GET", f"/v1/accounts/{name}/messages/{message_made['id']}")
    claims.check(f"{name}'s is read", not read["quarantined"] and read["subject"] == "mended", read)
    claims.check(f"{name}'s is the same message, changed", (read["uid"], read["flags"]) == (message_made["uid"], ["flagged"])
                 and read["modseq"] > message_made["modseq"], read)
    claims.check(f"{name}'s is as it was accepted", client.call("GET", f"/v1/accounts/{name}/messages/{message_made['id']}/raw")[2] == octets)
claims.check("it is in its thread", client.json("GET", path)["threadId"] == first["threadId"])
found = client.json("GET", "/v1/accounts/ann/messages?q=subject:mended")["items"]
claims.check("it is found", [item["id"] for item in found] == [made["ann"]["id"]], found)
claims.check("nothing is left in quarantine", quarantine("list").stdout == "" and quarantine("release", made["ann"]["id"]).returncode == 1)
again = client.json("POST", "/v1/accounts/ann/messages", octets)
claims.check("the next of its kind is read at once", client.json("GET", f"/v1/accounts/ann/messages/{again['id']}")["subject"] == "mended")
claims.check("the server ends in order", server.stop() == 0)
sound = verify(postern, data)
claims.check("verify is content", not sound, sound)
# Without a server, and what dies again while it is read goes back.
die_while_reading()
server = Server(postern, data)
last = server.client().json("POST", "/v1/accounts/bob/messages", octets.replace(b"mended", b"broken"))
claims.check("another message is read", last["subject"] == "broken", last)
claims.check("the server ends in order again", server.stop() == 0)
claims.check("one that was read before is no longer read, and stays as it is shown", quarantine("list").stdout == "")
claims.end()
