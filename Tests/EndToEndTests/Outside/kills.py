#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 under mixed load, again and again: nothing that was acknowledged is lost, nothing is there twice, nothing deleted comes
back, `postern verify` is content each time, and the server is ready again soon. Then SIGTERM under the same load: besides, the
server ends in order, and what it refuses while it stops it refuses precisely.

usage: kills.py POSTERN FOLDER [--kills 200] [--stops 10] [--clients 50] [--seconds 1.0] [--large 0.02]
"""
import argparse, os, random, subprocess, time
from mailbox_model import Mailbox, run_all
from server import Claims, Server, verify


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--kills", type=int, default=200), parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0), parser.add_argument("--large", type=float, default=0.02)
    parser.add_argument("--fresh", type=int, default=10, help="new accounts after so many kills, so that looking stays quick")
    options = parser.parse_args()
    claims, data = Claims(), os.path.abspath(options.folder) + "/data"
    start = lambda: Server(options.postern, data, ["smtp.sessions=2000", "log.level=warning"])
    server, boxes, all_boxes, acknowledged, slowest, ready = start(), [], [], 0, 0, []
    server.account("sink")
    for number in range(options.kills + options.stops):
        is_kill = number < options.kills
        name = f"kill {number}" if is_kill else f"stop {number - options.kills}"
        if number % options.fresh == 0:
            boxes = [Mailbox(f"k{number}-{client}") for client in range(options.clients)]
            all_boxes += boxes
            for box in boxes:
                server.account(box.alias)
        sessions = [box.session(server, options.large) for box in boxes]
        refusals = []
        threads, errors = run_all(sessions, lambda: False, refusals)
        time.sleep(random.uniform(0.3, 1.7) * options.seconds)
        if is_kill:
            server.kill()
        else:
            claims.check(f"{name}: the server ends in order", server.stop() == 0, quiet=True)
            refusals = [r for r in refusals if r[0] != 421 and not (r[0] == 503 and '"stopping"' in r[1])]
        [thread.join() for thread in threads]
        acknowledged += sum(session.acknowledged for session in sessions)
        claims.check(f"{name}: nothing is refused", not refusals, refusals[:3], quiet=True)
        claims.check(f"{name}: clients were answered as they must be", not errors, errors[:3], quiet=True)
        found = verify(options.postern, data) if number % 2 == 0 else ""
        server = start()
        ready.append(server.seconds_to_ready)
        if number % 2:
            found = verify(options.postern, data)
        claims.check(f"{name}: verify is content", not found, found[:500], quiet=True)
        client = server.client()
        wrong = [line for box in boxes for line in box.compare(client)]
        claims.check(f"{name}: what was acknowledged is there, once", not wrong, wrong[:5], quiet=True)
        if (number + 1) % 10 == 0:
            print(f"{number + 1} ends, {acknowledged} acknowledged, slowest start {max(ready):.2f} s", flush=True)
    client = server.client()
    wrong = [line for box in all_boxes for line in box.compare(client)]
    claims.check("in the end all of it is there, once", not wrong, wrong[:5])
    unfound = [name for box in all_boxes for name in box.unfound(client)]
    claims.check("in the end all of it is found by its words", not unfound, (len(unfound), unfound[:5]))
    sink = [item["subject"] for item in client.items("/v1/accounts/sink/messages?folder=inbox&fields=subject")]
    sent = {m.name for box in all_boxes for m in box.messages.values() if m.folder == "sent" and not m.gone}
    claims.check("each message sent arrived once", len(sink) == len(set(sink)) and sent <= set(sink),
                 (len(sink), len(set(sink)), list(sent - set(sink))[:3]))
    claims.check("the server ends in order", server.stop() == 0)
    print(f"{options.kills} kills and {options.stops} stops, {acknowledged} acknowledged; ready again in {sorted(ready)[len(ready) // 2]:.2f} s (median), "
          f"{max(ready):.2f} s (slowest)")
    claims.end()


if __name__ == "__main__":
    main()
