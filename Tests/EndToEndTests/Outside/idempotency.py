#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One Idempotency-Key, many twins: one message; another body is 422; a twin in flight is 409; all of it holds after a restart.

usage: idempotency.py POSTERN DATA
Starts the server itself (port 0 everywhere), so that it can kill it in between.
"""
import concurrent.futures, http.client, json, os, signal, subprocess, sys, time

postern, data = sys.argv[1:3]
failures = []


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "")
    if not holds:
        failures.append(claim)


def start():
    environment = dict(os.environ)
    for name in ("HTTP", "SMTP", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S"):
        environment[f"POSTERN_LISTENERS_{name}"] = "127.0.0.1:0"
    process = subprocess.Popen(
        [postern, "serve", "--data", data], stdout=subprocess.PIPE, stderr=open(os.path.join(data, "..", "idempotency.log"), "ab"),
        env=environment, stdin=subprocess.DEVNULL)
    ready = json.loads(process.stdout.readline())
    return process, ready, open(ready["adminTokenFile"]).read().strip()


def call(ready, token, method, path, body=None, headers={}):
    host, port = ready["http"].rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request(method, path, body, {"Authorization": "Bearer " + token, "Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def messages(ready, token, folder):
    status, _, content = call(ready, token, "GET", f"/v1/accounts/twin/messages?folder={folder}&limit=100")
    return json.loads(content)["items"] if status == 200 else status


os.makedirs(data, exist_ok=True)
server, ready, token = start()
try:
    status, _, content = call(ready, token, "POST", "/v1/accounts", json.dumps(
        {"kind": "local", "address": "twin@idem.example", "alias": "twin", "password": "correct horse battery"}))
    check("account is made", status == 201, content)
    body = json.dumps({"to": "twin@idem.example", "subject": "once", "text": "x" * 2000})
    key = {"Idempotency-Key": "order-4711"}
    send = lambda content=body, headers=key: call(ready, token, "POST", "/v1/accounts/twin/send", content, headers)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: send(), range(50)))
    states = sorted(a[0] for a in answers)
    check("each of 50 twins is accepted, replayed or told of its twin in flight", set(states) <= {202, 409}, states)
    check("at least one was accepted", 202 in states, states)
    check("all accepted answers are the same octets", len({a[2] for a in answers if a[0] == 202}) == 1)
    first = [a for a in answers if a[0] == 202 and a[1].get("Idempotent-Replayed") != "true"]
    check("exactly one was not a replay", len(first) == 1, len(first))
    print("     statuses:", {s: states.count(s) for s in set(states)})
    check("one message in the inbox", len(messages(ready, token, "inbox")) == 1)
    check("one copy in sent", len(messages(ready, token, "sent")) == 1)
    other = send(json.dumps({"to": "twin@idem.example", "subject": "twice", "text": "y"}))
    check("another body is 422", other[0] == 422, other)
    again = send()
    check("a repeat is replayed", again[0] == 202 and again[1].get("Idempotent-Replayed") == "true", again)
    original = again[2]

    # A twin in flight: the first body is held open while the second arrives.
    host, port = ready["http"].rsplit(":", 1)
    slow = http.client.HTTPConnection(host, int(port), timeout=60)
    slow.putrequest("POST", "/v1/accounts/twin/send")
    for name, value in {"Authorization": "Bearer " + token, "Content-Type": "application/json", "Content-Length": str(len(body)),
                        "Idempotency-Key": "slow-1"}.items():
        slow.putheader(name, value)
    slow.endheaders()
    slow.send(body[:1000].encode())
    time.sleep(0.3)
    twin = send(headers={"Idempotency-Key": "slow-1"})
    check("a twin of a request still coming in is 409 or is the one that counts", twin[0] in (409, 202), twin)
    slow.send(body[1000:].encode())
    late = slow.getresponse()
    late_body = late.read()
    check("the slow one ends as 202 or 409, one of both counts", late.status in (202, 409) and 202 in (late.status, twin[0]),
          (late.status, twin[0]))
    check("still one message for that key", len(messages(ready, token, "inbox")) == 2)

    for bad in ("", "x" * 256, "a b\tc"):
        status = send(headers={"Idempotency-Key": bad})[0]
        check(f"key {bad[:8]!r} of {len(bad)} octets is 400", status == 400, status)

    server.send_signal(signal.SIGKILL)
    server.wait()
    server, ready, token = start()
    after = send()
    check("after kill -9 the repeat is replayed", after[0] == 202 and after[1].get("Idempotent-Replayed") == "true", after)
    check("and is the same octets", after[2] == original)
    check("and no message more", len(messages(ready, token, "inbox")) == 2)
    check("another body is still 422", send(json.dumps({"to": "twin@idem.example", "subject": "3", "text": "z"}))[0] == 422)
finally:
    server.send_signal(signal.SIGTERM)
    check("SIGTERM ends it with 0", server.wait(60) == 0, server.returncode)
print("PASS" if not failures else f"FAIL: {failures}")
sys.exit(1 if failures else 0)
