#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One mailbox seen from two sides: through Postern, and by imaplib at the server where it is. Each change is made once on each
side and looked for on the other.

usage: remote_account.py READY IMAPS CERTIFICATE
IMAPS is the port of an IMAP server on loopback with implicit TLS, CERTIFICATE its certificate in a file; it has users u1 and u2
with the password pw.
"""
import argparse, hashlib, http.client, imaplib, json, ssl, sys, time

arguments = argparse.ArgumentParser()
arguments.add_argument("ready"), arguments.add_argument("imaps", type=int), arguments.add_argument("certificate")
options = arguments.parse_args()
ready = json.load(open(options.ready))
token = open(ready["adminTokenFile"]).read().strip()
pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(options.certificate).read())).hexdigest()
failures = []


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
    if not holds:
        failures.append(claim)


def call(method, path, body=None, content_type="application/json", fresh=False):
    host, port = ready["http"].rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    headers = {"Authorization": "Bearer " + token, "Content-Type": content_type}
    if fresh:
        headers["Cache-Control"] = "no-cache"
    connection.request(method, path, json.dumps(body) if isinstance(body, (dict, list)) else body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = (answer.getheader("Content-Type") or "").split(";")[0].endswith("json")
    return answer.status, json.loads(content) if is_json and content else content


def until(claim, body, seconds=30):
    """Waits for what must come about by itself."""
    end = time.time() + seconds
    found = None
    while time.time() < end:
        found = body()
        if found:
            break
        time.sleep(0.05)
    check(claim, bool(found))
    return found


def login(user):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = imaplib.IMAP4_SSL("127.0.0.1", options.imaps, ssl_context=context)
    client.login(user, "pw")
    return client


def message(name, filler=""):
    return (f"From: a@x.example\r\nTo: u@x.example\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n"
            f"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nContent-Type: text/plain\r\n\r\nThis is {name}.{filler}\r\n").encode()


def attached(name):
    return (f"From: a@x.example\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee the file\r\n'
            '--b\r\nContent-Type: application/pdf; name="r.pdf"\r\nContent-Disposition: attachment; filename="r.pdf"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8sIHdvcmxkIQ==\r\n--b--\r\n").encode()


def settings(user, password="pw"):
    return {"host": "127.0.0.1", "port": options.imaps, "tls": "implicit", "username": user, "password": password,
            "certificateSHA256": pin}


# A first try, which makes nothing.
new = {"kind": "imap", "address": "u1@x.example", "alias": "u1", "imap": settings("u1")}
status, answer = call("POST", "/v1/accounts?dryRun=true", new)
check("a try says that all is well", status == 200 and answer["ok"] and len(answer["imap"]) == 4, answer)
wrong = dict(new, imap=dict(settings("u1"), certificateSHA256=None))
status, answer = call("POST", "/v1/accounts?dryRun=true", wrong)
check("a certificate that nobody signed is refused", status == 200 and answer["imap"][-1]["step"] == "tls", answer)
check("nothing was made", call("GET", "/v1/accounts/u1")[0] == 404)

client = login("u1")
for n in range(120):
    client.append("INBOX", r"(\Seen)" if n % 2 else None, None, message(f"old{n}"))
client.create("Work.2026")
base = "/v1/accounts/u1"
status, made = call("POST", "/v1/accounts", new)
check("an account at a server is made", status == 201 and "password" not in json.dumps(made), made)
inbox = until("its mail is there", lambda: call("GET", base + "/folders/inbox")[1].get("messages") == 120)
until("it is connected", lambda: call("GET", base)[1]["connection"]["state"] == "connected")
until("a folder that is mirrored is announced", lambda: [
    e for e in call("GET", base + "/events")[1]["items"]
    if e["type"] == "folder.resynced" and e["data"]["path"] == "INBOX" and e["data"]["messages"] == 120])
events = call("GET", base + "/events?limit=1000")[1]["items"]
check("old mail is not announced", not [e for e in events if e["type"].startswith("message.")])
check("folders below others have our separator",
      "Work/2026" in [f["path"] for f in call("GET", base + "/folders")[1]["items"]])
status, listed = call("GET", base + "/messages?folder=inbox&limit=5")
check("a list shows what a message's header says", listed["items"][0]["subject"].startswith("old"), listed)

# From the server to us.
client.append("INBOX", None, None, attached("new"))
first = until("new mail comes by itself", lambda: [
    m for m in call("GET", base + "/messages?folder=inbox&limit=1")[1]["items"] if m["subject"] == "new"])[0]
check("its attachment is known", first["hasAttachments"])
status, octets = call("GET", base + f"/messages/{first['id']}/raw")
check("its octets are the server's", octets == attached("new"))
status, part = call("GET", base + f"/messages/{first['id']}/attachments/2")
check("its attachment can be had", part == b"Hello, world!", part)
status, shown = call("GET", base + f"/messages/{first['id']}")
check("its text can be had", "see the file" in (shown.get("text") or ""), shown)
client.select("INBOX")
number = client.search(None, "SUBJECT", "new")[1][0].split()[0]
client.store(number, "+FLAGS", r"(\Answered $todo)")
until("flags come by themselves", lambda: sorted(call("GET", base + f"/messages/{first['id']}")[1]["flags"]) == ["$todo", "answered"])
uid = client.fetch(number, "(UID)")[1][0].decode().split("UID ")[1].rstrip(")")
client.uid("COPY", uid, "Archive"), client.uid("STORE", uid, "+FLAGS", r"(\Deleted)"), client.expunge()
archive = call("GET", base + "/folders/archive")[1]["id"]
until("a message that was moved keeps its id", lambda: call("GET", base + f"/messages/{first['id']}", fresh=True)[1].get("folderId") == archive)
client.create("Later")
until("a new folder is there when the server is asked", lambda: "Later" in [
    f["path"] for f in call("GET", base + "/folders", fresh=True)[1]["items"]])
client.rename("Later", "Now")
call("GET", base + "/folders", fresh=True)
client.delete("Now")
check("a folder that is gone is gone here", "Now" not in [
    f["path"] for f in call("GET", base + "/folders", fresh=True)[1]["items"]])

# From us to the server.
path = base + f"/messages/{first['id']}"
status, shown = call("PATCH", path, {"flags": {"add": ["flagged"], "remove": ["answered"]}})
client.select("Archive")
flags = client.fetch("1", "(FLAGS)")[1][0].decode()
check("flags are the server's", status == 200 and r"\Flagged" in flags and r"\Answered" not in flags, flags)
status, shown = call("PATCH", path, {"folder": "inbox"})
client.select("INBOX")
check("a message is moved at the server", status == 200 and client.search(None, "SUBJECT", "new")[1][0], shown)
check("and keeps its id", shown["id"] == first["id"])
status, copy = call("POST", path + "/copy", {"folder": "trash"})
client.select("Trash")
check("a copy is one at the server", status == 201 and copy["contentId"] == first["contentId"] and client.search(None, "ALL")[1][0])
status, draft = call("POST", base + "/messages?folder=drafts&flags=draft", message("draft"), "message/rfc822")
client.select("Drafts")
found = client.search(None, "SUBJECT", "draft")[1][0]
check("what is appended is there", status == 201 and found and client.fetch(found, "(BODY[])")[1][0][1] == message("draft"))
status, _ = call("DELETE", base + f"/messages/{draft['id']}?permanent=true")
client.select("Drafts")
check("what is deleted is gone", status == 204 and not client.search(None, "ALL")[1][0])
status, folder = call("POST", base + "/folders", {"name": "Übersicht"})
check("a folder is made at the server", status == 201 and b"&ANw-bersicht" in b"".join(client.list()[1]))
status, renamed = call("PATCH", base + f"/folders/{folder['id']}", {"name": "Neu"})
check("a folder is renamed and keeps its id", status == 200 and renamed["id"] == folder["id"] and b"Neu" in b"".join(client.list()[1]))
check("a folder is deleted", call("DELETE", base + f"/folders/{folder['id']}")[0] == 204 and b"Neu" not in b"".join(client.list()[1]))
status, problem = call("PATCH", base + "/folders/inbox", {"name": "Elsewhere"})
check("the inbox keeps its name", status == 409 and problem["code"] == "protected", problem)
status, outer = call("POST", base + "/folders", {"name": "Outer"})
status, inner = call("POST", base + "/folders", {"name": "Inner", "parent": outer["id"]})
status, renamed = call("PATCH", base + f"/folders/{outer['id']}", {"name": "Renamed"})
check("a folder is renamed with those below it", status == 200 and b"Renamed.Inner" in b"".join(client.list()[1])
      and call("GET", base + f"/folders/{inner['id']}")[1].get("path") == "Renamed/Inner", renamed)
status, second = call("POST", base + f"/messages/{first['id']}/copy", {"folder": inner["id"]})
client.select("Renamed.Inner")
check("a copy into a new folder is one copy", status == 201 and client.search(None, "ALL")[1][0].split() == [b"1"], second)
status, moved = call("PATCH", base + f"/messages/{second['id']}", {"folder": outer["id"]})
check("a message is moved into a new folder", status == 200 and moved["folderId"] == outer["id"], moved)
client.append("Renamed.Inner", None, None, message("unseen"))
status, problem = call("DELETE", base + f"/folders/{inner['id']}")
client.select("INBOX")
check("a folder is not deleted with mail that was not mirrored yet",
      status == 409 and problem["code"] == "not_empty" and b"Renamed.Inner" in b"".join(client.list()[1]), problem)
client.create("Fresh")
client.select("Renamed")
client.copy("1", "Fresh"), client.store("1", "+FLAGS", r"(\Deleted)"), client.expunge()
call("GET", base + "/folders", fresh=True)
fresh = [f for f in call("GET", base + "/folders")[1]["items"] if f["path"] == "Fresh"]
status, kept = call("GET", base + f"/messages/{second['id']}")
check("a message that was moved into a new folder keeps its id", status == 200 and fresh and kept["folderId"] == fresh[0]["id"], kept)
changed = [e for e in call("GET", base + "/events?limit=1000")[1]["items"] if e["data"].get("id") == first["id"]]
check("each change is one event", [e["type"] for e in changed] == [
    "message.received", "message.flags_changed", "message.moved", "message.flags_changed", "message.moved"], [e["type"] for e in changed])

# Wrong credentials, and their repair.
status, other = call("POST", "/v1/accounts", {"kind": "imap", "address": "u2@x.example", "alias": "u2", "imap": settings("u2", "wrong")})
until("wrong credentials are said", lambda: call("GET", "/v1/accounts/u2")[1]["connection"]["state"] == "authentication_failed")
status, problem = call("PATCH", "/v1/accounts/u2", {"imap": settings("u2")})
until("the right ones help at once", lambda: call("GET", "/v1/accounts/u2")[1]["connection"]["state"] == "connected")
types = [e["type"] for e in call("GET", "/v1/accounts/u2/events")[1]["items"] if e["type"].startswith("account.")]
check("each of that is one event", types == ["account.created", "account.authentication_failed", "account.updated", "account.recovered"], types)
print("FAILED: " + "; ".join(failures) if failures else "PASS")
sys.exit(1 if failures else 0)
