#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 while many POP3 sessions are in their QUIT: of each session all that was marked is gone, or none; where QUIT was
answered, it is gone; `postern verify` is content each time.

usage: pop3_kills.py POSTERN FOLDER [--kills 50] [--clients 20] [--messages 12]
"""
import argparse, os, poplib, random, ssl, threading, time
from server import Claims, Server, verify


def session(server, name, marked, answers, barrier):
    """Marks every second message of what is there, and says QUIT when all others do."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        box = poplib.POP3_SSL(*server.address("pop3s"), context=context, timeout=60)
        box.user(name), box.pass_("correct horse")
        ids = [line.split()[1].decode() for line in box.uidl()[1]]
        marked[name] = set(ids[::2])
        for number in range(1, len(ids) + 1, 2):
            box.dele(number)
        barrier.wait(60)
        answers[name] = box.quit().startswith(b"+OK")
    except (OSError, poplib.error_proto, threading.BrokenBarrierError):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--kills", type=int, default=50), parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--messages", type=int, default=12)
    options = parser.parse_args()
    claims, data = Claims(), os.path.abspath(options.folder) + "/data"
    start = lambda: Server(options.postern, data, ["log.level=warning", "pop3.sessions=2000"])
    server, tally = start(), {"answered": 0, "done": 0, "undone": 0}
    names = [f"p{number}@durable.example" for number in range(options.clients)]
    for name in names:
        body = {"kind": "local", "address": name, "alias": name.split("@")[0], "password": "correct horse"}
        status = server.client().call("POST", "/v1/accounts", body)[0]
        assert status == 201, status
    for kill in range(options.kills):
        with server.mailer() as smtp:
            for number in range(options.messages):
                smtp.sendmail("x@example.net", names, f"Subject: {kill}.{number}\r\n\r\nhello\r\n".encode())
        before = {name: ids(server, name) for name in names}
        marked, answers, barrier = {}, {}, threading.Barrier(options.clients + 1)
        threads = [threading.Thread(target=session, args=(server, name, marked, answers, barrier)) for name in names]
        [thread.start() for thread in threads]
        barrier.wait(60)
        time.sleep(random.uniform(0, 0.03))
        server.kill()
        [thread.join() for thread in threads]
        found = verify(options.postern, data)
        claims.check(f"kill {kill}: verify is content", not found, found[:500], quiet=True)
        server = start()
        for name in names:
            left = ids(server, name)
            done, undone = left == before[name] - marked[name], left == before[name]
            claims.check(f"kill {kill}: {name}: all or nothing", done or undone, (len(before[name]), len(left)), quiet=True)
            if answers.get(name):
                claims.check(f"kill {kill}: {name}: what was answered is deleted", done, quiet=True)
                tally["answered"] += 1
            tally["done" if done else "undone"] += 1
    claims.check("the server ends in order", server.stop() == 0)
    print(f"{options.kills} kills, {options.clients} sessions each: {tally}")
    claims.end()


def ids(server, name):
    alias = name.split("@")[0]
    return {item["id"] for item in server.client().items(f"/v1/accounts/{alias}/messages?folder=inbox&fields=id")}


if __name__ == "__main__":
    main()
