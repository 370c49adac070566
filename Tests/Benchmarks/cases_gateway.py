# SPDX-License-Identifier: Apache-2.0
"""(b) What a program does with a mailbox, over HTTP in JSON: beside Cyrus's JMAP, and a gateway in Python over Dovecot and Postfix."""
import json, urllib.parse, urllib.request
import corpus, machine
from peers import Cyrus, Dovecot, Gateway, Postfix, deliver
from postern import Postern
from table import Comparison, load, measured, request, settle, write_requests

WORD, PHRASE, SHOWN = corpus.RARE[0], '"harbour lights"', 500


class PosternDoor:
    """Requests to Postern."""

    def __init__(self, postern):
        self.host, self.port, self.headers = postern.ready["http"], postern.port, [postern.authorization]
        self.ids = [item["id"] for item, _ in zip(postern.items("/v1/accounts/bench1/messages?fields=id"), range(SHOWN))]

    def ask(self, method, path, body=None):
        body = json.dumps(body).encode() if body is not None else b""
        return request(method, "/v1/accounts/bench1" + path, self.host, self.headers, body)

    def list(self):
        return [self.ask("GET", "/messages?folder=inbox&limit=50")]

    def fetch(self):
        return [self.ask("GET", "/messages/" + id) for id in self.ids]

    def search(self, text):
        return [self.ask("GET", f"/messages?q={urllib.parse.quote(text)}&limit=50")]

    def flag(self):
        return [self.ask("PATCH", "/messages/" + id, {"flags": {change: ["flagged"]}}) for change in ("add", "remove") for id in self.ids]

    def send(self):
        return [self.ask("POST", "/send", {"to": ["bench2@example.org"], "subject": "benchmark", "text": "Just a line."})]


class GatewayDoor:
    """Requests to gateway.py."""

    def __init__(self, gateway):
        self.host, self.port, self.headers = f"127.0.0.1:{gateway.port}", gateway.port, [gateway.authorization]
        self.ids = [item["id"] for item in answered(self, self.ask("GET", f"/messages?limit={SHOWN}"))["items"]]

    def ask(self, method, path, body=None):
        return request(method, path, self.host, self.headers, json.dumps(body).encode() if body is not None else b"")

    def list(self):
        return [self.ask("GET", "/messages?limit=50")]

    def fetch(self):
        return [self.ask("GET", f"/messages/{id}") for id in self.ids]

    def search(self, text):
        return [self.ask("GET", "/messages?limit=50&text=" + urllib.parse.quote(text.strip('"')))]

    def flag(self):
        return [self.ask("PATCH", f"/messages/{id}", {"flags": {change: ["\\Flagged"]}}) for change in ("add", "remove") for id in self.ids]

    def send(self):
        return [self.ask("POST", "/send", {"to": ["bench2@example.org"], "subject": "benchmark", "text": "Just a line."})]


class JMAPDoor:
    """Requests to Cyrus: each one HTTP request, whatever calls are in it."""

    ACCOUNT = "bench1"
    SUMMARY = ["id", "subject", "from", "to", "receivedAt", "size", "keywords", "mailboxIds", "messageId", "preview", "hasAttachment"]

    def __init__(self, cyrus):
        self.host, self.port, self.headers = f"127.0.0.1:{cyrus.http}", cyrus.http, [cyrus.authorization]
        found = answered(self, self.ask(["Email/query", {"sort": [{"property": "receivedAt", "isAscending": False}], "limit": SHOWN}]))
        self.ids = found["methodResponses"][0][1]["ids"]
        boxes = answered(self, self.ask(["Mailbox/get", {"properties": ["role"]}]))["methodResponses"][0][1]["list"]
        self.boxes = {box["role"] or "": box["id"] for box in boxes}
        self.identity = answered(self, self.ask(["Identity/get", {}]))["methodResponses"][0][1]["list"][0]["id"]

    def ask(self, *calls):
        calls = [[name, {"accountId": self.ACCOUNT, **arguments}, str(number)] for number, (name, arguments) in enumerate(calls)]
        body = {"using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"],
                "methodCalls": calls}
        return request("POST", "/jmap/", self.host, self.headers, json.dumps(body).encode())

    def query(self, filter):
        return [self.ask(
            ["Email/query", {"filter": filter, "sort": [{"property": "receivedAt", "isAscending": False}], "limit": 50}],
            ["Email/get", {"#ids": {"resultOf": "0", "name": "Email/query", "path": "/ids"}, "properties": self.SUMMARY}])]

    def list(self):
        return self.query({"inMailbox": self.boxes["inbox"]})

    def search(self, text):
        return self.query({"text": text})

    def fetch(self):
        return [self.ask(["Email/get", {"ids": [id], "properties": self.SUMMARY + ["textBody", "htmlBody", "attachments", "bodyValues"],
                                        "fetchAllBodyValues": True}]) for id in self.ids]

    def flag(self):
        return [self.ask(["Email/set", {"update": {id: {"keywords/$flagged": value}}}]) for value in (True, None) for id in self.ids]

    def send(self):
        sent = {"mailboxIds": {self.boxes["sent"]: True}, "from": [{"email": "bench1@example.org"}], "to": [{"email": "bench2@example.org"}],
                "subject": "benchmark", "bodyValues": {"1": {"value": "Just a line."}}, "textBody": [{"partId": "1", "type": "text/plain"}]}
        envelope = {"mailFrom": {"email": "bench1@example.org"}, "rcptTo": [{"email": "bench2@example.org"}]}
        return [self.ask(["Email/set", {"create": {"m": sent}}], ["EmailSubmission/set", {"create": {"s": {
            "emailId": "#m", "identityId": self.identity, "envelope": envelope}}}])]


