#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every acknowledgement comes after a sync that covers it, seen from outside: the server runs under strace, clients note when
they were answered, and each answer's token must have been written to a file, and that file synced, before. A body with a file
of its own: also renamed after its sync, and its directories synced before the answer.

usage: sync_order.py POSTERN FOLDER [--acks 2000] [--clients 16] [--oracle PROGRAM]
  FOLDER   for the data directory and the trace
  --oracle another program that judges the same trace: PROGRAM TRACE ACKS, status 0 when nothing is amiss
"""
import argparse, os, re, secrets, stat, subprocess, threading, time
from server import Claims, Server, message

CALLS = "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,openat,unlink"
LARGE = 300_000


def token():
    return "TKN" + secrets.token_hex(8)


class Load:
    """Clients that send, append, submit and flag until there are enough answers."""

    def __init__(self, server, wanted):
        self.server, self.wanted = server, wanted
        self.acks, self.lock = [], threading.Lock()
        self.errors = []

    def note(self, kind, name):
        now = time.time()
        with self.lock:
            self.acks.append((name, now, kind))

    def is_enough(self):
        return len(self.acks) >= self.wanted or self.errors

    def client(self, number):
        try:
            alias, other = f"a{number}", f"b{number}"
            to, away = f"{alias}@durable.example", f"{other}@durable.example"
            api, smtp = self.server.client(), self.server.mailer()
            round_number = 0
            while not self.is_enough():
                round_number += 1
                name = token()
                smtp.sendmail("zoe@example.net", [to, away], message(name, to))
                self.note("smtp", name)
                name = token()
                size = LARGE if round_number % 20 == number % 20 else 2000
                made = api.json("POST", f"/v1/accounts/{alias}/messages?folder=inbox", message(name, to, size))
                self.note("append large" if size == LARGE else "append", name)
                name = token()
                api.json("POST", f"/v1/accounts/{alias}/send", {"to": away, "subject": name, "text": "hello " + name})
                self.note("send", name)
                name = token()
                api.json("PATCH", f"/v1/accounts/{alias}/messages/{made['id']}", {"flags": {"add": ["seen", name]}})
                self.note("flags", name)
                if round_number % 20 == (number + 10) % 20:
                    name = token()
                    smtp.sendmail("zoe@example.net", [to], message(name, to, LARGE))
                    self.note("smtp large", name)
        except Exception as error:
            self.errors.append(repr(error))


class Trace:
    """What the server did with files: for each token the writes that held it, for each file its syncs and renames."""

    LINE = re.compile(r"^(\d+)\s+(\d+\.\d+)\s+(.*)$")
    HEAD = re.compile(r"^(\w+)\((?:(\d+)<([^>]*)>|(?:AT_FDCWD\S*, )?\"([^\"]*)\")")
    RESULT = re.compile(r"=\s+(-?\d+)[^=]*$")
    TOKEN = re.compile(r"TKN[0-9a-f]{16}")

    def __init__(self, path):
        self.writes, self.syncs, self.renames, self.made = {}, {}, [], []
        unfinished = {}
        for raw in open(path, errors="replace"):
            match = self.LINE.match(raw)
            if not match:
                continue
            thread, at, rest = match[1], float(match[2]), match[3]
            if rest.endswith("<unfinished ...>"):
                unfinished[thread] = (at, rest.removesuffix("<unfinished ...>"))
                continue
            begun = ended = at
            if rest.startswith("<... "):
                if thread not in unfinished:
                    continue
                begun, head = unfinished.pop(thread)
                rest = head + rest
            else:
                took = re.search(r"<(\d+\.\d+)>$", rest)
                ended = at + float(took[1]) if took else at
            self.take(re.sub(r"\s*<\d+\.\d+>$", "", rest), begun, ended)

    def take(self, call, begun, ended):
        head, result = self.HEAD.match(call), self.RESULT.search(call)
        if not head or not result or int(result[1]) < 0:
            return
        name, path = head[1], head[3] or head[4] or ""
        if "write" in name:
            if path.startswith("/"):
                for found in set(self.TOKEN.findall(call)):
                    self.writes.setdefault(found, []).append((ended, path))
        elif name in ("fsync", "fdatasync"):
            self.syncs.setdefault(path, []).append((begun, ended))
        elif name.startswith("rename"):
            names = re.findall(r"\"([^\"]*)\"", call)
            if len(names) == 2:
                self.renames.append((ended, *map(os.path.abspath, names)))
        elif name.startswith("mkdir"):
            self.made.append((ended, os.path.abspath(re.findall(r"\"([^\"]*)\"", call)[0])))

    def synced_after(self, path, moment):
        """When a sync of the file that began after `moment` had ended; None if there was none."""
        return min((end for begin, end in self.syncs.get(path, ()) if begin >= moment - 1e-6), default=None)

    def durable_at(self, name, spool):
        """When the token's first lasting copy was safe."""
        best = None
        for ended, path in self.writes.get(name, ()):
            safe = self.synced_after(path, ended)
            if safe is not None and path.startswith(spool):
                safe = self.named_at(path, safe)
            if safe is not None and (best is None or safe < best):
                best = safe
        return best

    def named_at(self, path, synced):
        """For a spooled body: when its lasting name was safe, too."""
        for ended, old, new in self.renames:
            if old == path and ended >= synced - 1e-6:
                folder = os.path.dirname(new)
                within, above = self.synced_after(folder, ended), self.synced_after(os.path.dirname(folder), ended)
                return None if within is None or above is None else max(within, above)
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("postern"), parser.add_argument("folder")
    parser.add_argument("--acks", type=int, default=2000), parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--oracle")
    options = parser.parse_args()
    folder, claims = os.path.abspath(options.folder), Claims()
    data, trace = f"{folder}/new/deep/data", f"{folder}/trace"
    os.makedirs(folder, exist_ok=True)
    server = Server(options.postern, data, log=f"{folder}/server.log", wrapper=[
        "strace", "-D", "-f", "-ttt", "-T", "-yy", "-s", "262144", "-o", trace, "-e", "trace=" + CALLS, "-e", "signal=none"])
    for number in range(options.clients):
        server.account(f"a{number}"), server.account(f"b{number}")
    load = Load(server, options.acks)
    threads = [threading.Thread(target=load.client, args=(number,)) for number in range(options.clients)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    claims.check("the clients met no error", not load.errors, load.errors[:3])
    claims.check("the server ended in order", server.stop() == 0)
    time.sleep(1)
    judge(Trace(trace), load.acks, data, claims)
    others = [path for root, _, names in os.walk(data) for path in [root, *(os.path.join(root, n) for n in names)]
              if stat.S_IMODE(os.lstat(path).st_mode) & 0o077 and not stat.S_ISSOCK(os.lstat(path).st_mode)]
    claims.check("nobody else may read what is kept", not others, others[:5])
    if options.oracle:
        with open(f"{folder}/acks.tsv", "w") as file:
            file.writelines(f"{name}\t{at:.6f}\n" for name, at, _ in load.acks)
        done = subprocess.run([options.oracle, trace, f"{folder}/acks.tsv"], capture_output=True, text=True)
        print(done.stdout.strip().splitlines()[-1])
        claims.check("the other judge agrees", done.returncode == 0, done.stdout[-500:])
    claims.end()


def judge(trace, acks, data, claims):
    kinds, early, never, margins = {}, [], [], []
    for name, at, kind in acks:
        kinds[kind] = kinds.get(kind, 0) + 1
        safe = trace.durable_at(name, data + "/spool/")
        if safe is None:
            never.append((kind, name))
        elif at < safe:
            early.append((kind, name, round(safe - at, 6)))
        else:
            margins.append(at - safe)
    print(f"{len(acks)} acknowledgements:", ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    print("median from sync to answer:", round(1000 * sorted(margins)[len(margins) // 2], 3) if margins else None, "ms;",
          len(early), "early,", len(never), "never synced")
    claims.check("none came early", not early, early[:5])
    claims.check("each was synced", not never, never[:5])
    # A directory's name lasts when the one above it was synced after it was made.
    first = min((at for _, at, _ in acks), default=0)
    unsafe = [path for ended, path in trace.made if ended < first and path.startswith(os.path.dirname(os.path.dirname(data)))
              and (trace.synced_after(os.path.dirname(path), ended) or first + 1) > first]
    claims.check("each new directory's name was synced before the first answer", not unsafe, unsafe)


if __name__ == "__main__":
    main()
