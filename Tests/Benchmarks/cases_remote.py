# SPDX-License-Identifier: Apache-2.0
"""An account at a Dovecot: through Postern, by clients of that Dovecot itself, and through a gateway in Python over it.

Postern, the gateway, Dovecot and Postfix share processor 0, the clients have processor 1. "In C" writes commands and reads over the
answers, which is what the server alone costs; "in Python" is imapclient, as a program uses it, its own time being that of a gateway.
"""
import imaplib, json, os, statistics, subprocess, sys, threading, time, urllib.parse
import corpus, machine
from cases_gateway import GatewayDoor, PosternDoor, answered
from cases_idle import SETTINGS, add_one, live
from machine import CLIENT
from peers import PASSWORD, Dovecot, Gateway, Postfix, deliver
from postern import Postern
from table import load, settle, write_requests

SHOWN = 500
# In the subjects, and in texts alone: asked of the server, which has no index.
SUBJECTS, TEXTS = corpus.WORDS[:8], corpus.RARE[:2]


class RemoteDoor(PosternDoor):
    """Postern's, and a message that nobody looked at yet in each request."""

    def __init__(self, postern):
        super().__init__(postern)
        self.turn, self.all = 0, [item["id"] for item in postern.items("/v1/accounts/bench1/messages?folder=inbox&fields=id")]

    def fetch_new(self):
        self.turn += 1
        ids = self.all[self.turn * SHOWN:][:SHOWN]
        if len(ids) < SHOWN:
            raise SystemExit("there are not messages enough (--messages) for so many rounds")
        return [self.ask("GET", "/messages/" + id) for id in ids]

    def search(self, word):
        texts = [f"subject:{word}" for word in SUBJECTS] if word == "subject" else TEXTS
        return [self.ask("GET", f"/messages?q={urllib.parse.quote(text)}&limit=50") for text in texts]


class RemoteGatewayDoor(GatewayDoor):
    def fetch_new(self):
        return self.fetch()

    def search(self, word):
        texts = SUBJECTS if word == "subject" else TEXTS
        return [self.ask("GET", f"/messages?limit=50&{word}={urllib.parse.quote(text)}") for text in texts]


class Door:
    """A way to do each operation: so many clients, for so long or so often; operations, seconds, p50, p99, and CPU seconds of it."""

    def __init__(self, name):
        self.name = name


class HTTP(Door):
    def __init__(self, name, door, program, directory, seconds):
        super().__init__(name)
        self.door, self.program, self.path, self.seconds = door, program, f"{directory}/requests", seconds

    def requests(self, operation):
        word, _, rest = operation.partition(" ")
        match word, rest:
            case "fetch", "new": return self.door.fetch_new()
            case "search", _: return self.door.search(rest)
            case _: return getattr(self.door, word)()

    def check(self, operation):
        """One request is tried before many are counted: an answer of another kind would be a figure about nothing."""
        requests = self.requests(operation)
        answer = answered(self.door, requests[0])
        # A search that the server did not end in time is counted below.
        whole = answer.get("serverSearch", {"complete": True})["complete"]
        if operation.startswith(("list", "search")) and not 0 < len(answer["items"]) <= 50 and whole:
            raise SystemExit(f"{self.name}, {operation}: {len(answer['items'])} found")
        machine.say(f"{self.name}, {operation}: {len(json.dumps(answer)):,} octets of JSON")
        if operation == "fetch one":
            # Each has been asked for before.
            for one in requests:
                answered(self.door, one)

    def run(self, operation, clients, limit):
        write_requests(self.path, self.requests(operation))
        before = self.seconds()
        result = load(self.program, "http", "127.0.0.1", self.door.port, "-c", clients, *limit, self.path)
        return *result, lambda: self.seconds() - before


class InC(Door):
    """The commands alone; of a search without what it found."""

    def __init__(self, dovecot, uids, program, directory):
        super().__init__("Dovecot, in C")
        self.dovecot, self.uids, self.program, self.path = dovecot, uids, program, f"{directory}/commands"

    def commands(self, operation):
        summary = "(UID ENVELOPE FLAGS RFC822.SIZE INTERNALDATE)"
        shown = self.uids[-SHOWN:]
        match operation:
            case "list 50": return [f"FETCH {len(self.uids) - 49}:{len(self.uids)} {summary}"]
            case "fetch one" | "fetch new": return [f"UID FETCH {uid} (BODY.PEEK[] FLAGS)" for uid in shown]
            case "flag": return [f"UID STORE {uid} {sign}FLAGS (\\Flagged)" for sign in "+-" for uid in shown]
            case "search subject": return [f"UID SEARCH SUBJECT {word}" for word in SUBJECTS]
            case "search text": return [f"UID SEARCH TEXT {word}" for word in TEXTS]

    def run(self, operation, clients, limit):
        write_requests(self.path, [f"a {command}\r\n".encode() for command in self.commands(operation)])
        result = load(self.program, "imap", "127.0.0.1", self.dovecot.imap, "-c", clients, *limit, "-w", f"bench1 {PASSWORD}", self.path)
        return *result, lambda: 0


