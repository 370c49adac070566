#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An account's outbox, emptied through a server that misbehaves, through kill -9: each recipient ends in a stated outcome, and
nobody gets a message twice unless its end went unanswered, which is reported.

usage: sending.py POSTERN DATA [--messages N] [--kills N] [--sink COMMAND]
With --sink the messages go to `smtp-sink` instead, which takes all, and the rate is printed.
"""
import argparse, collections, concurrent.futures, os, random, socket, sqlite3, subprocess, threading, time

from server import Claims, Server

parser = argparse.ArgumentParser()
parser.add_argument("postern")
parser.add_argument("data")
parser.add_argument("--messages", type=int, default=300)
parser.add_argument("--kills", type=int, default=1)
parser.add_argument("--sink")
parser.add_argument("--connections", type=int, default=8)
options = parser.parse_args()
claims = Claims()
SETTINGS = ("egress.allow=127.0.0.0/8", "egress.mailPorts=any", "delivery.retrySeconds=1,1,2",
            f"delivery.connectionsPerAccount={options.connections}", f"delivery.connectionsPerHost={options.connections}",
            "delivery.patienceSeconds=20")


class BadServer:
    """Takes mail; now and then says 4yz, or hangs up: at MAIL, within a text, or when the text has come and nothing was said."""

    def __init__(self, seed=1):
        self.lock, self.random = threading.Lock(), random.Random(seed)
        self.answered = collections.Counter()  # (subject, recipient): ends that were answered by 250
        self.unanswered = collections.Counter()  # the same, of ends after which it hung up
        self.put_off, self.hung_up, self.connections = 0, 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def chance(self, share):
        with self.lock:
            return self.random.random() < share

    def serve(self, connection):
        with self.lock:
            self.connections += 1
        try:
            with connection, connection.makefile("rwb") as stream:
                self.talk(stream)
        except OSError:
            pass

    def hang_up(self):
        with self.lock:
            self.hung_up += 1
        raise ConnectionAbortedError

    def talk(self, stream):
        def say(text):
            stream.write(text.encode() + b"\r\n")
            stream.flush()

        say("220 bad.example ESMTP")
        recipients = []
        for line in stream:
            verb = line[:4].upper()
            if verb == b"EHLO":
                say("250-bad.example\r\n250-8BITMIME\r\n250 PIPELINING")
            elif verb == b"MAIL":
                recipients = []
                if self.chance(0.02):
                    self.hang_up()
                say("250 2.1.0 ok")
            elif verb == b"RCPT":
                address = line.split(b"<")[1].split(b">")[0].decode()
                if address.startswith("never"):
                    say("550 5.1.1 nobody of that name")
                elif self.chance(0.1):
                    with self.lock:
                        self.put_off += 1
                    say("451 4.7.1 come again")
                else:
                    recipients.append(address)
                    say("250 2.1.5 ok")
            elif verb == b"DATA":
                if not recipients:
                    say("554 5.5.1 for nobody?")
                    continue
                say("354 go")
                subject, cut = None, self.chance(0.02)
                for text in stream:
                    if cut:
                        self.hang_up()
                    if text.startswith(b"Subject: "):
                        subject = text[9:].strip().decode()
                    if text == b".\r\n":
                        break
                else:
                    return
                if self.chance(0.02):
                    say("452 4.3.1 no room at the moment")
                    continue
                drop = self.chance(0.03)
                with self.lock:
                    for recipient in recipients:
                        (self.unanswered if drop else self.answered)[subject, recipient] += 1
                if drop:
                    self.hang_up()
                say("250 2.0.0 taken")
            elif verb == b"QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def give_server(port):
    """Writes the account's server into the store while nobody runs."""
    with sqlite3.connect(os.path.join(options.data, "postern.sqlite")) as store:
        store.execute("INSERT INTO remote_servers (account, service, host, port, security, username, credential, options)"
                      " SELECT pk, 'smtp', '127.0.0.1', ?, 'none', '', 'none', '' FROM accounts", (port,))
    store.close()


def recipients_of(number):
    if number % 10 == 0:
        return [f"a{number}@far.example", f"b{number}@far.example", f"never{number}@far.example"]
    return [f"a{number}@far.example"]


def submit(server, numbers):
    client, ids = server.client(), {}
    for number in numbers:
        body = {"to": recipients_of(number), "subject": f"message {number}", "text": "hello\n" * 20}
        answer = client.json("POST", "/v1/accounts/ann/send", body, headers={"Idempotency-Key": f"send-{number}"})
        ids[number] = answer["id"]
    return ids


def submit_all(server, count):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda start: submit(server, range(start, count, 8)), range(8))
        return {number: id for part in parts for number, id in part.items()}


