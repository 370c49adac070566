#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An account at a POP3 server: through Postern, and by poplib at the server; in both modes, through kills and cut connections.

usage: pop3_account.py POSTERN DATA FOLDER [--rounds 12] [--seed 1]
FOLDER has a POP3 server's certificate as cert.pem and ports.json with its ports on loopback: pop3, pop3s, lmtp, submissions, and
relay, where it sends on what was submitted; it has users u1 to u3 with the password pw.
"""
import argparse, collections, hashlib, json, os, poplib, random, smtplib, socket, ssl, subprocess, threading, time
from server import Claims, Server, verify

parser = argparse.ArgumentParser()
parser.add_argument("postern"), parser.add_argument("data"), parser.add_argument("folder")
parser.add_argument("--rounds", type=int, default=12), parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
ports = json.load(open(os.path.join(options.folder, "ports.json")))
pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(os.path.join(options.folder, "cert.pem")).read())).hexdigest()
claims = Claims()
check = claims.check
dice = random.Random(options.seed)


def start():
    return Server(options.postern, options.data, ["egress.allow=127.0.0.0/8", "egress.mailPorts=any"])


def message(name, octets=0):
    return (f"From: a@x.example\r\nTo: u@x.example\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n"
            f"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            f"--b\r\nContent-Type: text/plain\r\n\r\nThis is {name}.\r\n.a dot\r\n{('x' * 70 + chr(13) + chr(10)) * (octets // 72)}\r\n--b\r\n"
            "Content-Type: application/pdf; name=r.pdf\r\nContent-Disposition: attachment; filename=r.pdf\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8sIHdvcmxkIQ==\r\n--b--\r\n").encode()


def deliver(user, *names):
    with smtplib.LMTP("127.0.0.1", ports["lmtp"]) as lmtp:
        for name in names:
            lmtp.sendmail("a@x.example", [f"{user}@mail.example.test"], message(name, dice.randrange(4000)))


def at_server(user):
    """Subjects and octets of what the server has."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(200):
        client = poplib.POP3_SSL("127.0.0.1", ports["pop3s"], context=context, timeout=30)
        try:
            client.user(user), client.pass_("pw")
            break
        except poplib.error_proto:
            # Whoever was there before has not gone yet.
            client.close()
            time.sleep(0.1)
    found = {}
    for number in range(1, client.stat()[0] + 1):
        octets = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
        found[octets.split(b"\r\nSubject: ")[1].split(b"\r\n")[0].decode()] = octets
    client.quit()
    return found


def until(claim, body, seconds=60):
    end, found = time.time() + seconds, None
    while time.time() < end and not found:
        found = body()
        if not found:
            time.sleep(0.05)
    check(claim, bool(found))
    return found


class Sink(threading.Thread):
    """Takes what is relayed."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.taken, self.listener = [], socket.create_server(("127.0.0.1", port))

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            file = connection.makefile("rwb")
            say = lambda text: (file.write(text.encode() + b"\r\n"), file.flush())
            say("220 sink")
            for line in file:
                if line[:4].upper() == b"DATA":
                    say("354 go")
                    text = b"".join(iter(file.readline, b".\r\n"))
                    self.taken.append(text)
                    say("250 taken")
                elif line[:4].upper() == b"QUIT":
                    say("221 bye")
                    break
                else:
                    say("250 ok")
            connection.close()


class Cutter(threading.Thread):
    """Stands between Postern and the server, and does at some command what `cut` says: None passes all on."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cut, self.retrieved, self.hits, self.lock = None, collections.Counter(), 0, threading.Lock()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.create_connection(("127.0.0.1", ports["pop3"]))
        both = (client, server)
        muted, done = threading.Event(), threading.Event()

        def back():
            try:
                while octets := server.recv(65536):
                    if not muted.is_set():
                        client.sendall(octets)
            except OSError:
                pass
            done.set()
            for one in both:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        threading.Thread(target=back, daemon=True).start()
        try:
            for line in client.makefile("rb"):
                word = line[:4].upper().decode("latin-1")
                if word == "RETR":
                    self.retrieved[line] += 1
                with self.lock:
                    action = self.cut(word) if self.cut else None
                if action:
                    self.hits += 1
                if action == "before":
                    break
                if action == "after":
                    muted.set()
                server.sendall(line)
                if action == "after":
                    # The server has done it once it has closed.
                    done.wait(30)
                    break
        except OSError:
            pass
        for one in both:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


def direct(user, password="pw", **more):
    return {"host": "127.0.0.1", "port": ports["pop3s"], "username": user, "password": password, "certificateSHA256": pin, **more}


