#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The receivers of Examples/webhooks take what Postern sends, and nothing else.

usage: webhook_receivers.py READY EXAMPLES WORK
"""
import http.client, json, os, socket, subprocess, sys, time
from datetime import datetime, timedelta, timezone

from standardwebhooks.webhooks import Webhook

ready, examples, work = json.load(open(sys.argv[1])), sys.argv[2], sys.argv[3]
token = open(ready["adminTokenFile"]).read().strip()
failures = []


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
    if not holds:
        failures.append(claim)


def call(address, method, path, body, headers):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def api(method, path, body=None):
    status, content = call(ready["http"], method, path, json.dumps(body) if body else None,
                           {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
    return status, json.loads(content) if content[:1] == b"{" else content


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


subprocess.run(["swiftc", f"{examples}/receiver.swift", "-o", f"{work}/receiver"], check=True)
status, account = api("POST", "/v1/accounts", {"kind": "local", "address": "ann@hooks.example", "alias": "ann"})
check("account is made", status == 201, account)
for name, command in {
    "Python": ["/usr/bin/python3", f"{examples}/receiver.py"],
    "JavaScript": ["node", f"{examples}/receiver.mjs"],
    "Swift": [f"{work}/receiver"],
}.items():
    port = free_port()
    status, made = api("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{port}/", "types": ["folder.created"]})
    check(f"{name}: webhook is made", status == 201, made)
    output = open(f"{work}/{name}.out", "w+")
    process = subprocess.Popen(command + [str(port)], stdout=output, env={**os.environ, "WEBHOOK_SECRET": made["secret"]})
    try:
        check(f"{name}: listens", listens(port))
        for number in range(3):
            api("POST", "/v1/accounts/ann/folders", {"name": f"{name} {number}"})
        lines = lambda: open(f"{work}/{name}.out").read().splitlines()
        for _ in range(600):
            if len(lines()) >= 3:
                break
            time.sleep(0.1)
        check(f"{name}: takes what Postern sends", sum(line.startswith("folder.created evt_") for line in lines()) == 3, lines())
        sign = Webhook(made["secret"]).sign

        def post(identifier, body, sent=None, signature=None):
            sent = sent or datetime.now(timezone.utc)
            signature = signature or sign(identifier, sent, body)
            return call(f"127.0.0.1:{port}", "POST", "/", body.encode(), {
                "webhook-id": identifier, "webhook-timestamp": str(int(sent.timestamp())), "webhook-signature": signature})[0]

        large = json.dumps({"type": "a.b", "data": {"text": "é" * 5000}})
        check(f"{name}: takes what is signed", post("evt_x", large) == 204)
        check(f"{name}: takes one of several signatures",
              post("evt_y", large, signature="v1,AAAA v1a,BBBB " + sign("evt_y", datetime.now(timezone.utc), large)) == 204)
        check(f"{name}: takes the same again, and says nothing", post("evt_x", large) == 204)
        good = sign("evt_z", datetime.now(timezone.utc), large)
        check(f"{name}: refuses a forged one", post("evt_z", large, signature=good[:-3] + ("AA=" if good[-3:] != "AA=" else "BB=")) == 401)
        check(f"{name}: refuses another body", post("evt_z", large + " ", signature=good) == 401)
        check(f"{name}: refuses another id", post("evt_w", large, signature=good) == 401)
        check(f"{name}: refuses an old one", post("evt_v", large, datetime.now(timezone.utc) - timedelta(minutes=10)) == 401)
        check(f"{name}: refuses one without a signature", post("evt_u", large, signature="v1") == 401)
        check(f"{name}: has said each once", len(lines()) == 5, lines())
    finally:
        process.kill()
        process.wait()
        api("DELETE", f"/v1/webhooks/{made['id']}")
print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