def waiting(server):
    """Recipients that something is still to be done for."""
    seen, states = 0, collections.Counter()
    for submission in server.client().items("/v1/accounts/ann/outbox"):
        for recipient in submission["recipients"]:
            states[recipient["state"]] += 1
            seen += recipient["nextAttemptAt"] is not None
    return seen, states


def queued(server):
    """The same, of those that wait, without looking at each."""
    text = server.client().call("GET", "/metrics")[2].decode()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("postern_queue_recipients{"))


def events(server):
    client, after = server.client(), 0
    while True:
        page = client.json("GET", f"/v1/accounts/ann/events?after={after}&limit=1000")
        yield from page["items"]
        if not page["items"]:
            return
        after = page["items"][-1]["seq"]


def begin(port):
    server = Server(options.postern, options.data, SETTINGS)
    server.account("ann", "here.example")
    claims.check("it stops in order", server.stop() == 0)
    give_server(port)
    return Server(options.postern, options.data, SETTINGS)


def misbehave():
    bad = BadServer()
    server = begin(bad.port)
    ids = submit_all(server, options.messages)
    for _ in range(options.kills):
        time.sleep(0.5)
        server.kill()
        server = Server(options.postern, options.data, SETTINGS)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and waiting(server)[0]:
        time.sleep(0.2)
    left, states = waiting(server)
    claims.check("every recipient ends in a stated outcome", left == 0, (left, states))
    happened = collections.defaultdict(list)
    bounced = set()
    for event in events(server):
        data = event["data"]
        if event["type"] == "message.bounced":
            bounced.add(data["submissionId"])
        elif "recipient" in data:
            happened[data["submissionId"], data["recipient"]].append(event["type"].removeprefix("message."))
    outcomes = {}
    for submission in server.client().items("/v1/accounts/ann/outbox"):
        for recipient in submission["recipients"]:
            outcomes[submission["id"], recipient["address"]] = recipient["state"]
    twice = unknown = 0
    for number, id in ids.items():
        for address in recipients_of(number):
            key, place = (f"message {number}", address), (id, address)
            taken, dropped = bad.answered[key], bad.unanswered[key]
            told, state = happened[place], outcomes[place]
            doubts = told.count("unknown")
            unknown += doubts
            if address.startswith("never"):
                claims.check(f"{address} is refused", state == "refused" and taken + dropped == 0, (state, told), quiet=True)
                claims.check(f"{address} is reported to the sender", id in bounced, quiet=True)
                continue
            claims.check(f"{address} ends well", state in ("delivered", "unknown"), (state, told), quiet=True)
            if state == "delivered":
                claims.check(f"{address} is delivered as it is said", taken >= 1, told, quiet=True)
            claims.check(f"{address}: an unanswered end is unknown", doubts >= dropped, (dropped, told), quiet=True)
            claims.check(f"{address}: twice only where unknown", taken + dropped <= 1 + doubts, (taken, dropped, told), quiet=True)
            twice += taken + dropped > 1
    claims.check("something was put off", bad.put_off > 0)
    claims.check("it hung up now and then", bad.hung_up > 0)
    reports = [item for item in server.client().items("/v1/accounts/ann/messages?folder=inbox")]
    refused = sum(recipients_of(number)[-1].startswith("never") for number in ids)
    claims.check("each refusal is reported once", len(reports) == refused, (len(reports), refused))
    claims.check("it stops in order again", server.stop() == 0)
    print(f"{len(ids)} messages, {sum(states.values())} recipients: {dict(states)}; {bad.connections} connections, "
          f"{bad.put_off} put off, {bad.hung_up} hung up, {sum(bad.unanswered.values())} ends unanswered, "
          f"{unknown} reported unknown, {twice} twice")


def rate():
    port = free_port()
    server = begin(port)
    begun = time.monotonic()
    ids = submit_all(server, options.messages)
    print(f"{len(ids)} messages taken in {time.monotonic() - begun:.1f} s", flush=True)
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    sink = subprocess.Popen([options.sink, *user, f"127.0.0.1:{port}", "256"], stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    while time.monotonic() - begun < 600 and queued(server):
        time.sleep(1)
    left, states = waiting(server)
    claims.check("all are delivered or refused", left == 0, (left, states))
    times = sorted(event["timestamp"] for event in events(server) if event["type"] == "message.delivered")
    sink.kill()

    def seconds(stamp):
        clock = stamp.split("T")[1].rstrip("Z")
        hours, minutes, rest = clock.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)

    spent = seconds(times[-1]) - seconds(times[0])
    print(f"{len(times)} recipients delivered in {spent:.2f} s: {options.messages / spent:.0f} messages a second "
          f"over {options.connections} connections")
    claims.check("it stops in order again", server.stop() == 0)


rate() if options.sink else misbehave()
claims.end()