def fresh(path):
    """Has the server asked first; what came of it."""
    return server.client().call("GET", path, headers={"Cache-Control": "no-cache"})


def poll(base, seconds=60):
    """Until the server could be asked."""
    end = time.time() + seconds
    while time.time() < end:
        status, _, content = fresh(base + "/folders/inbox")
        if status == 200:
            return json.loads(content)
        time.sleep(0.1)
    check(f"{base} can be asked in the end", False, content)


def subjects(base, folder="inbox"):
    return collections.Counter(m["subject"] for m in server.client().items(f"{base}/messages?folder={folder}"))


def received(base):
    return [e for e in events(base) if e["type"] == "message.received"]


def events(base):
    found, after = [], 0
    while True:
        page = server.client().json("GET", f"{base}/events?after={after}&limit=1000")["items"]
        if not page:
            return found
        found += page
        after = page[-1]["seq"]


sink = Sink(ports["relay"])
sink.start()
server = start()

# Keeping what the server has.
client = server.client()
old = [f"old{n}" for n in range(30)]
deliver("u1", *old)
new = {"kind": "pop3", "address": "u1@x.example", "alias": "u1", "pop3": direct("u1"),
       "smtp": {"host": "127.0.0.1", "port": ports["submissions"], "username": "u1", "password": "pw", "certificateSHA256": pin}}
answer = client.json("POST", "/v1/accounts?dryRun=true", new)
check("a try says that all is well", answer["ok"] and [s["step"] for s in answer["pop3"]] == ["connect", "tls", "greeting", "login", "uidl"], answer)
answer = client.json("POST", "/v1/accounts?dryRun=true", {**new, "pop3": direct("u1", "wrong")})
check("a wrong password is said", not answer["ok"] and answer["pop3"][-1]["step"] == "login", answer)
answer = client.json("POST", "/v1/accounts?dryRun=true", {**new, "pop3": {**direct("u1"), "certificateSHA256": None}})
check("a certificate that nobody signed is refused", answer["pop3"][-1]["step"] == "tls", answer)
answer = client.json("POST", "/v1/accounts?dryRun=true", {**new, "pop3": {**direct("u1"), "port": ports["pop3"], "tls": "starttls"}})
check("so it is with STLS", answer["ok"], answer)
check("nothing was made", client.call("GET", "/v1/accounts/u1")[0] == 404)
for wrong, field in ((direct("u1", mode="purge"), "/pop3/mode"), (direct("u1", deleteAfterDays=3), "/pop3/deleteAfterDays")):
    status, _, content = client.call("POST", "/v1/accounts", {**new, "pop3": wrong})
    check(f"{field} is checked", status == 422 and json.loads(content)["errors"][0]["pointer"] == field, content)
made = client.json("POST", "/v1/accounts", new)
check("an account is made", made["kind"] == "pop3" and made["pop3"]["mode"] == "keep" and "password" not in json.dumps(made), made)
base = "/v1/accounts/u1"
until("old mail comes", lambda: client.json("GET", base + "/folders/inbox")["messages"] == 30)
until("that it is all here is announced", lambda: [
    e for e in events(base) if e["type"] == "folder.resynced" and e["data"]["messages"] == 30])
check("old mail is not announced", not received(base))
check("the folders are those of a local account", sorted(f["role"] or "" for f in client.json("GET", base + "/folders")["items"]) == [
    "archive", "drafts", "inbox", "junk", "sent", "trash"])
there = at_server("u1")
same = [m for m in client.items(base + "/messages?folder=inbox")
        if client.call("GET", f"{base}/messages/{m['id']}/raw")[2] == there[m["subject"]]]
check("its octets are the server's", len(same) == 30, len(same))
until("the connection is shown", lambda: client.json("GET", base)["connection"]["state"] == "connected")
deliver("u1", "fresh")
inbox = poll(base)
check("new mail is there when the server is asked", inbox["messages"] == 31 and inbox["verifiedAt"] and inbox["problem"] is None, inbox)
check("and announced once", [e["data"]["id"] for e in received(base)] and len(received(base)) == 1)

