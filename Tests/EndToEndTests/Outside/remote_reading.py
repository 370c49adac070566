#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reading mail that is at a server: what is fetched of it, what is looked for there, and what is said where the server errs.

usage: remote_reading.py READY IMAP [--octets N] [--pid PID]
IMAP is the port of Dovecot on loopback, in the clear, with users u1 and u2 and the password pw; between it and Postern there is
a listener that counts octets and notes commands. A second server, which is part of this script, says of its messages what is
not so, knows no UTF-8, refuses, hangs and hangs up. N is the size of the attachment that is fetched from a message twice as
large. With the process id of Postern its memory is shown.
"""
import argparse, base64, hashlib, http.client, imaplib, json, os, re, socket, sys, threading, time, urllib.parse

arguments = argparse.ArgumentParser()
arguments.add_argument("ready"), arguments.add_argument("imap", type=int)
arguments.add_argument("--octets", type=int, default=3_000_000), arguments.add_argument("--pid", type=int)
options = arguments.parse_args()
ready = json.load(open(options.ready))
token = open(ready["adminTokenFile"]).read().strip()
failures = []


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
    if not holds:
        failures.append(claim)


def ask(method, path, body=None, headers={}):
    """The open answer of a request."""
    host, port = ready["http"].rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    fields = {"Authorization": "Bearer " + token, "Content-Type": "application/json", **headers}
    connection.request(method, path, json.dumps(body) if body is not None else None, fields)
    return connection.getresponse()


def call(method, path, body=None, headers={}):
    answer = ask(method, path, body, headers)
    content = answer.read()
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
    check(claim, bool(found), found)
    return found


def memory():
    """Resident octets of Postern, now and at most."""
    if not options.pid:
        return None
    status = open(f"/proc/{options.pid}/status").read()
    return {name: int(re.search(name + r":\s*(\d+) kB", status).group(1)) >> 10 for name in ("VmRSS", "VmHWM")}


class Between:
    """A listener that passes everything on, counts what the server sends, and notes the commands."""

    def __init__(self, port):
        self.port, self.octets, self.commands = port, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.up, args=(client, server), daemon=True).start()
            threading.Thread(target=self.down, args=(client, server), daemon=True).start()

    def up(self, client, server):
        rest = b""
        try:
            while octets := client.recv(65536):
                server.sendall(octets)
                *lines, rest = (rest + octets).split(b"\r\n")
                self.commands += [line.decode("utf-8", "replace").split(" ", 1)[-1] for line in lines]
        except OSError:
            pass
        finally:
            server.close()

    def down(self, client, server):
        try:
            while octets := server.recv(65536):
                self.octets += len(octets)
                client.sendall(octets)
        except OSError:
            pass
        finally:
            client.close()

    def mark(self):
        return self.octets, len(self.commands)

    def since(self, mark):
        return self.octets - mark[0], self.commands[mark[1]:]


def account(alias, port, user, **members):
    status, made = call("POST", "/v1/accounts", {
        "kind": "imap", "address": f"{alias}@x.example", "alias": alias,
        "imap": {"host": "127.0.0.1", "port": port, "tls": "none", "username": user, "password": "pw"}, **members})
    check(f"account {alias} is made", status == 201, made)
    until(f"{alias} is connected", lambda: call("GET", f"/v1/accounts/{alias}")[1]["connection"]["activity"] == "watching")
    return f"/v1/accounts/{alias}"


def lines(octets):
    text = base64.b64encode(octets)
    return b"\r\n".join(text[start:start + 76] for start in range(0, len(text), 76)) + b"\r\n"


def multipart(name, *parts):
    head = (f"From: a@x.example\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="b"\r\n\r\n').encode()
    return head + b"".join(b"--b\r\n" + fields + b"\r\n\r\n" + body + b"\r\n" for fields, body in parts) + b"--b--\r\n"


def attachment(octets, name):
    return (f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n'
            "Content-Transfer-Encoding: base64").encode(), lines(octets)


# ---- Dovecot

dice = hashlib.sha256(b"postern").digest()
first = (dice * (options.octets // 32 + 1))[:options.octets]
second = bytes(len(first) // 2)
small = b"a small file"
text = "Grüße aus der Ferne, wo der Quittenbaum steht.\r\n".encode()
large = multipart("large", (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", text),
                  attachment(second, "second.bin"), attachment(first, "first.bin"), attachment(small, "small.txt"),
                  (b"Content-Type: text/csv\r\nContent-Disposition: attachment", b"1,2,3\r\n" * 100_000))
client = imaplib.IMAP4("127.0.0.1", options.imap)
client.login("u1", "pw")
client.append("INBOX", None, None, large)
for n in range(5):
    client.append("INBOX", None, None, f"From: b@x.example\r\nSubject: m{n}\r\nMessage-ID: <m{n}@x>\r\n\r\nabout {n} kumquats \"and\\more\"\r\n".encode())
client.create("Projects")
client.append("Projects", None, None, b"From: c@x.example\r\nSubject: plan\r\nMessage-ID: <plan@x>\r\n\r\nkumquats elsewhere\r\n")
between = Between(options.imap)
base = account("reading", between.own, "u1")
until("the mail is there", lambda: call("GET", base + "/folders/inbox")[1].get("messages") == 6)
listed = call("GET", base + "/messages?folder=inbox")[1]["items"]
big = [m for m in listed if m["subject"] == "large"][0]["id"]
until("first words are filled in", lambda: all(
    m["preview"] for m in call("GET", base + "/messages?folder=inbox")[1]["items"]))
words = {m["subject"]: m["preview"] for m in call("GET", base + "/messages")[1]["items"]}
check("first words are those of the text", words["large"].startswith("Grüße aus der Ferne") and words["m1"].startswith("about 1 kumquats"), words)

# Looking for what is in texts that are not here.
mark = between.mark()
status, found = call("GET", base + "/messages?q=kumquats")
check("text is found at the server", status == 200 and len(found["items"]) == 6 and found["serverSearch"] == {"complete": True}, found)
dates = [m["internalDate"] for m in found["items"]]
check("in one order", dates == sorted(dates, reverse=True), dates)
status, found = call("GET", base + "/messages?folder=inbox&q=kumquats")
check("in one folder", len(found["items"]) == 5, found)
status, page = call("GET", base + "/messages?q=kumquats&limit=4")
status, rest = call("GET", base + f"/messages?q=kumquats&limit=4&cursor={page['next']}")
check("page by page", len(page["items"]) == 4 and len(rest["items"]) == 2 and rest["next"] is None, rest)
for query, subjects in [("quittenbaum", ["large"]), ("Grüße", ["large"]), ("kumquats -subject:plan", ["m4", "m3", "m2", "m1", "m0"]),
                        ("kumquats -quittenbaum in:inbox from:b", ["m4", "m3", "m2", "m1", "m0"]), ("body:elsewhere", ["plan"]),
                        ("subject:kumquats", []), ('"and\\more\\""', ["m4", "m3", "m2", "m1", "m0"]),
                        ('"x\" ALL"', []), ("kumquats OR quittenbaum", ["plan", "m4", "m3", "m2", "m1", "m0", "large"])]:
    found = call("GET", base + "/messages?q=" + urllib.parse.quote(query))[1]
    check(f"what {query} finds", sorted(m["subject"] for m in found["items"]) == sorted(subjects), found)
check("no text was fetched for that", not [c for c in between.since(mark)[1] if "BODY.PEEK[]" in c])
status, outcome = call("PATCH", base + "/messages?folder=all&q=kumquats&dryRun=true", {"flags": {"add": ["flagged"]}})
check("a bulk change means the same messages", status == 200 and outcome["matched"] == 6, outcome)

# Parts by themselves.
mark = between.mark()
status, shown = call("GET", base + f"/messages/{big}")
octets, commands = between.since(mark)
check("the text of a message is fetched by itself", shown["text"] == text.decode() and octets < 20_000, (octets, shown["text"]))
check("and the whole is not", not [c for c in commands if "BODY.PEEK[]" in c] and [c for c in commands if "BODY.PEEK[1]" in c], commands)
mark = between.mark()
check("what was fetched is kept", call("GET", base + f"/messages/{big}/text")[1] == text and between.since(mark)[0] == 0)
part = base + f"/messages/{big}/attachments/"
answer = ask("GET", part + "4")
check("a small attachment has its length", answer.read() == small and answer.getheader("Content-Length") == "12")
status, some = call("GET", part + "4", headers={"Range": "bytes=2-6"})
check("and ranges", status == 206 and some == b"small", (status, some))
mark, started = between.mark(), time.monotonic()
before = memory()
answer = ask("GET", part + "3", headers={"Range": "bytes=5-9"})
began = answer.read(1)
first_octet = time.monotonic() - started
rest = answer.read()
took = time.monotonic() - started
octets, commands = between.since(mark)
tag = answer.getheader("ETag")
check("a large attachment is passed on", began + rest == first, (len(rest), len(first)))
check("as a whole, for nobody knows its length yet", answer.status == 200 and answer.getheader("Content-Length") is None
      and answer.getheader("Accept-Ranges") == "none", answer.getheaders())
encoded = len(lines(first))
check("and nothing but it is fetched", octets < encoded * 1.01 + 20_000, (octets, encoded, len(large)))
print(f"     {len(first)} octets, {encoded} encoded, of a message of {len(large)}: {octets} from the server, first octet after "
      f"{first_octet * 1000:.0f} ms, all after {took * 1000:.0f} ms; memory in MiB {before} {memory()}", flush=True)
check("one that is known is not sent again", call("GET", part + "3", headers={"If-None-Match": tag})[0] == 304)
status, csv = call("GET", part + "5", headers={"Range": "bytes=699990-"})
check("of what is not encoded there are ranges", status == 206 and csv == b"1,2,3\r\n"[4:] + b"1,2,3\r\n", (status, csv))
check("a part that is not there", call("GET", part + "9")[0] == 404)

# A slow reader keeps nobody waiting.
slow = ask("GET", part + "3")
slow.read(1)
waits = []
for n in range(10):
    started = time.monotonic()
    status, _ = call("PATCH", base + f"/messages/{big}", {"flags": {"add" if n % 2 else "remove": ["flagged"]}})
    waits.append(time.monotonic() - started)
    check("a flag is changed while an attachment is fetched", status == 200)
status, other = call("GET", part + "2")
check("another attachment is fetched meanwhile", other == second)
check("and the first one is whole in the end", slow.read() == first[1:])
print(f"     a flag changed while an attachment was fetched: at most {max(waits) * 1000:.0f} ms", flush=True)
mark = between.mark()
gone = ask("GET", part + "3")
gone.read(1)
gone.close()
time.sleep(1)
check("who goes away has no more fetched", between.since(mark)[0] < encoded / 2 or len(first) < 10_000_000, between.since(mark)[0])

# The whole.
mark, started = between.mark(), time.monotonic()
answer = ask("GET", base + f"/messages/{big}/raw")
began = answer.read(1)
first_octet = time.monotonic() - started
raw = began + answer.read()
check("the whole is the server's", raw == large and answer.getheader("Content-Length") == str(len(large)))
print(f"     the whole: first octet after {first_octet * 1000:.0f} ms, all after {(time.monotonic() - started) * 1000:.0f} ms; memory {memory()}", flush=True)
until("and is kept", lambda: (lambda m: (call("GET", part + "3", headers={"Range": "bytes=5-9"}) == (206, first[5:10]), between.since(m)[0] < 1000))(between.mark()) == (True, True), 120)

# Other folders are told of.
client.append("Projects", None, None, b"From: d@x.example\r\nSubject: told\r\nMessage-ID: <told@x>\r\n\r\nby itself\r\n")
told = until("mail in another folder comes by itself", lambda: [
    e for e in call("GET", base + "/events?limit=1000")[1]["items"] if e["type"] == "message.received"])
news = [m for m in call("GET", base + "/messages?q=subject:told")[1]["items"]]
check("with its first words", news and news[0]["preview"] == "by itself", news)
check("because the server was asked to tell", [c for c in between.commands if c.startswith("NOTIFY SET")])
standing = call("GET", base)[1]["connection"]
check("how the server stands is shown", standing["hosts"][0]["service"] == "imap" and standing["hosts"][0]["connections"] >= 1
      and standing["hosts"][0]["circuit"] == "closed" and standing["lastLookAt"] and standing["staleSince"] is None, standing)


# ---- What is refused on its way is reported at the server

def refuse(listener):
    while True:
        connection, _ = listener.accept()
        stream = connection.makefile("rwb")
        stream.write(b"220 mail.x.example\r\n"), stream.flush()
        while line := stream.readline():
            word = line[:4].upper()
            answer = {b"EHLO": b"250-mail.x.example\r\n250 AUTH PLAIN", b"AUTH": b"235 ok", b"RCPT": b"550 5.1.1 nobody of that name",
                      b"QUIT": b"221 bye"}.get(word, b"250 ok")
            stream.write(answer + b"\r\n"), stream.flush()
            if word == b"QUIT":
                break
        connection.close()


refusing = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=refuse, args=(refusing,), daemon=True).start()
base = account("sending", options.imap, "u2", smtp={
    "host": "127.0.0.1", "port": refusing.getsockname()[1], "tls": "none", "username": "u2", "password": "pw"})
status, sent = call("POST", base + "/send", {"to": "nobody@y.example", "subject": "in vain", "text": "hello"})
check("a message is taken", status == 202, sent)
until("its refusal is an event", lambda: [e for e in call("GET", base + "/events?limit=100")[1]["items"] if e["type"] == "message.bounced"])
other = imaplib.IMAP4("127.0.0.1", options.imap)
other.login("u2", "pw")


def reports():
    other.select("INBOX", readonly=True)
    return other.search(None, "BODY", '"nobody of that name"')[1][0].split()


check("and its report is in the inbox at the server, once", until("the report is there", reports) == [b"1"])
listed = call("GET", base + "/messages?folder=inbox", headers={"Cache-Control": "no-cache"})[1]["items"]
check("and here", len(listed) == 1 and listed[0]["subject"], listed)
shown = call("GET", base)[1]["connection"]["hosts"]
check("the server that takes mail is shown too", [h["service"] for h in shown] == ["imap", "smtp"], shown)


# ---- A server that errs

class Erring:
    """Just enough of RFC 3501, with one folder; `settings` say how it errs."""

    def __init__(self, messages):
        self.messages, self.commands, self.searching, self.cut = messages, [], "badcharset", None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rwb")

        def say(text):
            stream.write((text if isinstance(text, bytes) else text.encode()) + b"\r\n")

        try:
            say("* OK ready")
            stream.flush()
            while line := stream.readline():
                while match := re.search(rb"\{(\d+)\}\r\n$", line):
                    say("+ go on")
                    stream.flush()
                    line = line[:match.start()] + b'"' + stream.read(int(match.group(1))) + b'"' + stream.readline()
                tag, command = line.rstrip(b"\r\n").split(b" ", 1)
                self.commands.append(command)
                if self.answer(say, connection, command) is False:
                    return
                if self.refusal:
                    say(tag + b" " + self.refusal)
                else:
                    say(tag + b" OK done")
                stream.flush()
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def answer(self, say, connection, command):
        self.refusal = None
        word = command.upper()
        if word.startswith(b"CAPABILITY"):
            say("* CAPABILITY IMAP4rev1")
        elif word.startswith((b"LIST", b"LSUB")):
            say('* %s () "/" INBOX' % word[:4].decode())
        elif word.startswith(b"STATUS"):
            say(f"* STATUS INBOX (MESSAGES {len(self.messages)} UIDNEXT {len(self.messages) + 1} UIDVALIDITY 7 UNSEEN {len(self.messages)})")
        elif word.startswith((b"SELECT", b"EXAMINE")):
            say(f"* {len(self.messages)} EXISTS"), say("* FLAGS (\\Seen)"), say("* OK [UIDVALIDITY 7] ok")
            say(f"* OK [UIDNEXT {len(self.messages) + 1}] ok")
        elif word.startswith(b"UID SEARCH"):
            if b"BODY" not in word:
                say("* SEARCH " + " ".join(str(n + 1) for n in range(len(self.messages))))
            elif self.searching == "hang":
                time.sleep(8)
            elif self.searching == "refuse":
                self.refusal = b"NO Searching is not for you"
            elif b"CHARSET UTF-8" in word:
                self.refusal = b"NO [BADCHARSET (US-ASCII ISO-8859-1)] What is that?"
            elif b"CHARSET ISO-8859-1" in word:
                say("* SEARCH 1" if b"\xfc" in command else "* SEARCH")
            else:
                say("* SEARCH 2")
        elif word.startswith(b"UID FETCH"):
            wanted = command.split(b" ")[2]
            for number, message in enumerate(self.messages, 1):
                if wanted == b"%d" % number or b":" in wanted or b"," in wanted:
                    if self.fetch(say, connection, number, message, command) is False:
                        return False

    def fetch(self, say, connection, number, message, command):
        answer = [b"UID %d" % number]
        for item in re.findall(rb"BODY\.PEEK\[[^]]*\](?:<\d+\.\d+>)?|BODYSTRUCTURE|RFC822\.SIZE|INTERNALDATE|FLAGS", command):
            if item == b"BODYSTRUCTURE":
                answer.append(b"BODYSTRUCTURE " + message["structure"])
            elif item == b"RFC822.SIZE":
                answer.append(b"RFC822.SIZE %d" % message.get("size", len(message["octets"])))
            elif item == b"INTERNALDATE":
                answer.append(b'INTERNALDATE "0%d-Nov-2026 10:00:00 +0000"' % number)
            elif item == b"FLAGS":
                answer.append(b"FLAGS ()")
            else:
                section, start, length = re.fullmatch(rb"BODY\.PEEK\[([^]]*)\](?:<(\d+)\.(\d+)>)?", item).groups()
                octets = message["octets"]
                if section == b"HEADER":
                    octets = octets[:octets.index(b"\r\n\r\n") + 4]
                elif section:
                    octets = message["parts"].get(section)
                if octets is None:
                    answer.append(b"BODY[%s] NIL" % section)
                    continue
                origin = b""
                if start is not None:
                    octets, origin = octets[int(start):int(start) + int(length)], b"<%d>" % int(start)
                if self.cut and start is not None and int(start) >= self.cut and int(length) > 2:
                    self.cut = None
                    connection.sendall(b"* %d FETCH (BODY[%s]%s {%d}\r\n" % (number, section, origin, len(octets)) + octets[:1000])
                    connection.shutdown(socket.SHUT_RDWR)
                    return False
                answer.append(b"BODY[%s]%s {%d}\r\n%s" % (section, origin, len(octets), octets))
        say(b"* %d FETCH (%s)" % (number, b" ".join(answer)))


def structure(*parts):
    return b"(" + b"".join(parts) + b' "MIXED" ("BOUNDARY" "b") NIL NIL NIL)'


def leaf(kind, encoding, octets, name=None):
    parameters = b'("NAME" "%s")' % name if name else b"NIL"
    line_count = b" 1" if kind == b'"TEXT" "PLAIN"' else b""
    return b"(%s %s NIL NIL \"%s\" %d%s NIL %s NIL NIL)" % (
        kind, parameters, encoding, octets, line_count, b'("ATTACHMENT" ("FILENAME" "%s"))' % name if name else b"NIL")


payload = (dice * 40_000)[:1_000_000]
body = lines(payload)
honest = multipart("honest", (b"Content-Type: text/plain", b"so it is\r\n"), attachment(payload, "f.bin"))
plain = b"This is not base64 at all: it has blanks, and (other) signs.\r\n" * 3
lying = multipart("lying", (b"Content-Type: text/plain", b"so it is not\r\n"), attachment(payload, "f.bin"))
unencoded = multipart("unencoded", (b"Content-Type: text/plain", b"x\r\n"),
                      (b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=f\r\n"
                       b"Content-Transfer-Encoding: base64", plain))
swapped = multipart("swapped", (b"Content-Type: text/plain", b"the text\r\n"), attachment(b"tiny", "f.bin"))
erring = Erring([
    {"octets": honest, "structure": structure(leaf(b'"TEXT" "PLAIN"', b"7BIT", 10), leaf(b'"APPLICATION" "OCTET-STREAM"', b"BASE64", len(body) - 2, b"f.bin")),
     "parts": {b"1": b"so it is\r\n", b"2": body[:-2]}},
    {"octets": lying, "structure": structure(leaf(b'"TEXT" "PLAIN"', b"7BIT", 99), leaf(b'"APPLICATION" "OCTET-STREAM"', b"BASE64", len(body) + 500, b"f.bin")),
     "parts": {b"1": b"so it is not\r\n", b"2": body}, "size": len(lying) + 7},
    {"octets": unencoded, "structure": structure(leaf(b'"TEXT" "PLAIN"', b"7BIT", 3), leaf(b'"APPLICATION" "OCTET-STREAM"', b"BASE64", len(plain), b"f")),
     "parts": {b"1": b"x\r\n", b"2": plain}},
    {"octets": swapped, "structure": structure(leaf(b'"TEXT" "PLAIN"', b"7BIT", 10), leaf(b'"APPLICATION" "OCTET-STREAM"', b"BASE64", 9, b"f.bin")),
     "parts": {b"1": b"the text\r\n"}},
])
base = account("erring", erring.port, "u")
listed = {m["subject"]: m["id"] for m in call("GET", base + "/messages?folder=inbox")[1]["items"]}
check("its mail is there", len(listed) == 4, listed)
erring.cut = 300_000
status, octets = call("GET", base + f"/messages/{listed['honest']}/attachments/2")
check("an attachment goes on where the connection broke", status == 200 and octets == payload and erring.cut is None, (status, len(octets)))
fetches = [c for c in erring.commands if b"BODY.PEEK[2]" in c]
check("and not from its beginning", sum(b"<0." in c for c in fetches) == 1, fetches)
for name, part, expected in [("lying", "attachments/2", payload), ("lying", "text", b"so it is not"), ("unencoded", "attachments/2", plain),
                             ("swapped", "attachments/2", b"tiny")]:
    status, octets = call("GET", base + f"/messages/{listed[name]}/{part}")
    check(f"{part} of {name} is what the message says", status == 200 and octets.strip() == expected.strip(), (status, octets[:80]))
status, octets = call("GET", base + f"/messages/{listed['lying']}/raw")
check("a message that is not as long as it is said is whole", octets == lying)
status, found = call("GET", base + "/messages?q=" + urllib.parse.quote("grün"))
check("a server that knows no UTF-8 is asked in what it knows", [m["subject"] for m in found["items"]] == ["honest"]
      and found["serverSearch"]["complete"], found)
check("after it said so", any(b"CHARSET UTF-8" in c for c in erring.commands) and any(b"CHARSET ISO-8859-1" in c for c in erring.commands))
status, found = call("GET", base + "/messages?q=" + urllib.parse.quote("中文"))
check("or it is said that it cannot be asked", found["serverSearch"]["code"] == "backend_unsupported", found)
erring.searching = "refuse"
status, found = call("GET", base + "/messages?q=lying")
check("a refusal is said, and what is known here is shown", found["serverSearch"]["code"] == "backend_refused"
      and found["serverSearch"]["detail"] == "Searching is not for you" and len(found["items"]) == 1, found)
status, problem = call("DELETE", base + "/messages?folder=all&q=lying")
check("nothing is deleted by half a search", status == 503 and problem["code"] == "search_incomplete", problem)
erring.searching = "hang"
started = time.monotonic()
status, found = call("GET", base + "/messages?q=honest")
check("a server that does not answer is not waited for", found["serverSearch"]["code"] == "timed_out" and len(found["items"]) == 1, found)
print("FAILED: " + "; ".join(failures) if failures else "PASS")
sys.exit(1 if failures else 0)