def answered(door, octets):
    """The JSON that a request is answered with."""
    head, _, body = octets.partition(b"\r\n\r\n")
    method, path = head.split(b" ")[:2]
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    asked = urllib.request.Request(f"http://{door.host}{path.decode()}", body or None, fields, method=method.decode())
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


def check(name, door, operation, octets):
    """One request tried before many are counted: an answer of another kind would be a figure about nothing."""
    answer = answered(door, octets)
    text = json.dumps(answer)
    count = {"list 50": 50, "search a word": 2, "search a phrase": 50}.get(operation)
    for _, found, _ in answer.get("methodResponses", ()):
        if "notCreated" in found and found["notCreated"] or "notUpdated" in found and found["notUpdated"] or "type" in found:
            raise SystemExit(f"{name}, {operation}: {text[:2000]}")
    if count:
        items = answer["items"] if "items" in answer else answer["methodResponses"][-1][1]["list"]
        if not 0 < len(items) <= 50 or operation == "list 50" and len(items) != 50:
            raise SystemExit(f"{name}, {operation}: {len(items)} found")
        machine.say(f"{name}, {operation}: {len(items)} messages, {len(text):,} octets of JSON")


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev", "postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd", "cyrus-common", "cyrus-caldav",
                     "sasl2-bin", "python3-pip")
    program, servers = machine.compiled("load", directory), []
    try:
        messages = [corpus.Message(number) for number in range(options.messages)]
        texts = [message.whole.encode() for message in messages]
        postern = Postern(binary, directory + "/postern", smtp=True)
        servers.append(postern)
        for name in ("bench1", "bench2"):
            postern.add_account(name)
        postern.fill("bench1", corpus.write_mbox(directory + "/gateway.mbox", range(options.messages)))
        postern.settle()
        dovecot = Dovecot(directory)
        servers.append(dovecot)
        behind = Postfix(directory, dovecot.lmtp)
        servers.append(behind)
        gateway = Gateway(dovecot, behind)
        servers.append(gateway)
        cyrus = Cyrus(directory, behind.smtp)
        servers.append(cyrus)
        for name, server in (("Dovecot", dovecot), ("Cyrus", cyrus)):
            machine.say(f"{len(texts):,} messages into {name} …")
            deliver(server.lmtp, texts, "bench1")
            settle(server.seconds)
        doors = (("Cyrus, JMAP", JMAPDoor(cyrus), lambda: cyrus.seconds() + behind.seconds() + dovecot.seconds()),
                 ("Python gateway", GatewayDoor(gateway), gateway.seconds), ("Postern", PosternDoor(postern), postern.seconds))
        for clients in (1, 16):
            comparison = Comparison(f"A mailbox of {options.messages:,} messages over HTTP, {clients} clients", options.rounds)
            for operation in ("list 50", "fetch one", "search a word", "search a phrase", "flag", "send"):
                for name, door, seconds in doors:
                    word = operation.partition(" ")[0]
                    requests = door.search(WORD if operation.endswith("word") else PHRASE) if word == "search" else getattr(door, word)()
                    if clients == 1:
                        check(name, door, operation, requests[0])
                    file = write_requests(f"{directory}/{name}-{operation}".replace(" ", "-"), requests)
                    comparison.add(f"{operation}, {name}", lambda file=file, port=door.port, seconds=seconds, word=word: measured(
                        seconds, lambda: load(program, "http", "127.0.0.1", port, "-c", clients, "-s", options.seconds, file),
                        settles=word in ("flag", "send")), None if door is doors[0][1] else f"{operation}, {doors[0][0]}")
            comparison.print()
    finally:
        for server in reversed(servers):
            server.stop()