# Every operation, on a message of such an account.
first = client.json("GET", base + "/messages/latest")
path = f"{base}/messages/{first['id']}"
check("its text can be had", "This is fresh." in client.call("GET", path + "/text")[2].decode(), first)
check("its attachment can be had", client.call("GET", path + "/attachments/2")[2] == b"Hello, world!")
check("it is found", [m["id"] for m in client.items(base + "/messages?folder=all&q=subject:fresh")] == [first["id"]])
check("its words are found", [m["id"] for m in client.items(base + "/messages?folder=all&q=%22This+is+fresh%22")] == [first["id"]])
check("its thread is there", client.json("GET", f"{base}/threads/{first['threadId']}")["messages"][0]["id"] == first["id"])
changed = client.call("PATCH", path, {"flags": {"add": ["seen", "flagged"]}})[2]
check("it is flagged", sorted(json.loads(changed)["flags"]) == ["flagged", "seen"], changed)
check("it is moved", client.call("PATCH", path, {"folder": "archive"})[0] == 200)
copy = client.json("POST", path + "/copy", {"folder": "inbox"})
check("it is copied", copy["contentId"] == first["contentId"], copy)
own = client.json("POST", base + "/folders", {"name": "Own"})
check("a folder is made, renamed and deleted", client.call("PATCH", f"{base}/folders/{own['id']}", {"name": "Mine"})[0] == 200
      and client.call("DELETE", f"{base}/folders/{own['id']}")[0] == 204)
draft = client.json("POST", base + "/messages?folder=drafts&flags=draft", message("draft"))
check("a draft is kept", subjects(base, "drafts") == {"draft": 1}, draft)
bulk = client.json("PATCH", base + "/messages?folder=inbox&q=subject:old1", {"flags": {"add": ["seen"]}})
check("many are changed at once", bulk["changed"] > 0, bulk)
sent = client.json("POST", base + "/send", {"to": ["zoe@far.example"], "subject": "out", "text": "hello"})
until("what is sent goes through the account's server", lambda: any(b"Subject: out" in text for text in sink.taken))
until("its outcome is known", lambda: [r["state"] for r in client.json(
    "GET", f"{base}/outbox/{sent['id']}")["recipients"]] == ["delivered"])
check("its copy is in Sent", subjects(base, "sent") == {"out": 1})
poll(base)
check("what was moved is not fetched again", subjects(base)["fresh"] == 1 and subjects(base, "archive") == {"fresh": 1})
check("everything is still at the server", sorted(at_server("u1")) == sorted(old + ["fresh"]))
gone = [m for m in client.items(base + "/messages?folder=inbox") if m["subject"] in ("old3", "old4")]
check("one goes to the trash, one for good", client.call("DELETE", f"{base}/messages/{gone[0]['id']}")[0] == 204
      and client.call("DELETE", f"{base}/messages/{gone[1]['id']}?permanent=true")[0] == 204)
poll(base), poll(base)
check("what was deleted here for good is deleted there, and nothing else",
      sorted(at_server("u1")) == sorted(set(old + ["fresh"]) - {gone[1]["subject"]}))
check("and does not come back", subjects(base)[gone[1]["subject"]] == 0)
status, _, content = client.call("PATCH", base, {"imap": direct("u1")})
check("an IMAP server is none of its own", status == 422, content)
changed = client.json("PATCH", base, {"pop3": {k: v for k, v in direct("u1", mode="delete", deleteAfterDays=7).items() if k != "password"}})
check("its mode can be changed", (changed["pop3"]["mode"], changed["pop3"]["deleteAfterDays"]) == ("delete", 7), changed)
poll(base)
check("with days to go nothing is deleted", len(at_server("u1")) == 30)
client.json("PATCH", base, {"pop3": {k: v for k, v in direct("u1", mode="delete").items() if k != "password"}})
poll(base)
until("at once it is", lambda: not at_server("u1"))
check("and all of it is here", sum(subjects(base).values()) + sum(subjects(base, "trash").values()) == 30)
client.json("PATCH", base, {"pop3": direct("u1", "wrong")})
until("a wrong password is noticed", lambda: client.json("GET", base)["connection"]["state"] == "authentication_failed")
status, _, content = fresh(base + "/folders/inbox")
check("and said", status == 503 and json.loads(content)["code"] == "backend_authentication_failed", content)
client.json("PATCH", base, {"pop3": direct("u1")})
until("the right one helps at once", lambda: client.json("GET", base)["connection"]["state"] == "connected")
said = [e["type"] for e in events(base) if e["type"] in ("account.authentication_failed", "account.recovered")]
check("each is one event", said == ["account.authentication_failed", "account.recovered"], said)
check("an account is deleted", client.call("DELETE", base)[0] == 204 and client.call("GET", base)[0] == 404)

# Deleting what was fetched, through a kill between RETR and DELE, and cut connections in QUIT.
cutter = Cutter()
cutter.start()
through = {"host": "127.0.0.1", "port": cutter.port, "tls": "none", "username": "u2", "password": "pw", "mode": "delete"}
names = [f"kill{n}" for n in range(20)]
deliver("u2", *names)