class InPython(Door):
    def __init__(self, dovecot, postfix, packages):
        super().__init__("Dovecot, in Python")
        self.ports, self.packages = (dovecot.imap, postfix.smtp), packages

    def run(self, operation, clients, limit):
        word = {"fetch new": "fetch", "search subject": "subject", "search text": "text"}.get(operation, operation.split()[0])
        words = {"subject": SUBJECTS, "text": TEXTS}.get(word, [])
        seconds, count = (limit[1], 0) if limit[0] == "-s" else (0, limit[1])
        command = [sys.executable, os.path.join(machine.HERE, "direct.py"), *map(str, (*self.ports, clients, seconds, count)), word, *words]
        output = subprocess.run([*CLIENT, *command], check=True, capture_output=True, text=True,
                                env={**os.environ, "PYTHONPATH": self.packages, "PYTHONDONTWRITEBYTECODE": "1"}).stdout
        result = json.loads(output)
        if result["errors"] or not result["operations"]:
            raise SystemExit(f"{self.name}, {operation}: {output}")
        return result["operations"], result["seconds"], result["p50"], result["p99"], lambda: result["cpu"]


def measured(door, operation, clients, limit, behind, everybody):
    """Rate, p50, p99, CPU microseconds of an operation, and those of the servers behind."""
    before = behind()
    operations, seconds, p50, p99, spent = door.run(operation, clients, limit)
    if operation in ("flag", "send"):
        settle(everybody)
    return operations / seconds, p50, p99, spent() / operations * 1e6, (behind() - before) / operations * 1e6


def compare(operation, clients, limit, doors, behind, everybody, rounds):
    readings = {door.name: [] for door in doors}
    for number in range(rounds):
        machine.say(f"{operation}, {clients} clients: round {number + 1} of {rounds} …")
        for door in doors:
            readings[door.name].append(measured(door, operation, clients, limit, behind, everybody))
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in readings.items()}
    for door in doors:
        rate, p50, p99, own, others = median[door.name]
        spread = [row[1] for row in readings[door.name]]
        ratios = [f"{p50 / median[name][1]:.3g}" if name in median and name != door.name else ""
                  for name in ("Dovecot, in C", "Dovecot, in Python")]
        print(f"| {operation} | {clients} | {door.name} | {rate:,.0f} | {p50:.2f} | {min(spread):.2f}–{max(spread):.2f} | {p99:.2f} "
              f"| {own:,.0f} | {others:,.0f} | {ratios[0]} | {ratios[1]} |", flush=True)


def complete(door, clients):
    """Of searches at the server, by so many at once, how many were answered in full."""
    requests, outcomes = door.search("text"), []

    def ask(number):
        outcomes.append(answered(door, requests[number % len(requests)])["serverSearch"]["complete"])

    threads = [threading.Thread(target=ask, args=[number]) for number in range(clients)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    return sum(outcomes)


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev", "postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd", "python3-pip")
    program, servers = machine.compiled("load", directory), []
    try:
        dovecot = Dovecot(directory)
        servers.append(dovecot)
        postfix = Postfix(directory, dovecot.lmtp, dovecot.auth)
        servers.append(postfix)
        machine.say(f"{options.messages:,} messages into Dovecot …")
        deliver(dovecot.lmtp, (corpus.Message(number).whole.encode() for number in range(options.messages)), "bench1")
        gateway = Gateway(dovecot, postfix, authenticates=True)
        servers.append(gateway)
        postern = Postern(binary, directory + "/postern", settings=SETTINGS)
        servers.append(postern)
        began, login = time.monotonic(), {"host": "127.0.0.1", "tls": "none"}
        add_one(postern, "bench1", "bench1", {**login, "port": dovecot.imap}, smtp={**login, "port": postfix.smtp})
        machine.say(f"mirrored in {live(postern, 1, began):.1f} s")
        behind = lambda: dovecot.seconds() + postfix.seconds()
        everybody = lambda: behind() + postern.seconds() + machine.family_seconds(gateway.pid)
        settle(everybody)
        here = HTTP("Postern", RemoteDoor(postern), program, directory, postern.seconds)
        there = HTTP("Python gateway", RemoteGatewayDoor(gateway), program, directory, lambda: machine.family_seconds(gateway.pid))
        with imaplib.IMAP4("127.0.0.1", dovecot.imap) as client:
            client.login("bench1", PASSWORD), client.select("INBOX", readonly=True)
            uids = client.uid("SEARCH", "ALL")[1][0].decode().split()
        doors = [InC(dovecot, uids, program, directory), InPython(dovecot, postfix, gateway.packages), there, here]
        print(f"\n### A mailbox of {options.messages:,} messages at a Dovecot\n")
        print("| operation | clients | through | operations/s | p50 ms | min–max | p99 ms | its CPU µs/operation "
              "| CPU µs/operation behind it | p50 to that in C | p50 to that in Python |")
        print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        timed = ("-s", options.seconds)
        for operation in ("list 50", "fetch one", "fetch new", "flag", "search subject", "search text", "send"):
            here.check(operation), there.check(operation)
            for clients in (1, 16):
                limit = {"fetch new": ("-n", SHOWN), "send": ("-n", 200), "search text": ("-n", max(2, clients))}.get(operation, timed)
                some = [door for door in doors if operation != "send" or door is not doors[0]]
                compare(operation, clients, limit, some, behind, everybody, options.rounds)
        print(f"\nOf searches in texts Postern answered {complete(here.door, 1)} of 1 in full, and {complete(here.door, 16)} of 16 at once.")
    finally:
        for server in reversed(servers):
            server.stop()
