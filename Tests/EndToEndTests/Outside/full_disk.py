#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up and is freed, three times, while mail comes in by SMTP, the API and an import: what is refused is refused
precisely, reading goes on, the server lives and takes mail again by itself, and what it acknowledged is there.

usage: full_disk.py POSTERN FOLDER [--rounds 3] [--clients 8] [--mebibytes 160]
The disk is a tmpfs; where that may not be mounted, the script runs again in a user namespace of its own.
"""
import argparse, json, os, re, subprocess, sys, time
from mailbox_model import Mailbox, run_all
from server import Claims, Server, verify

FREE_LIMIT = 8 << 20
PRECISE = {(452, "4.3.1"), (507, "disk_full")}
IMPORTED = 300


def mount(folder, mebibytes):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", folder], capture_output=True, text=True)
    if done.returncode == 0:
        return
    if "POSTERN_IN_NAMESPACE" in os.environ:
        sys.exit(f"SKIPPED: no tmpfs can be mounted here: {done.stderr.strip()}")
    os.environ["POSTERN_IN_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "-rm", sys.executable, *sys.argv])


class Ballast:
    """A file that takes up room."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder + "/ballast"

    def fill(self, leaving):
        """Until at most so many octets are free."""
        with open(self.path, "ab", buffering=0) as file:
            while True:
                status = os.statvfs(self.folder)
                missing = status.f_bavail * status.f_frsize - leaving
                try:
                    if missing <= 0 or not file.write(b"x" * min(missing, 1 << 20)):
                        return
                except OSError:
                    return

    def free(self):
        os.remove(self.path)


def is_precise(refusal):
    return any(refusal[0] == code and text in str(refusal[1]) for code, text in PRECISE)


def mbox(path):
    with open(path, "w") as file:
        for number in range(IMPORTED):
            file.write(f"From a@example.net Thu Apr  2 09:30:00 2026\nSubject: imported {number}\nFrom: a@example.net\n\n")
            file.write("some words of an old message\n" * 60 + "\n")


def failed_checks(client):
    status, _, content = client.call("GET", "/readyz")
    return status, [check["name"] for check in json.loads(content)["checks"] if check["status"] == "failed"]