def kill_at(command):
    def cut(word):
        if word != command:
            return None
        cutter.cut = None
        server.kill()
        return "before"
    return cut


cutter.cut = kill_at("DELE")
base = "/v1/accounts/u2"
server.client().json("POST", "/v1/accounts", {"kind": "pop3", "address": "u2@x.example", "alias": "u2", "pop3": through})
until("it was killed between RETR and DELE", lambda: not server.is_running())
check("verify is content", not verify(options.postern, options.data), verify(options.postern, options.data))
check("everything is at the server still", len(at_server("u2")) == 20)
server = start()
poll(base)
check("everything is here once", subjects(base) == {name: 1 for name in names}, subjects(base))
check("nothing was fetched twice", set(cutter.retrieved.values()) == {1}, cutter.retrieved)
check("and the server has none of it", not at_server("u2"))
for kind in ("after", "before"):
    more = [f"{kind}{n}" for n in range(5)]
    deliver("u2", *more)

    def cut(word, kind=kind):
        if word != "QUIT":
            return None
        cutter.cut = None
        return kind

    cutter.retrieved.clear()
    cutter.hits, cutter.cut = 0, cut
    status, _, content = fresh(base + "/folders/inbox")
    check(f"a connection cut {kind} QUIT arrived is said", cutter.hits == 1 and status == 503, (status, content))
    names += more
    left = at_server("u2")
    check(f"the server has deleted {'all' if kind == 'after' else 'nothing'}", len(left) == (0 if kind == "after" else 5), list(left))
    poll(base)
    check(f"{kind}: everything is here once", subjects(base) == {name: 1 for name in names})
    check(f"{kind}: nothing was fetched twice", sum(cutter.retrieved.values()) == 5, cutter.retrieved)
    check(f"{kind}: the server has none of it", not at_server("u2"))

# At random.
expected = []
for number in range(options.rounds):
    more = [f"random{number}-{n}" for n in range(dice.randrange(1, 12))]
    deliver("u2", *more)
    expected += more
    at, kind = dice.randrange(1, 30), dice.choice(["before", "after", "kill"])
    count = 0

    def cut(word):
        global count
        count += 1
        if count != at:
            return None
        cutter.cut = None
        if kind == "kill":
            server.kill()
        return "before" if kind == "kill" or word != "QUIT" else kind

    cutter.cut = cut
    try:
        fresh(base + "/folders/inbox")
    except OSError:
        pass
    except Exception as error:
        if kind != "kill":
            raise error
    # What has begun by now ends first.
    with cutter.lock:
        cutter.cut = None
    if not server.is_running():
        server = start()
poll(base), poll(base)
until("in the end the server has nothing", lambda: poll(base) and not at_server("u2"))
names += expected
check(f"after {options.rounds} rounds everything is here once", subjects(base) == {name: 1 for name in names},
      {k: v for k, v in subjects(base).items() if v != 1} or set(names) - set(subjects(base)))
told = collections.Counter(e["data"]["id"] for e in received(base))
check("and was announced once", set(told.values()) == {1} and len(told) == len(names) - 20, len(told))

# What a backup knows of the server, and what came after it.
server.client().json("PATCH", base, {"pop3": {k: v for k, v in {**through, "mode": "keep"}.items() if k != "password"}})
early, late = [f"early{n}" for n in range(3)], [f"late{n}" for n in range(2)]
deliver("u2", *early)
poll(base)
copy = os.path.abspath(options.data) + ".backup"
done = subprocess.run([options.postern, "backup", copy, "--data", options.data], capture_output=True, text=True)
check("a backup is made", done.returncode == 0, done.stderr)
deliver("u2", *late)
poll(base)
check("the server ends in order", server.stop() == 0)
restored = os.path.abspath(options.data) + ".restored"
done = subprocess.run([options.postern, "restore", copy, "--data", restored], capture_output=True, text=True)
check("it is restored", done.returncode == 0, done.stderr)
options.data = restored
cutter.retrieved.clear()
server = start()
poll(base)
check("what came after the backup is fetched once more, and nothing else",
      subjects(base) == {name: 1 for name in names + early + late} and sum(cutter.retrieved.values()) == 2,
      (cutter.retrieved, {k: v for k, v in subjects(base).items() if v != 1}, set(names + early + late) ^ set(subjects(base))))
check("the server keeps what it has", sorted(at_server("u2")) == sorted(early + late))
check("the server ends in order", server.stop() == 0)
check("verify is content in the end", not verify(options.postern, options.data), verify(options.postern, options.data))
claims.end()
