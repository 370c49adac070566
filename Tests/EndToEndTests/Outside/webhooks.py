#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten webhooks, good and bad: every live one gets every event, signed, with one id for each, through kill -9 in the middle.

usage: webhooks.py POSTERN DATA [--events N] [--kills N] [--mails N]
Starts the server itself, so that it can kill it. Signatures are checked by the library `standardwebhooks` of PyPI. With --mails it
then measures the time from mail to webhook while three endpoints are dead, and prints it.
"""
import argparse, concurrent.futures, http.client, http.server, json, os, signal, smtplib, socket, statistics, struct
import subprocess, sys, threading, time

from standardwebhooks.webhooks import Webhook

parser = argparse.ArgumentParser()
parser.add_argument("postern")
parser.add_argument("data")
parser.add_argument("--events", type=int, default=200)
parser.add_argument("--kills", type=int, default=1)
parser.add_argument("--mails", type=int, default=0)
options = parser.parse_args()
failures = []


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
    if not holds:
        failures.append(claim)


def eventually(claim, holds, seconds=300, seen=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not holds():
        time.sleep(0.05)
    check(claim, holds(), seen() if not holds() else "")


# MARK: The server

SETTINGS = {
    "webhooks.retrySeconds": ",".join(["1"] * 4 + ["2"] * 46), "webhooks.timeoutSeconds": "1", "webhooks.probeSeconds": "1",
    "egress.allow": "127.0.0.0/8", "egress.webPorts": "any",
    **{f"listeners.{name}": "127.0.0.1:0" for name in ("http", "smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps")},
}


class Server:
    def start(self):
        flags = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen(
            [options.postern, "serve", "--data", options.data, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=open(os.path.join(options.data, "..", "webhooks.log"), "ab"))
        self.ready = json.loads(self.process.stdout.readline())
        self.token = open(self.ready["adminTokenFile"]).read().strip()
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, method, path, body=None, content_type="application/json"):
        host, port = self.ready["http"].rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        try:
            if isinstance(body, dict):
                body = json.dumps(body)
            connection.request(method, path, body, {"Authorization": "Bearer " + self.token, "Content-Type": content_type})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content[:1] in (b"{", b"[") else content
        finally:
            connection.close()


# MARK: The receivers

class Receiver(http.server.ThreadingHTTPServer):
    """Checks and remembers what comes; `behave` decides on the answer."""
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, name, behave):
        self.name, self.behave = name, behave
        self.lock = threading.Lock()
        self.tries = {}  # by id
        self.taken = {}  # what was answered with 2xx: id to (account, seq)
        self.times, self.unsigned, self.messages = {}, 0, {}
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/{self.name}"

    def register(self, server, **more):
        status, made = server.call("POST", "/v1/webhooks", {"url": self.url, "name": self.name, **more})
        check(f"{self.name}: is made", status == 201, made)
        self.id, self.secret, self.verifier = made["id"], made["secret"], Webhook(made["secret"])

    def handle_error(self, *_):
        pass  # a server that was killed closes its connections


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        now = time.monotonic()
        receiver = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        identifier = self.headers["webhook-id"]
        try:
            event = receiver.verifier.verify(body, dict(self.headers))
        except Exception as error:
            with receiver.lock:
                receiver.unsigned += 1
            print("not signed:", receiver.name, error)
            event = json.loads(body)
        with receiver.lock:
            count = receiver.tries[identifier] = receiver.tries.get(identifier, 0) + 1
            total = sum(receiver.tries.values()) if receiver.name == "throttles" else 0
        status, fields = receiver.behave(self, count, total)
        if status is None:
            return
        if 200 <= status < 300:
            with receiver.lock:
                place = (event["accountId"], event["seq"])
                if receiver.taken.setdefault(identifier, place) != place:
                    receiver.unsigned += 1
                receiver.messages[event["data"].get("id")] = event["seq"]
                receiver.times.setdefault(event["data"].get("message", {}).get("subject") if "message" in event["data"] else None, now)
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def reset(handler):
    """Ends the connection with RST."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    return None, {}


def hang(handler):
    time.sleep(3)
    handler.close_connection = True
    return None, {}


throttled = {}


