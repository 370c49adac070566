#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Errors of the disk, injected into the server's calls by strace while clients change mailboxes: the process lives, reading goes
on, what it refuses it refuses precisely, and what it acknowledged is there after a kill -9 and a start without strace.

usage: disk_faults.py POSTERN FOLDER [--runs 40] [--clients 6] [--seconds 1.5]
"""
import argparse, itertools, os, random, signal, subprocess, time
from mailbox_model import Mailbox, run_all
from server import Claims, Server, verify

ONCE, FOREVER = "", "+"
# Which calls fail, how, and whether every later one fails too. SQLite writes by pwrite64 and syncs by fdatasync; a large body
# is synced by fdatasync, renamed, and its directories synced by fsync.
FAULTS = [
    ("fdatasync", "EIO", ONCE), ("fdatasync", "EIO", FOREVER), ("pwrite64", "EIO", ONCE), ("pwrite64", "ENOSPC", ONCE),
    ("pwrite64", "ENOSPC", FOREVER), ("fdatasync", "ENOSPC", ONCE), ("fsync", "EIO", ONCE), ("rename", "EIO", ONCE),
    ("rename", "ENOSPC", ONCE), ("pwrite64", "EIO", FOREVER),
]
PRECISE = {(452, "4.3.1"), (451, "4.3.0"), (507, "disk_full"), (503, "store_unavailable")}


def is_precise(refusal):
    return any(refusal[0] == code and text in str(refusal[1]) for code, text in PRECISE)


def detach(server):
    """Ends strace, not the server: from then on nothing fails any more."""
    for number in [signal.SIGTERM] * 20 + [signal.SIGKILL] * 20:
        tracer = next(int(line.split()[1]) for line in open(f"/proc/{server.pid}/status") if line.startswith("TracerPid:"))
        if not tracer:
            return
        try:
            os.kill(tracer, number)
        except ProcessLookupError:
            pass
        time.sleep(0.1)


def status(server, path):
    return server.client(10).call("GET", path)


def one(options, number, fault, claims, tally):
    call, error, how = fault
    name = f"run {number}, {call} {error}{how}"
    data = f"{os.path.abspath(options.folder)}/data{number}"
    settings = ["log.level=notice", "limits.freeOctets=0"]
    server = Server(options.postern, data, settings)
    boxes = [Mailbox(f"f{client}") for client in range(options.clients)]
    for alias in ["sink", *(box.alias for box in boxes)]:
        server.account(alias)
    server.stop()
    # Calls are counted for each thread; a start has a few fsyncs of its own, and is refused when they fail.
    when = {"rename": random.randint(1, 4), "fsync": random.randint(5, 6)}.get(call) or random.randint(15, 60)
    server = Server(options.postern, data, settings, wrapper=[
        "strace", "-D", "-I2", "-f", "-qq", "-e", f"trace={call}", "-e", "signal=none", "-o", data + ".strace",
        "-e", f"inject={call}:error={error}:when={when}{how}"])
    end = time.monotonic() + options.seconds
    refusals = []
    sessions = [box.session(server, 0.2) for box in boxes]
    threads, errors = run_all(sessions, lambda: time.monotonic() > end, refusals)
    [thread.join() for thread in threads]
    claims.check(f"{name}: the process lives", server.is_running(), quiet=True)
    claims.check(f"{name}: clients were answered as they must be", not errors, errors[:3], quiet=True)
    strange = [refusal for refusal in refusals if not is_precise(refusal)]
    claims.check(f"{name}: refusals are precise", not strange, strange[:3], quiet=True)
    injected = open(data + ".strace", errors="replace").read().count("(INJECTED)")
    code, _, content = status(server, "/v1/accounts/f0/messages?limit=5")
    claims.check(f"{name}: reading goes on", code == 200, (code, content[:300]), quiet=True)
    code, _, content = status(server, "/readyz")
    tally["injected"] += injected > 0
    tally["refused"] += len(refusals)
    tally["unready"] += code == 503
    if how == FOREVER and injected and call == "fdatasync":
        claims.check(f"{name}: readyz names the store", code == 503 and b'"store","status":"failed"' in content, content, quiet=True)
    detach(server)
    end = time.monotonic() + 30
    while status(server, "/readyz")[0] != 200 and time.monotonic() < end:
        time.sleep(0.2)
    claims.check(f"{name}: it recovers by itself", status(server, "/readyz")[0] == 200, status(server, "/readyz")[2], quiet=True)
    refusals = []
    more = [box.session(server, 0.1) for box in boxes]
    end = time.monotonic() + 0.3
    threads, errors = run_all(more, lambda: time.monotonic() > end, refusals)
    [thread.join() for thread in threads]
    claims.check(f"{name}: then nothing is refused", not refusals and not errors, (refusals[:2], errors[:2]), quiet=True)
    server.kill()
    tally["acknowledged"] += sum(session.acknowledged for session in sessions + more)
    found = verify(options.postern, data)
    claims.check(f"{name}: verify is content", not found, found[:500], quiet=True)
    server = Server(options.postern, data, settings)
    client = server.client()
    wrong = [line for box in boxes for line in box.compare(client)]
    claims.check(f"{name}: what was acknowledged is there, once", not wrong, wrong[:5], quiet=True)
    claims.check(f"{name}: it ends in order", server.stop() == 0, quiet=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=40), parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    claims, tally = Claims(), dict.fromkeys(["injected", "refused", "unready", "acknowledged"], 0)
    for number, fault in zip(range(options.runs), itertools.cycle(FAULTS)):
        one(options, number, fault, claims, tally)
    print(f"{options.runs} runs, in {tally['injected']} a call failed; {tally['acknowledged']} acknowledged, {tally['refused']} refused; "
          f"unready at the end of the load in {tally['unready']}")
    claims.check("calls did fail", tally["injected"] >= options.runs * 0.7, tally)
    claims.end()


if __name__ == "__main__":
    main()
