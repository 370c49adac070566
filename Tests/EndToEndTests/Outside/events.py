#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Consumers rebuild the mailbox exactly from events, while it is changed at random and the server is killed in between.

usage: events.py POSTERN DATA [--operations N] [--kills N] [--seed N]
Starts the server itself (port 0 everywhere), so that it can kill it. A consumer is a class with a `run`; it hands each event
to its `Mailbox`, which refuses a number that is missing or comes twice.
"""
import argparse, base64, email.utils, hashlib, hmac, http.client, http.server, json, os, random, signal, smtplib, subprocess, sys
import threading, time, traceback, urllib.parse

options = argparse.ArgumentParser()
options.add_argument("postern")
options.add_argument("data")
options.add_argument("--operations", type=int, default=5000)
options.add_argument("--kills", type=int, default=3)
options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
options = options.parse_args()
print("seed", options.seed, flush=True)
failures = []
PLACED = ("id", "folderId", "uid", "modseq", "threadId", "contentId", "flags", "internalDate", "savedAt", "size")


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
    if not holds:
        failures.append(claim)


class Server:
    """The server, which may be away for a while."""

    def __init__(self):
        os.makedirs(options.data, exist_ok=True)
        self.lock = threading.Lock()
        self.start()

    def start(self):
        environment = dict(os.environ)
        for name in ("HTTP", "SMTP", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S"):
            environment[f"POSTERN_LISTENERS_{name}"] = "127.0.0.1:0"
        environment.update(POSTERN_EGRESS_ALLOW="127.0.0.0/8", POSTERN_EGRESS_WEB_PORTS="any",
                           POSTERN_WEBHOOKS_RETRY_SECONDS=",".join(["1"] * 50), POSTERN_WEBHOOKS_PROBE_SECONDS="1")
        self.process = subprocess.Popen(
            [options.postern, "serve", "--data", options.data], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            stderr=open(options.data.rstrip("/") + ".log", "ab"), env=environment)
        self.ready = json.loads(self.process.stdout.readline())
        self.token = open(self.ready["adminTokenFile"]).read().strip()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def address(self, name):
        host, port = self.ready[name].rsplit(":", 1)
        return host, int(port)

    def connect(self, timeout=30):
        return http.client.HTTPConnection(*self.address("http"), timeout=timeout)

    def ask(self, method, path, body=None, headers={}):
        """Status and JSON; a lost connection is an OSError or an HTTPException."""
        connection = self.connect()
        try:
            if isinstance(body, dict):
                body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
            connection.request(method, path, body, {"Authorization": "Bearer " + self.token, **headers})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content and "json" in answer.headers["Content-Type"] else content
        finally:
            connection.close()


class Mailbox:
    """What one account is, as far as its events tell."""

    def __init__(self):
        self.seq, self.folders, self.messages, self.problems = 0, {}, {}, []

    def take(self, event):
        if event["seq"] != self.seq + 1:
            self.problems.append(f"{event['seq']} behind {self.seq}")
        self.seq = event["seq"]
        try:
            getattr(self, event["type"].replace(".", "_"))(event["data"])
        except KeyError as missing:
            self.problems.append(f"{event['type']} {self.seq} speaks of {missing}, which was never told")

    def touch(self, data):
        for name in ("folderId", "fromFolderId"):
            if name in data and data[name] in self.folders:
                self.folders[data[name]]["highestModseq"] = max(self.folders[data[name]]["highestModseq"], data["modseq"])

    def message_received(self, data):
        self.messages[data["id"]] = {name: data[name] for name in PLACED}
        self.folders[data["folderId"]]["uidNext"] = data["uid"] + 1
        self.touch(data)

    message_added = message_received

    def message_flags_changed(self, data):
        self.messages[data["id"]].update(flags=data["flags"], modseq=data["modseq"])
        self.touch(data)

    def message_moved(self, data):
        message = self.messages[data["id"]]
        assert (message["folderId"], message["uid"]) == (data["fromFolderId"], data["fromUid"])
        message.update(folderId=data["folderId"], uid=data["uid"], modseq=data["modseq"])
        self.folders[data["folderId"]]["uidNext"] = data["uid"] + 1
        self.touch(data)

    def message_deleted(self, data):
        message = self.messages.pop(data["id"])
        assert (message["folderId"], message["uid"]) == (data["folderId"], data["uid"])
        self.touch(data)

    def thread_merged(self, data):
        for message in self.messages.values():
            if message["threadId"] == data["mergedThreadId"]:
                message.update(threadId=data["threadId"], modseq=data["modseq"])
                self.touch(message)

    def folder_created(self, data):
        self.folders[data["folderId"]] = {
            "path": data["path"], "role": data["role"], "uidValidity": data["uidValidity"], "uidNext": 1,
            "highestModseq": data["modseq"]}

    def folder_renamed(self, data):
        assert self.folders[data["folderId"]]["path"] == data["oldPath"]
        self.folders[data["folderId"]]["path"] = data["path"]
        self.touch(data)

    def folder_deleted(self, data):
        del self.folders[data["folderId"]]
        gone = [id for id, message in self.messages.items() if message["folderId"] == data["folderId"]]
        assert len(gone) == data["messages"]
        for id in gone:
            del self.messages[id]

    def account_created(self, data):
        assert data["address"].endswith("@events.example")

    account_updated = account_created

    def message_delivered(self, data):
        assert data["recipient"].endswith("@events.example")

    def state(self):
        """Folders and messages as the API shows them."""
        folders = {}
        for id, folder in self.folders.items():
            inside = [m for m in self.messages.values() if m["folderId"] == id]
            folders[id] = {**folder, "messages": len(inside), "unread": sum("seen" not in m["flags"] for m in inside)}
        return {"folders": folders, "messages": self.messages}


class Consumer(threading.Thread):
    """Follows one account, or all, until it has seen everything up to where the test ended."""

    loss = "connections lost"

    def __init__(self, server, name, accounts, seed):
        super().__init__(name=name, daemon=True)
        self.server, self.random = server, random.Random(seed)
        self.mailboxes = {account: Mailbox() for account in accounts}
        self.end = None
        self.lost = self.events = 0
        self.trouble = None

    def take(self, event):
        self.events += 1
        if event["accountId"] in self.mailboxes:
            self.mailboxes[event["accountId"]].take(event)

    def is_done(self):
        return self.end is not None and all(self.mailboxes[a].seq >= self.end[a] for a in self.mailboxes)

    def run(self):
        while not self.is_done():
            try:
                self.follow()
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self.lost += 1
                time.sleep(0.02)
            except Exception:
                self.trouble = traceback.format_exc()
                return


class LongPoll(Consumer):
    def follow(self):
        account, mailbox = next(iter(self.mailboxes.items()))
        status, page = self.server.ask(
            "GET", f"/v1/accounts/{account}/events?after={mailbox.seq}&wait=5&limit={self.random.choice((1, 7, 50, 1000))}")
        if status == 503:
            raise OSError("the server is stopping")
        assert status == 200, (status, page)
        for event in page["items"]:
            self.take(event)
        assert page["next"] == mailbox.seq


class Stream(Consumer):
    """By server-sent events; it drops the connection at random, also in the middle of an event."""

    path, last = None, "0"

    def follow(self):
        connection = self.server.connect()
        try:
            connection.request("GET", self.path, headers={
                "Authorization": "Bearer " + self.server.token, "Accept": "text/event-stream", "Last-Event-ID": self.last})
            answer = connection.getresponse()
            if answer.status == 503:
                raise OSError("the server is stopping")
            assert answer.status == 200, (answer.status, answer.read())
            self.read(answer, self.random.randrange(1, 20000))
        finally:
            connection.close()

    def read(self, answer, octets):
        id, data, left = self.last, [], octets
        while left > 0 and not self.is_done():
            line = answer.readline(left + 1)
            left -= len(line)
            if not line.endswith(b"\n"):
                return
            name, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                id = value
            elif name == "data":
                data.append(value)
            elif name == "" and value == "" and line == b"\n":
                self.last = id
                if data:
                    self.take(json.loads("\n".join(data)))
                data = []


class Hook(Consumer):
    """By webhook: what comes again is known by its id, what comes early waits for its turn. Now and then it fails."""

    loss = "requests with an event that was there already"

    def __init__(self, server, name, accounts, seed):
        super().__init__(server, name, accounts, seed)
        self.lock, self.known, self.early, self.failed = threading.Lock(), {}, {}, 0
        consumer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with consumer.lock:
                    status = consumer.receive(self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Receiver(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *_):
                pass  # a server that was killed closes its connections

        self.receiver = Receiver(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        status, made = server.ask("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{self.receiver.server_port}/"})
        assert status == 201, made
        self.secret = base64.b64decode(made["secret"].removeprefix("whsec_"))

    def receive(self, headers, body):
        """The status that answers a request: 200 where it is taken, or was before."""
        id = headers["webhook-id"]
        signed = f"{id}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.digest(self.secret, signed, hashlib.sha256)).decode()
        event = json.loads(body)
        if headers["webhook-signature"] != expected or event["id"] != id or self.known.get(id, body) != body:
            self.trouble = f"{id} is not what it was, or not signed"
            return 400
        if self.random.random() < 0.02:
            self.failed += 1
            return 500
        if id not in self.known:
            self.known[id] = body
            self.early[event["accountId"], event["seq"]] = event
            for account, mailbox in self.mailboxes.items():
                while (event := self.early.pop((account, mailbox.seq + 1), None)) is not None:
                    self.take(event)
        else:
            self.lost += 1
        return 200

    def follow(self):
        time.sleep(0.05)
        if self.trouble is not None:
            raise AssertionError(self.trouble)


class Operations(threading.Thread):
    """Changes one account at random, in any state in which it finds it."""

    def __init__(self, server, account, other, seed, count, done):
        super().__init__(daemon=True)
        self.server, self.account, self.other, self.count, self.done = server, account, other, count, done
        self.random = random.Random(seed)
        self.base = f"/v1/accounts/{account['id']}"
        self.known = []
        self.trouble = None

    def run(self):
        kinds = [self.smtp] * 4 + [self.append] * 3 + [self.send] * 3 + [self.flag] * 8 + [self.move] * 6 + [self.copy] * 3 + [
            self.delete] * 5 + [self.bulk_flag, self.bulk_move, self.bulk_delete] + [self.make_folder] * 2 + [
            self.rename_folder, self.delete_folder, self.rename_account]
        for _ in range(self.count):
            try:
                self.random.choice(kinds)()
            except (OSError, http.client.HTTPException, smtplib.SMTPException):
                time.sleep(0.05)
            except Exception:
                self.trouble = traceback.format_exc()
            self.done()

    def ask(self, method, path, body=None, headers={}):
        status, content = self.server.ask(method, self.base + path, body, headers)
        assert status < 500 or status == 503, (method, path, status, content)
        return content if status < 300 else None

    def text(self):
        id = f"<{self.random.randrange(400)}@events.example>"
        lines = [f"From: {self.other['address']}", f"To: {self.account['address']}", f"Subject: {self.random.randrange(99)}",
                 f"Message-ID: {id}", "Date: " + email.utils.formatdate(1.7e9 + self.random.randrange(10**7))]
        if self.random.random() < 0.6:
            lines.append("References: " + " ".join(
                f"<{self.random.randrange(400)}@events.example>" for _ in range(self.random.randrange(1, 4))))
        return "\r\n".join(lines + ["", "x" * self.random.randrange(3000), ""])

    def folder(self):
        folders = self.ask("GET", "/folders")
        return self.random.choice(folders["items"]) if folders else {"id": "inbox"}

    def message(self):
        page = self.ask("GET", f"/messages?folder={self.folder()['id']}&limit=50")
        return self.random.choice(page["items"])["id"] if page and page["items"] else "latest"

    def flags(self):
        return [flag for flag in ("seen", "flagged", "answered", "deleted", "urgent", "$Label1") if self.random.random() < 0.4]

    def smtp(self):
        with smtplib.SMTP(*self.server.address("smtp"), timeout=30) as client:
            client.sendmail(self.other["address"], [self.account["address"]], self.text())

    def append(self):
        self.ask("POST", f"/messages?folder={self.folder()['id']}&flags={urllib.parse.quote(','.join(self.flags()) or 'seen')}",
                 self.text(), {"Content-Type": "message/rfc822"})

    def send(self):
        to = [a["address"] for a in (self.account, self.other) if self.random.random() < 0.7] or [self.account["address"]]
        self.ask("POST", "/send", {"to": to, "subject": "sent", "text": "y" * self.random.randrange(500)})

    def flag(self):
        how = {self.random.choice(("add", "remove", "set")): self.flags()}
        self.ask("PATCH", f"/messages/{self.message()}", {"flags": how})

    def move(self):
        self.ask("PATCH", f"/messages/{self.message()}", {"folder": self.folder()["id"]})

    def copy(self):
        self.ask("POST", f"/messages/{self.message()}/copy", {"folder": self.folder()["id"]})

    def delete(self):
        self.ask("DELETE", f"/messages/{self.message()}?permanent={self.random.choice(('true', 'false'))}")

    def bulk_flag(self):
        self.ask("PATCH", f"/messages?folder={self.folder()['id']}&unread=true", {"flags": {"add": ["seen"]}})

    def bulk_move(self):
        self.ask("PATCH", f"/messages?folder={self.folder()['id']}&flagged=true", {"folder": self.folder()["id"]})

    def bulk_delete(self):
        self.ask("DELETE", f"/messages?folder={self.folder()['id']}&unread=true&permanent=true")

    def make_folder(self):
        body = {"name": f"f{self.random.randrange(12)}"}
        if self.random.random() < 0.5:
            body["parent"] = self.folder()["id"]
        self.ask("POST", "/folders", body)

    def rename_folder(self):
        self.ask("PATCH", f"/folders/{self.folder()['id']}", {"name": f"r{self.random.randrange(12)}"})

    def delete_folder(self):
        self.ask("DELETE", f"/folders/{self.folder()['id']}?permanent=true")

    def rename_account(self):
        self.ask("PATCH", "", {"displayName": f"name {self.random.randrange(99)}"})


def everything(server, account):
    """Folders and messages of an account as they are."""
    def pages(path):
        cursor = ""
        while cursor is not None:
            status, page = server.ask("GET", f"/v1/accounts/{account}/{path}{cursor and '&cursor='}{cursor}")
            assert status == 200, page
            yield from page["items"]
            cursor = page["next"]
    keys = ("path", "role", "uidValidity", "uidNext", "highestModseq", "messages", "unread")
    return {"folders": {f["id"]: {key: f[key] for key in keys} for f in pages("folders")},
            "messages": {m["id"]: m for m in pages("messages?folder=all&fields=" + ",".join(PLACED) + "&limit=200")}}


def difference(told, real):
    for kind in ("folders", "messages"):
        for id in sorted(set(told[kind]) | set(real[kind])):
            if told[kind].get(id) != real[kind].get(id):
                return f"{kind} {id}: told {told[kind].get(id)}, is {real[kind].get(id)}"
    return ""


server, is_stopping = Server(), False
try:
    accounts, hook = [], Hook(server, "webhook", [], options.seed + 3)
    for name in ("ann", "bob"):
        status, account = server.ask("POST", "/v1/accounts", {"kind": "local", "address": f"{name}@events.example", "alias": name})
        assert status == 201, account
        accounts.append(account)
    ids = [account["id"] for account in accounts]
    poll = LongPoll(server, "long poll", ids[:1], options.seed)
    stream = Stream(server, "stream", ids[:1], options.seed + 1)
    stream.path = f"/v1/accounts/{ids[0]}/events?after=0"
    feed = Stream(server, "stream of all accounts", ids, options.seed + 2)
    feed.path, feed.last = "/v1/events", ""
    with hook.lock:
        hook.mailboxes = {id: Mailbox() for id in ids}
    consumers = [poll, stream, feed, hook]
    for consumer in consumers:
        consumer.start()

    done, turn = [0], threading.Condition()

    def count():
        with turn:
            done[0] += 1
            turn.notify()

    started = time.monotonic()
    share = options.operations // 4
    workers = [Operations(server, accounts[i % 2 if i == 3 else 0], accounts[1 if i < 3 else 0], options.seed + 10 + i,
                          options.operations - 3 * share if i == 0 else share, count) for i in range(4)]
    for worker in workers:
        worker.start()
    for number in range(options.kills):
        goal = options.operations * (number + 1) // (options.kills + 1)
        with turn:
            turn.wait_for(lambda: done[0] >= goal)
        server.kill()
        print(f"     killed after {done[0]} operations", flush=True)
    for worker in workers:
        worker.join()
        check("every operation was answered as it may be", worker.trouble is None, worker.trouble)
    print(f"     {done[0]} operations in {time.monotonic() - started:.1f} s", flush=True)

    end = {id: server.ask("GET", f"/v1/accounts/{id}/events?after=newest")[1]["next"] for id in ids}
    for consumer in consumers:
        consumer.end = {id: end[id] for id in consumer.mailboxes}
    for consumer in consumers:
        consumer.join(120)
        check(f"{consumer.name}: it came to the end", not consumer.is_alive() and consumer.trouble is None,
              consumer.trouble or {a: m.seq for a, m in consumer.mailboxes.items()})
        for id, mailbox in consumer.mailboxes.items():
            check(f"{consumer.name}: no number is missing, none came twice, all can be applied", not mailbox.problems,
                  mailbox.problems[:5])
            check(f"{consumer.name}: it saw {end[id]} events", mailbox.seq == end[id], mailbox.seq)
            told, real = mailbox.state(), everything(server, id)
            check(f"{consumer.name}: {len(real['messages'])} messages in {len(real['folders'])} folders are as told",
                  told == real, difference(told, real))
        print(f"     {consumer.events} events, {consumer.lost} {consumer.loss}", flush=True)

    # The server's stop ends what waits, and says where it was.
    waiting = server.connect()
    waiting.request("GET", f"/v1/accounts/{ids[0]}/events?after={end[ids[0]]}&wait=60", headers={
        "Authorization": "Bearer " + server.token})
    last = server.connect()
    last.request("GET", f"/v1/accounts/{ids[0]}/events?after=newest", headers={
        "Authorization": "Bearer " + server.token, "Accept": "text/event-stream"})
    answer = last.getresponse()
    first = answer.readline() + answer.readline() + answer.readline()
    check("a stream begins with where it is", first == b"retry: 2000\nid: %d\n\n" % end[ids[0]], first)
    is_stopping = True
    server.process.send_signal(signal.SIGTERM)
    rest = answer.read()
    check("and ends with it", rest.endswith(b"\nid: %d\n\n" % end[ids[0]]), rest)
    page = waiting.getresponse()
    check("a request that waits is answered", (page.status, json.loads(page.read())) == (200, {"items": [], "next": end[ids[0]]}))
finally:
    if not is_stopping:
        server.process.send_signal(signal.SIGTERM)  # a second one would end it at once
    check("SIGTERM ends it with 0", server.process.wait(60) == 0, server.process.returncode)
verify = subprocess.run([options.postern, "verify", "--data", options.data], capture_output=True, text=True)
check("the store is sound", verify.returncode == 0, verify.stdout + verify.stderr)
print("PASS" if not failures else f"FAIL: {failures}")
sys.exit(1 if failures else 0)
