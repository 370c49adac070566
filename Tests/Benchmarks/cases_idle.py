# SPDX-License-Identifier: Apache-2.0
"""Many accounts at one IMAP server: until all are watched, what each takes at rest, and how soon new mail is at a webhook.

Postern has processor 0, the IMAP servers and the client processor 1.
"""
import http.server, json, os, socket, statistics, threading, time, urllib.request
import machine
from machine import CLIENT
from peers import DOMAIN, PASSWORD, Cyrus, Dovecot, deliver
from postern import Postern
from table import load

SETTINGS = ["egress.allow=127.0.0.0/8", "egress.mailPorts=any", "egress.webPorts=any"]
# Accounts that are there before memory is looked at the first time, and messages that each finds at its server.
FIRST, HELD = 10, 10
# Seconds for which a server at rest is looked at.
LOOK = 10


class Receiver(http.server.ThreadingHTTPServer):
    """A webhook's endpoint: when each event came."""
    daemon_threads = True

    def __init__(self):
        self.times, self.known = [], set()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        now = time.monotonic()
        if event["id"] not in self.server.known:
            self.server.known.add(event["id"])
            self.server.times.append(now)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class IdleClient:
    """IDLE on an inbox by hand: when each EXISTS came."""

    def __init__(self, port, user):
        self.times = []
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.file = self.connection.makefile("rb")
        self.file.readline()
        for command in (f"LOGIN {user} {PASSWORD}", "SELECT INBOX"):
            self.connection.sendall(f"a {command}\r\n".encode())
            while not (line := self.file.readline()).startswith(b"a "):
                pass
            if not line.startswith(b"a OK"):
                raise SystemExit(f"{command}: {line}")
        self.connection.sendall(b"a IDLE\r\n")
        self.file.readline()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while line := self.file.readline():
            if line.endswith(b"EXISTS\r\n"):
                self.times.append(time.monotonic())

    def close(self):
        self.connection.shutdown(socket.SHUT_RDWR)


def metric(postern, name):
    asked = urllib.request.Request(f"http://{postern.ready['http']}/metrics", headers={"Authorization": "Bearer " + postern.token})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
    raise SystemExit(f"there is no {name}")


def watched(postern):
    return int(metric(postern, 'postern_imap_client_mailboxes{activity="watching"}'))


def add_one(postern, alias, user, server, smtp=None):
    """Makes an account at a server, which may submit at another."""
    login = {"username": user, "password": PASSWORD}
    postern.call("POST", "/v1/accounts", {"kind": "imap", "address": f"{alias}@{DOMAIN}", "alias": alias,
                                          "imap": {**server, **login}, **({"smtp": {**smtp, **login}} if smtp else {})})


def add(postern, numbers, server):
    """Makes accounts, 16 at a time."""
    waiting, lock, failures = list(numbers), threading.Lock(), []

    def work():
        while True:
            with lock:
                if not waiting or failures:
                    return
                number = waiting.pop(0)
            try:
                add_one(postern, f"bench{number}", f"bench{number}", server)
            except (SystemExit, OSError) as failure:
                failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(16)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    if failures:
        raise SystemExit(f"an account: {failures[0]}")


class Crowd:
    """How many connections stand at a port at most, looked at again and again."""

    def __init__(self, port):
        self.port, self.most, self.isOver = port, 0, False
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.isOver:
            self.most = max(self.most, machine.connections(self.port))
            time.sleep(0.05)

    def end(self):
        self.isOver = True
        self.thread.join()
        return self.most


def live(postern, count, began):
    """Waits until so many accounts are watched; seconds since `began`."""
    deadline = time.monotonic() + 600
    while watched(postern) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{watched(postern)} of {count} accounts are watched")
        time.sleep(0.1)
    return time.monotonic() - began


def rest(postern):
    """Waits until next to nothing is done any more, such as to index mail; octets of memory, and percent of a processor, then."""
    for _ in range(12):
        before = postern.seconds()
        time.sleep(LOOK)
        percent = (postern.seconds() - before) / LOOK * 100
        if percent < 0.5:
            break
    return machine.resident(postern.pid), percent


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def latencies(name, postern, alias, server, user, count, pause):
    """So many messages by LMTP, one after the other: from the server's 250 to IDLE by hand, and to the webhook.

    Dovecot tells half a second after the first change that it sees, and what one session does to a mailbox is a change to the others:
    `pause` is to be so long that for both it begins with the message.
    """
    receiver = Receiver()
    account = postern.call("GET", f"/v1/accounts/{alias}")["id"]
    hook = postern.call("POST", "/v1/webhooks", {"url": receiver.url, "types": ["message.received"], "accounts": [account]})
    idle, rows = IdleClient(server.imap, user), []
    try:
        for number in range(count + 5):
            seen, came = len(idle.times), len(receiver.times)
            text = f"From: a@example.net\nTo: {user}@{DOMAIN}\nSubject: {number}\nMessage-ID: <{name}.{number}@example.net>\n\nHello.\n"
            deliver(server.lmtp, [text], user)
            began, deadline = time.monotonic(), time.monotonic() + 90
            while len(receiver.times) == came or len(idle.times) == seen:
                if time.monotonic() > deadline:
                    raise SystemExit(f"{name}, message {number}: {len(receiver.times)} events, {len(idle.times)} answers to IDLE")
                time.sleep(0.0005)
            # The first ones are for warming up.
            if number >= 5:
                rows.append((idle.times[seen] - began, receiver.times[came] - began))
            time.sleep(pause)
    finally:
        idle.close()
        postern.call("PATCH", f"/v1/webhooks/{hook['id']}", {"state": "paused"})
        receiver.shutdown()
    for what, values in (("IDLE by hand", [a for a, _ in rows]), ("webhook", [b for _, b in rows]),
                         ("webhook behind IDLE", [b - a for a, b in rows])):
        values = [value * 1000 for value in values]
        print(f"| {name} | {what} | {len(values)} | {statistics.median(values):.1f} | {percentile(values, 90):.1f} "
              f"| {percentile(values, 99):.1f} | {max(values):.1f} |", flush=True)


