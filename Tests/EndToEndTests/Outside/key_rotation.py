#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rotates the key of a server's secrets again and again, killing the server in the middle: no secret is ever lost.

usage: key_rotation.py POSTERN DATA [--kills N] [--seed N]
Webhooks with secrets and header fields, and accounts at servers elsewhere, are there; after each kill the server starts again, and in the
end every secret is encrypted with the newest key, and what webhooks send is signed as their receivers expect.
"""
import argparse, base64, hashlib, hmac, http.server, os, random, sqlite3, subprocess, threading, time

from server import Claims, Server

arguments = argparse.ArgumentParser()
arguments.add_argument("postern"), arguments.add_argument("data")
arguments.add_argument("--kills", type=int, default=8), arguments.add_argument("--seed", type=int, default=1)
options = arguments.parse_args()
claims, dice = Claims(), random.Random(options.seed)
received = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.append((self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
SETTINGS = ("egress.allow=127.0.0.0/8", "egress.webPorts=any", "egress.mailPorts=any")


def start():
    return Server(options.postern, options.data, SETTINGS)


def key():
    return open(os.path.join(options.data, "secret.key")).read().strip()


def key_id(text):
    return hashlib.sha256(b"postern key id" + base64.b64decode(text)).digest()[:4]


def heads():
    """By which keys the store's secrets are encrypted."""
    store = sqlite3.connect(f"file:{options.data}/postern.sqlite?mode=ro", uri=True)
    rows = store.execute("""SELECT substr(sealed, 2, 4) FROM webhook_secrets
        UNION ALL SELECT substr(headers, 2, 4) FROM webhooks WHERE headers IS NOT NULL
        UNION ALL SELECT substr(secret, 2, 4) FROM remote_servers WHERE secret IS NOT NULL""").fetchall()
    store.close()
    return [row[0] for row in rows]


server = start()
client = server.client()
webhooks = {}
for number in range(20):
    url = f"http://127.0.0.1:{receiver.server_address[1]}/{number}"
    made = client.json("POST", "/v1/webhooks", {"url": url, "headers": {"X-Secret": f"s{number}"}})
    webhooks[made["id"]] = (number, made["secret"])
for number in range(300):
    # Nobody listens there: the passwords are only kept.
    login = {"host": "127.0.0.1", "port": 9, "username": "u", "password": f"pw{number}"}
    client.json("POST", "/v1/accounts", {"kind": "imap", "address": f"a{number}@elsewhere.example", "imap": login, "smtp": login})
claims.check("there are secrets of one key", heads() == [key_id(key())] * 640, len(heads()))

kept = 0
for turn in range(options.kills):
    before = key()
    verb = subprocess.Popen([options.postern, "rotate-key", "--data", options.data], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    time.sleep(dice.uniform(0.02, 0.5))
    server.kill()
    verb.wait(60)
    kept += os.path.exists(os.path.join(options.data, "secret.key.next"))
    server = start()
    claims.check("it starts after the kill, with secrets of the key that is there", set(heads()) == {key_id(key())},
                 (turn, len(set(heads()))))
    claims.check("the key is the old one or another, and no third is left",
                 not os.path.exists(os.path.join(options.data, "secret.key.next")), turn)
print(f"     {kept} of {options.kills} kills fell into a rotation")

old = key()
verb = subprocess.run([options.postern, "rotate-key", "--data", options.data], capture_output=True, text=True, timeout=120)
claims.check("the command rotates the key of a running server", verb.returncode == 0 and "640 secrets" in verb.stderr + verb.stdout,
             verb)
claims.check("the key is another", key() != old)
claims.check("everything is encrypted with it", heads() == [key_id(key())] * 640)
client = server.client()
received.clear()
for webhook in webhooks:
    client.call("POST", f"/v1/webhooks/{webhook}/test", {})
end = time.time() + 30
# What the accounts' servers, which nobody can reach, make happen is sent besides.
called = set()
while len(called) < len(webhooks) and time.time() < end:
    called = {path for path, _, body in list(received) if b'"webhook.test"' in body}
    time.sleep(0.05)
claims.check("every webhook is called", len(called) == len(webhooks), len(called))
secrets = {number: secret for number, secret in webhooks.values()}
for path, headers, body in list(received):
    number = int(path[1:])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    code = hmac.new(base64.b64decode(secrets[number].removeprefix("whsec_")), signed, hashlib.sha256).digest()
    claims.check("what it sends is signed with its secret",
                 "v1," + base64.b64encode(code).decode() in headers["webhook-signature"].split(), number, quiet=True)
    claims.check("its header field is there", headers.get("X-Secret") == f"s{number}", headers, quiet=True)
claims.check("it stops in order", server.stop() == 0)
verb = subprocess.run([options.postern, "rotate-key", "--data", options.data], capture_output=True, text=True, timeout=120)
claims.check("the command rotates the key of a store that no server has", verb.returncode == 0, verb)
claims.check("everything is encrypted with that one", heads() == [key_id(key())] * 640)
claims.end()