def throttle(handler, count, total):
    """Now and then it asks to be left alone for a second."""
    begun = throttled.setdefault(total * 4 // max(options.events, 4), time.monotonic())
    return (429, {"Retry-After": "1"}) if time.monotonic() - begun < 0.5 else (200, {})


revived = threading.Event()
target = Receiver("target", lambda *_: (200, {}))
LIVE = {
    "good": lambda *_: (200, {}),
    "created": lambda *_: (201, {}),
    "throttles": throttle,
    "flaky": lambda handler, count, _: (200 if count > 1 or hash(handler.headers["webhook-id"]) % 5 else 500, {}),
    "resets sometimes": lambda handler, count, _: (200, {}) if count > 1 or hash(handler.headers["webhook-id"]) % 10 else reset(handler),
}
DEAD = {
    "fails": lambda *_: (200 if revived.is_set() else 500, {}),
    "hangs": lambda handler, *_: hang(handler),
    "moved": lambda *_: (301, {"Location": target.url}),
    "gone": lambda *_: (410, {}),
    "resets": lambda handler, *_: reset(handler),
}
receivers = {name.replace(" ", "-"): Receiver(name.replace(" ", "-"), behave) for name, behave in {**LIVE, **DEAD}.items()}
live = [receivers[name.replace(" ", "-")] for name in LIVE]
dead = [receivers[name] for name in DEAD]

# MARK: Everything gets there

os.makedirs(options.data, exist_ok=True)
server = Server().start()
try:
    status, account = server.call("POST", "/v1/accounts", {
        "kind": "local", "address": "ann@hooks.example", "alias": "ann", "password": "correct horse battery"})
    check("account is made", status == 201, account)
    for receiver in receivers.values():
        receiver.register(server, types=["message.*"])
    sent = set()
    sending = threading.Lock()

    def append(number):
        subject = f"event {number}"
        message = f"From: bob@hooks.example\r\nTo: ann@hooks.example\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        while True:
            try:
                status, made = server.call("POST", "/v1/accounts/ann/messages?folder=inbox", message.encode(), "message/rfc822")
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)  # killed: whether it was taken, the log will say
                continue
            if status == 201:
                with sending:
                    sent.add(made["id"])
                return
            time.sleep(0.05)

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(append, number) for number in range(options.events)]
        for kill in range(options.kills):
            while len(sent) < options.events * (kill + 1) // (options.kills + 1):
                time.sleep(0.01)
            server.kill()
            server.start()
        concurrent.futures.wait(jobs)
        for job in jobs:
            job.result()
    print(f"{len(sent)} events made in {time.monotonic() - begun:.1f} s, with {options.kills} kills")
    wanted = lambda receiver: set(receiver.messages)
    log = set(sent)
    check("every message was acknowledged", len(log) == options.events, len(log))
    for receiver in live:
        eventually(f"{receiver.name}: gets every event", lambda: wanted(receiver) >= log,
                   seen=lambda: sorted(log - wanted(receiver))[:20])
    print(f"all live ones have all after {time.monotonic() - begun:.1f} s")
    told, after = set(), 0
    while page := server.call("GET", f"/v1/accounts/ann/events?after={after}&limit=1000&type=message.*")[1]:
        told |= {(event["accountId"], event["seq"]) for event in page["items"]}
        if page["next"] == after:
            break
        after = page["next"]
    for receiver in receivers.values():
        check(f"{receiver.name}: every request is signed, an id is always the same event", receiver.unsigned == 0)
        places = list(receiver.taken.values())
        check(f"{receiver.name}: an event has one id", len(set(places)) == len(places))
        if receiver in live:
            check(f"{receiver.name}: it has the numbers that the log has", set(places) == told)
        repeats = sum(receiver.tries.values()) - len(receiver.tries)
        print(f"     {receiver.name}: {len(receiver.tries)} ids, {sum(receiver.tries.values())} requests, {repeats} of them repeats")
    check("the target of the redirection got nothing", not target.tries)
    states = {item["name"]: item for item in server.call("GET", "/v1/webhooks?limit=50")[1]["items"]}
    check("gone: is disabled", states["gone"]["state"] == "disabled" and "410" in states["gone"]["reason"], states["gone"])
    for receiver in dead:
        check(f"{receiver.name}: is only probed", len(receiver.tries) < 100, len(receiver.tries))
    status, page = server.call("GET", f"/v1/webhooks/{receivers['fails'].id}/deliveries?state=pending")
    check("fails: what waits shows why", page["items"] and page["items"][0]["lastAttempt"]["status"] == 500, page)
    status, text = server.call("GET", "/metrics")
    check("metrics tell of it", b"postern_webhook_deliveries_total{result=\"delivered\"}" in text
          and b"postern_webhook_disabled_endpoints 1" in text)
    revived.set()
    eventually("fails: gets everything once it is back", lambda: wanted(receivers["fails"]) >= log,
               seen=lambda: len(log - wanted(receivers["fails"])))

    # MARK: How long it takes
    if options.mails:
        revived.clear()
        status, _ = server.call("DELETE", f"/v1/webhooks/{receivers['gone'].id}")
        for name in list(LIVE)[1:] + ["moved", "resets"]:
            server.call("PATCH", f"/v1/webhooks/{receivers[name.replace(' ', '-')].id}", {"state": "paused"})
        clock = Receiver("clock", lambda *_: (200, {}))
        clock.register(server, types=["message.received"], payload="summary")
        refused = Receiver("refused", lambda *_: (200, {}))
        refused.register(server)
        refused.shutdown()
        refused.server_close()
        host, port = server.ready["smtp"].rsplit(":", 1)
        begun, acknowledged = {}, {}
        with smtplib.SMTP(host, int(port), timeout=30) as client:
            for number in range(options.mails):
                subject = f"mail {number}"
                begun[subject] = time.monotonic()
                client.sendmail("bob@hooks.example", ["ann@hooks.example"],
                                f"From: bob@hooks.example\r\nSubject: {subject}\r\n\r\nHello.\r\n")
                acknowledged[subject] = time.monotonic()
                time.sleep(0.02)
        eventually("clock: every mail arrives", lambda: set(begun) <= set(clock.times))

        def figures(name, starts):
            values = sorted((clock.times[subject] - starts[subject]) * 1000 for subject in starts if subject in clock.times)
            p = lambda share: values[min(int(len(values) * share), len(values) - 1)]
            print(f"{name}: p50 {p(0.5):.1f} ms, p99 {p(0.99):.1f} ms, max {values[-1]:.1f} ms of {len(values)}")

        figures("from MAIL FROM to the webhook's arrival, three endpoints dead", begun)
        figures("from the 250 to the webhook's arrival", acknowledged)
    server.process.send_signal(signal.SIGTERM)
    check("stops in order", server.process.wait(60) == 0)
finally:
    if server.process.poll() is None:
        server.process.kill()
print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