def crowd(options, binary, directory, program, tls):
    """Adds accounts at a Dovecot of their own, with TLS or without, and gives what was seen; the servers go on."""
    count, name = options.accounts, "TLS" if tls else "no TLS"
    certificate, key, pin = machine.certificate(directory)
    dovecot = Dovecot(directory, sessions=count + 200, certificate=certificate, key=key, processor=CLIENT)
    postern = None
    try:
        machine.say(f"{name}: mail for {count:,} …")
        load(program, "lmtp", "127.0.0.1", dovecot.lmtp, "-c", 8, "-n", count * HELD, "-u", count, "-l", 2_000)
        postern = Postern(binary, directory + "/postern", settings=SETTINGS)
        server = {"host": "127.0.0.1", "port": dovecot.imaps if tls else dovecot.imap, "tls": "implicit" if tls else "none",
                  **({"certificateSHA256": pin} if tls else {})}
        add(postern, range(1, FIRST + 1), server)
        live(postern, FIRST, time.monotonic())
        before, _ = rest(postern)
        seen, began, spent = Crowd(server["port"]), time.monotonic(), postern.seconds()
        add(postern, range(FIRST + 1, count + 1), server)
        made, seconds = time.monotonic() - began, live(postern, count, began)
        spent, most = postern.seconds() - spent, seen.end()
        after, idle = rest(postern)
        states = [postern.call("GET", f"/v1/accounts/bench{number}")["connection"]["state"] for number in range(1, count + 1)]
        if any(state != "connected" for state in states):
            raise SystemExit(f"{sum(state != 'connected' for state in states)} accounts are not connected")
        print(f"| {name} | {count - FIRST:,} added | {made:.1f} | {seconds:.1f} | {spent:.1f} | {most:,} | {before / 1e6:.1f} "
              f"| {after / 1e6:.1f} | {(after - before) / (count - FIRST) / 1000:.1f} | {idle:.2f} |", flush=True)
        # The same accounts met again: what the first look at their mail took is not among it.
        postern.stop()
        seen = Crowd(server["port"])
        postern = Postern(binary, directory + "/postern", settings=SETTINGS)
        seconds, spent = live(postern, count, time.monotonic()), postern.seconds()
        most, (after, idle) = seen.end(), rest(postern)
        print(f"| {name} | {count:,} after a restart | | {seconds:.1f} | {spent:.1f} | {most:,} | | {after / 1e6:.1f} "
              f"| {(after - before) / (count - FIRST) / 1000:.1f} | {idle:.2f} |", flush=True)
        return postern, dovecot
    except BaseException:
        for one in (postern, dovecot):
            if one:
                one.stop()
        raise


def run(options, binary, directory):
    machine.packages("gcc", "libc6-dev", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd", "cyrus-common", "cyrus-caldav", "sasl2-bin",
                     "openssl")
    machine.allow_descriptors(options.accounts * 4)
    program = machine.compiled("load", directory)
    with machine.inotify_instances(options.accounts * 2 + 256):
        print(f"\n### Accounts at one Dovecot, {HELD} messages in each\n")
        print("| connection | accounts | s to add them | s until all are watched | CPU s meanwhile | connections at most "
              "| MB before | MB at rest | KB each | CPU % at rest |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        servers = []
        try:
            for tls in {"both": (True, False), "with": (True,), "without": (False,)}[options.tls]:
                while servers:
                    servers.pop().stop()
                folder = os.path.join(directory, "tls" if tls else "plain")
                os.makedirs(folder)
                dovecot, postern = reversed(crowd(options, binary, folder, program, tls))
                servers = [dovecot, postern]
            cyrus = Cyrus(directory, 1, users=1, imap=True, processor=CLIENT)
            servers.insert(0, cyrus)
            add_one(postern, "cyrus", "bench1", {"host": "127.0.0.1", "port": cyrus.imap, "tls": "none"})
            live(postern, options.accounts + 1, time.monotonic())
            print(f"\n### From LMTP's 250 to a webhook, with {options.accounts:,} accounts at rest, ms\n")
            print("| server | what | messages | p50 | p90 | p99 | most |\n|---|---|---:|---:|---:|---:|---:|")
            latencies("Cyrus", postern, "cyrus", cyrus, "bench1", options.mails, 0.02)
            latencies("Dovecot", postern, "bench7", dovecot, "bench7", options.mails, 0.6)
        finally:
            while servers:
                servers.pop().stop()