def round_of(number, server, boxes, ballast, options, claims, mail):
    refusals, phase = [], {"over": False}
    sessions = [box.session(server, 0.05) for box in boxes]
    threads, errors = run_all(sessions, lambda: phase["over"], refusals)
    time.sleep(0.5)
    claims.check(f"round {number}: nothing is refused while there is room", not refusals, refusals[:2])
    # Short: no mail comes in, what is there can be changed.
    ballast.fill(FREE_LIMIT - (1 << 20))
    importing = subprocess.Popen([options.postern, "import", mail, "--account", "old", "--data", server.data],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    client = server.client()
    claims.check(f"round {number}: readyz names the space", failed_checks(client) == (503, ["space"]), failed_checks(client))
    claims.check(f"round {number}: mail is refused early", len(refusals) > 0)
    code, _, content = client.call("POST", "/v1/accounts/old/messages", b"Subject: x\r\n\r\nx\r\n")
    claims.check(f"round {number}: append is 507", code == 507 and b'"disk_full"' in content, (code, content))
    code, _, content = client.call("POST", "/v1/accounts/old/folders", {"name": f"made in round {number}"})
    claims.check(f"round {number}: a folder can still be made", code == 201, (code, content))
    with server.mailer() as smtp:
        smtp.ehlo()
        code, text = smtp.mail("zoe@example.net")
        claims.check(f"round {number}: MAIL is put off", code == 452 and text.startswith(b"4.3.1"), (code, text))
    # Full: nothing at all is written.
    ballast.fill(0)
    time.sleep(2)
    code, _, content = client.call("POST", "/v1/accounts/old/folders", {"name": f"made in full round {number}"})
    refused = code == 507 and b'"disk_full"' in content
    claims.check(f"round {number}: a change is done or refused", refused or code == 201, (code, content))
    latest = f"/v1/accounts/{boxes[0].alias}/messages/latest"
    for path in (f"/v1/accounts/{boxes[0].alias}/messages?limit=50", latest, latest + "/raw", latest + "/text",
                 f"/v1/accounts/{boxes[0].alias}/messages?q=quick", "/v1/accounts", "/healthz", "/metrics"):
        code, _, content = client.call("GET", path)
        claims.check(f"round {number}: {path} is answered", code == 200, (code, content[:300]))
    free = re.search(rb"^postern_store_free_bytes (\d+)", content, re.M)
    claims.check(f"round {number}: metrics say what is free", free and int(free[1]) < FREE_LIMIT, free)
    claims.check(f"round {number}: the server lives", server.is_running())
    phase["over"] = True
    [thread.join() for thread in threads]
    strange = [refusal for refusal in refusals if not is_precise(refusal)]
    claims.check(f"round {number}: refusals are precise", not strange, strange[:3])
    claims.check(f"round {number}: clients were answered as they must be", not errors, errors[:3])
    claims.check(f"round {number}: the import says why it ended", importing.wait(60) == 1 and "full" in importing.stderr.read())
    # Freed: it goes on.
    ballast.free()
    begun, end = time.monotonic(), time.monotonic() + 30
    while failed_checks(client) != (200, []) and time.monotonic() < end:
        time.sleep(0.05)
    claims.check(f"round {number}: it recovers by itself", failed_checks(client) == (200, []), failed_checks(client))
    recovered = time.monotonic() - begun
    refusals, end = [], time.monotonic() + 0.5
    more = [box.session(server, 0.05) for box in boxes]
    threads, errors = run_all(more, lambda: time.monotonic() > end, refusals)
    [thread.join() for thread in threads]
    claims.check(f"round {number}: then nothing is refused", not refusals and not errors, (refusals[:2], errors[:2]))
    return sum(session.acknowledged for session in sessions + more), recovered


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3), parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--mebibytes", type=int, default=160)
    options = parser.parse_args()
    disk, claims = os.path.abspath(options.folder) + "/disk", Claims()
    os.makedirs(disk, exist_ok=True)
    mount(disk, options.mebibytes)
    try:
        mail = os.path.abspath(options.folder) + "/old.mbox"
        mbox(mail)
        settings = [f"limits.freeOctets={FREE_LIMIT}", "log.level=notice"]
        start = lambda: Server(options.postern, disk + "/data", settings, log=os.path.abspath(options.folder) + "/server.log")
        server, ballast = start(), Ballast(disk)
        boxes = [Mailbox(f"d{client}") for client in range(options.clients)]
        for alias in ["sink", "old", *(box.alias for box in boxes)]:
            server.account(alias)
        acknowledged = 0
        for number in range(options.rounds):
            done, recovered = round_of(number, server, boxes, ballast, options, claims, mail)
            acknowledged += done
            print(f"round {number}: ready {recovered:.2f} s after room was made", flush=True)
        again = subprocess.run([options.postern, "import", mail, "--account", "old", "--data", server.data],
                               capture_output=True, text=True)
        claims.check("the import ends when it is run again", again.returncode == 0, again.stderr[-500:])
        server.kill()
        found = verify(options.postern, server.data)
        claims.check("verify is content", not found, found[:500])
        server = start()
        client = server.client()
        wrong = [line for box in boxes for line in box.compare(client)]
        claims.check("what was acknowledged is there, once, and nothing that was refused", not wrong, wrong[:5])
        old = [item["subject"] for item in client.items("/v1/accounts/old/messages?fields=subject")]
        claims.check("what was imported is there, once", len(old) == IMPORTED == len(set(old)), (len(old), len(set(old))))
        claims.check("the server ends in order", server.stop() == 0)
        print(f"{options.rounds} times full, {acknowledged} acknowledged")
    finally:
        subprocess.run(["umount", "-l", disk])
    claims.end()


if __name__ == "__main__":
    main()
