#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random changes of one mailbox at once from two sides, through Postern and by imaplib at the server where it is, while
connections are cut, the server is started anew and Postern is killed: each change is one event, and in the end both sides have
the same folders, UIDs, flags and octets.

usage: remote_changes.py POSTERN FOLDER DOVECOT IMAPS [--operations N] [--batch N] [--cuts N] [--restarts N] [--kills N] [--seed N]
DOVECOT is the folder with Dovecot's dovecot.conf, cert.pem and state/master.pid, IMAPS its port; it has a user u3 with the
password pw, and no list index, which Dovecot 2.3.19 breaks when several change folders at once. Changes are made in batches, each of another message or folder, one half on each side; behind each batch the events
that came with it are held against what was done, and the mailbox that they make against both sides. What Postern answered 503,
or not at all, may have happened: then it is one event, or else none.
"""
import argparse, collections, contextlib, hashlib, http.client, imaplib, os, random, re, signal, sqlite3, ssl, subprocess, threading, time

from relay import Relay
from server import Claims, Server, message, verify

arguments = argparse.ArgumentParser()
arguments.add_argument("postern"), arguments.add_argument("folder"), arguments.add_argument("dovecot")
arguments.add_argument("imaps", type=int)
for name, default in (("operations", 300), ("batch", 100), ("cuts", 6), ("restarts", 1), ("kills", 1), ("seed", 1)):
    arguments.add_argument("--" + name, type=int, default=default)
options = arguments.parse_args()
claims = Claims()
dice = random.Random(options.seed)
BASE, ROLES = "/v1/accounts/u3", {"INBOX": "inbox", "Archive": "archive", "Trash": "trash", "Junk": "junk"}
FLAGS = {"seen": r"\Seen", "flagged": r"\Flagged", "answered": r"\Answered", "work": "work", "later": "later"}
SEPARATOR = "."


class Refused(Exception):
    """The server said NO."""


class Dovecot:
    """The server, which was started by somebody else and may be ended and started anew."""

    def __init__(self, folder):
        self.folder, self.process, self.starts = folder, None, 0

    @staticmethod
    def unmask():
        """What the process that runs this one blocks, Dovecot must not."""
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def restart(self):
        with open(f"{self.folder}/state/master.pid") as file:
            master = int(file.read())
        os.kill(master, signal.SIGTERM)
        while self.runs(master):
            time.sleep(0.02)
        if self.process:
            self.process.wait()
        time.sleep(dice.uniform(0, 1.5))
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", f"{self.folder}/dovecot.conf"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=self.unmask)
        self.starts += 1

    @staticmethod
    def runs(process):
        with contextlib.suppress(OSError):
            with open(f"/proc/{process}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        return False

    def end(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()


class Change:
    """What was done to a message (by its subject) or a folder, and what came of it: `done`, or `unsure`."""

    def __init__(self, side, kind, name, new=None):
        self.side, self.kind, self.name, self.new, self.outcome = side, kind, name, new, "done"


class There:
    """The mailbox as imaplib sees it."""

    def __init__(self):
        self.client = None

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(200):
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                self.client = imaplib.IMAP4_SSL("127.0.0.1", options.imaps, ssl_context=context)
                self.client.login("u3", "pw")
                return
            time.sleep(0.1)
        raise RuntimeError("Dovecot does not come back")

    def do(self, command, *words):
        status, answer = getattr(self.client, command)(*words)
        if status != "OK":
            raise Refused(f"{command} {words}: {status} {answer}")
        return answer

    def folders(self):
        lines = self.do("list")
        return sorted(line.decode().rsplit(f'"{SEPARATOR}" ', 1)[1].strip('"') for line in lines if rb"\NonExistent" not in line)

    def messages(self):
        """Flags and UID of each message, by subject and folder."""
        found, doubled = {}, []
        for folder in self.folders():
            self.do("select", folder, True)
            answer = self.do("uid", "FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            for part in answer:
                if not isinstance(part, tuple):
                    continue
                uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                words = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()
                flags = frozenset(word.lstrip("\\").lower() for word in words if word != r"\Recent")
                key = (re.search(rb"Subject: (\S+)", part[1]).group(1).decode(), folder)
                if key in found:
                    doubled.append(key)
                found[key] = (uid, flags)
        return found, doubled

    def digests(self):
        found = {}
        for folder in {folder for _, folder in self.messages()[0]}:
            self.do("select", folder, True)
            for part in self.do("uid", "FETCH", "1:*", "(UID BODY.PEEK[])"):
                if isinstance(part, tuple):
                    uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                    found[folder, uid] = hashlib.sha256(part[1]).hexdigest()
        return found


class Here:
    """The mailbox as the API shows it, of whichever server `run` has just now."""

    def __init__(self, run):
        self.run = run
        self.client = run.server.client(60)

    def call(self, *words, **named):
        """One answer; None where there was none, or 503."""
        try:
            status, _, content = self.client.call(*words, **named)
            return None if status == 503 else (status, content)
        except (OSError, http.client.HTTPException):
            self.client = self.run.server.client(60)
            return None

    def messages(self):
        paths = {f["id"]: f["path"].replace("/", SEPARATOR) for f in self.client.json("GET", BASE + "/folders")["items"]}
        items = list(self.client.items(BASE + "/messages?fields=id,subject,folderId,flags"))
        return {i["id"]: (i["subject"], paths[i["folderId"]], frozenset(f.lower() for f in i["flags"])) for i in items}, paths


class Mailbox:
    """What the events make of the mailbox, and whether each of them is a change."""

    def __init__(self, messages, folders, after):
        self.messages = {id: (next(f for f, p in folders.items() if p == path), flags) for id, (_, path, flags) in messages.items()}
        self.folders, self.after = dict(folders), after

    def take(self, event):
        """What is wrong with it, if anything."""
        data = event["data"]
        id, folder = data.get("id"), data.get("folderId")
        flags = frozenset(f.lower() for f in data.get("flags", []))
        old = self.messages.get(id)
        match event["type"]:
            case "message.received" | "message.added":
                wrong = old is not None
                self.messages[id] = (folder, flags)
            case "message.flags_changed":
                wrong = old is None or old[1] == flags or old[0] != folder
                self.messages[id] = (folder, flags)
            case "message.moved":
                wrong = old is None or old[0] != data["fromFolderId"] or old[0] == folder
                self.messages[id] = (folder, old[1] if old else flags)
            case "message.deleted":
                wrong = old is None or old[0] != folder
                self.messages.pop(id, None)
            case "folder.created":
                wrong = folder in self.folders
                self.folders[folder] = data["path"].replace("/", SEPARATOR)
            case "folder.renamed":
                wrong = self.folders.get(folder) != data["oldPath"].replace("/", SEPARATOR)
                self.folders[folder] = data["path"].replace("/", SEPARATOR)
            case "folder.deleted":
                inside = [id for id, (place, _) in self.messages.items() if place == folder]
                wrong = folder not in self.folders or len(inside) != data["messages"]
                self.folders.pop(folder, None)
                for id in inside:
                    del self.messages[id]
            case _:
                wrong = False
        return wrong


class Batch:
    """Changes of different messages and folders, so that which event is of which of them can be told."""

    def __init__(self, placed, folders):
        names = sorted({name for name, _ in placed})
        dice.shuffle(names)
        self.placed, self.free, self.lock = placed, names, threading.Lock()
        extra = [f for f in folders if f.startswith("F")]
        dice.shuffle(extra)
        # A folder that is changed itself has no message that is; folders with messages below others take no part.
        self.changing, self.room = extra[:4], 20 - len(extra)
        self.targets = list(ROLES) + extra[4:]
        busy = {name for name, folder in placed if folder in self.changing}
        self.free = [name for name in self.free if name not in busy]
        self.changes = []

    def places(self, name):
        return [folder for one, folder in self.placed if one == name]

    def take(self):
        """A message that nothing was done to, the folder it is in, and one that it is not in."""
        with self.lock:
            while self.free:
                name = self.free.pop()
                here = self.places(name)
                others = [folder for folder in self.targets if folder not in here]
                if others:
                    return name, dice.choice(here), dice.choice(others)
        return None

    def take_folder(self):
        """A folder that nothing was done to; none where one is to be made."""
        with self.lock:
            if self.room > 0 and dice.random() < 0.3:
                self.room -= 1
                return None
            return self.changing.pop() if self.changing else None

    def note(self, change):
        with self.lock:
            self.changes.append(change)
        return change


class Run:
    KINDS = ["append"] * 4 + ["flag"] * 6 + ["move"] * 4 + ["copy"] * 1 + ["delete"] * 3 + ["folder"] * 1
    WANTED = {"append": {"message.received": 1}, "flag": {"message.flags_changed": 1}, "move": {"message.moved": 1},
              "copy": {"message.received": 1}, "delete": {"message.deleted": 1}, "create": {"folder.created": 1},
              "rename": {"folder.renamed": 1}, "remove": {"folder.deleted": 1}}

    def __init__(self):
        self.data = os.path.abspath(options.folder) + "/data"
        self.dovecot, self.relay, self.there = Dovecot(options.dovecot), Relay(options.imaps), There()
        self.server = self.start()
        self.here = Here(self)
        self.counts, self.types = collections.Counter(), collections.Counter()
        self.number = self.kills = self.split = 0
        self.unhappy = []
        self.due = self.disturbances()

    def start(self):
        return Server(options.postern, self.data, ["egress.allow=127.0.0.0/8", "egress.mailPorts=any", "log.level=notice"])

    def disturbances(self):
        """At which of the changes at the server what happens."""
        half = options.operations // 2
        due = [(dice.randrange(half), kind) for kind, count in
               (("cut", options.cuts), ("restart", options.restarts), ("kill", options.kills)) for _ in range(count)]
        return sorted(due)

    def disturb(self):
        while self.due and self.due[0][0] <= self.counts["there"]:
            kind = self.due.pop(0)[1]
            if kind == "cut":
                self.relay.cut() if dice.random() < 0.3 else self.relay.cut_after(dice.randrange(1, 20_000))
            elif kind == "restart":
                self.dovecot.restart()
                self.there.connect()
            else:
                self.server.kill()
                self.server = self.start()
                self.kills += 1

    def fresh(self, prefix):
        with self.lock:
            self.number += 1
            return f"{prefix}{self.number}"

    def text(self, name):
        return message(name, "u3@x.example", dice.choice([400, 2000, 2000, 20_000, 90_000]))

    # MARK: Through Postern

    def change_here(self, batch):
        here, kind = self.here, dice.choice(self.KINDS)
        if kind == "append":
            name, folder = self.fresh("h"), dice.choice(batch.targets)
            change = batch.note(Change("here", kind, name))
            answer = here.call("POST", f"{BASE}/messages?folder={self.ids[folder]}", self.text(name))
        elif kind == "folder":
            change, answer = self.change_folder_here(batch)
        else:
            taken = batch.take()
            if not taken:
                return False
            name, folder, other = taken
            change, id = batch.note(Change("here", kind, name)), self.known[name, folder]
            path = f"{BASE}/messages/{id}"
            if kind == "flag":
                answer = here.call("PATCH", path, {"flags": self.other_flag(batch, name, folder)})
            elif kind == "move":
                answer = here.call("PATCH", path, {"folder": self.ids[other]})
            elif kind == "copy":
                answer = here.call("POST", path + "/copy", {"folder": self.ids[other]})
            else:
                answer = here.call("DELETE", path + "?permanent=true")
        if answer is None:
            change.outcome = "unsure"
            self.counts["not answered"] += 1
            self.wait_for_connection()
        elif answer[0] // 100 != 2:
            self.unhappy.append((change.kind, change.name, answer))
        self.counts["here"] += answer is not None
        return True

    def change_folder_here(self, batch):
        folder = batch.take_folder()
        if not folder:
            name = self.fresh("F")
            return batch.note(Change("here", "create", name)), self.here.call("POST", BASE + "/folders", {"name": name})
        path = f"{BASE}/folders/{self.ids[folder]}"
        if dice.random() < 0.6:
            change = batch.note(Change("here", "rename", folder, self.fresh("F")))
            return change, self.here.call("PATCH", path, {"name": change.new})
        return batch.note(Change("here", "remove", folder)), self.here.call("DELETE", path + "?permanent=true")

    def other_flag(self, batch, name, folder):
        """A change that is one."""
        flag = dice.choice(list(FLAGS))
        return {"remove" if flag in batch.placed[name, folder][1] else "add": [flag]}

    def wait_for_connection(self):
        for _ in range(600):
            answer = self.here.call("GET", BASE)
            if answer and b'"state":"connected"' in answer[1].replace(b": ", b":"):
                return
            time.sleep(0.05)

    # MARK: At the server

    def change_there(self, batch):
        do, kind = self.there.do, dice.choice(self.KINDS)
        if kind == "append":
            name, folder = self.fresh("t"), dice.choice(batch.targets)
            batch.note(Change("there", kind, name))
            do("append", folder, r"(\Seen)" if dice.random() < 0.3 else None, None, self.text(name))
            return True
        if kind == "folder":
            return self.change_folder_there(batch)
        taken = batch.take()
        if not taken:
            return False
        name, folder, other = taken
        batch.note(Change("there", kind, name))
        uid = str(batch.placed[name, folder][0])
        do("select", folder)
        if kind == "flag":
            (how, (flag,)), = self.other_flag(batch, name, folder).items()
            do("uid", "STORE", uid, "+FLAGS" if how == "add" else "-FLAGS", f"({FLAGS[flag]})")
        elif kind == "move":
            do("uid", "MOVE", uid, other)
        elif kind == "copy":
            do("uid", "COPY", uid, other)
        else:
            do("uid", "STORE", uid, "+FLAGS", r"(\Deleted)")
            do("uid", "EXPUNGE", uid)
        return True

    def change_folder_there(self, batch):
        folder = batch.take_folder()
        self.there.do("select", "INBOX")
        if not folder:
            name = self.fresh("F")
            batch.note(Change("there", "create", name))
            self.there.do("create", name)
        elif dice.random() < 0.6:
            change = batch.note(Change("there", "rename", folder, self.fresh("F")))
            self.there.do("rename", folder, change.new)
        else:
            batch.note(Change("there", "remove", folder))
            self.there.do("delete", folder)
        return True

    # MARK: What came of it

    def settle(self):
        """Waits until both sides have the same."""
        differences = "nothing was answered"
        for _ in range(120):
            answer = self.here.call("GET", BASE + "/folders", headers={"Cache-Control": "no-cache"})
            if answer and answer[0] == 200:
                # What was not answered may still be under way, so that a folder is gone that was listed.
                with contextlib.suppress(OSError, http.client.HTTPException, Refused):
                    differences = self.differences()
                    if not differences:
                        return
            time.sleep(0.25)
        claims.check("both sides come to have the same", False, str(differences)[:2000])

    def differences(self):
        self.placed, doubled = self.there.messages()
        messages, paths = self.here.messages()
        mine = sorted((name, path, sorted(flags)) for name, path, flags in messages.values())
        theirs = sorted((name, path, sorted(flags)) for (name, path), (_, flags) in self.placed.items())
        self.known = {(name, path): id for id, (name, path, _) in messages.items()}
        self.names = {id: name for id, (name, _, _) in messages.items()}
        self.ids = {path: id for id, path in paths.items()}
        if doubled:
            return f"there twice: {doubled}"
        if sorted(paths.values()) != self.there.folders():
            return f"folders {sorted(paths.values())} {self.there.folders()}"
        return [one for one in mine if one not in theirs] + ["there:"] + [one for one in theirs if one not in mine] if mine != theirs else ""

    def check(self, batch):
        """Each change of the batch has the event that it should have, and there are no others."""
        former = dict(self.former)
        former.update(self.names)
        paths = dict(self.mailbox.folders)
        found = collections.defaultdict(list)
        strange = []
        while True:
            page = self.here.client.json("GET", f"{BASE}/events?after={self.mailbox.after}&limit=1000")
            for event in page["items"]:
                self.types[event["type"]] += 1
                if self.mailbox.take(event):
                    strange.append(event)
                data = event["data"]
                if event["type"].startswith("message."):
                    # One that came and went within the batch has left no name.
                    found[former.get(data["id"], data["id"])].append(event)
                elif event["type"].startswith("folder.") and event["type"] != "folder.resynced":
                    found[paths.get(data["folderId"], data["path"].replace("/", SEPARATOR))].append(event)
            self.mailbox.after = page["next"]
            if not page["items"]:
                break
        claims.check("each event is a change of what was", not strange, strange[:3], quiet=True)
        messages, folders = self.here.messages()
        shown = {id: (path, flags) for id, (_, path, flags) in messages.items()}
        made = {id: (self.mailbox.folders.get(folder), flags) for id, (folder, flags) in self.mailbox.messages.items()}
        claims.check("the events make the mailbox that the API shows", (shown, folders) == (made, self.mailbox.folders),
                     [(id, shown.get(id), made.get(id)) for id in {*shown, *made} if shown.get(id) != made.get(id)][:5], quiet=True)
        for change in batch.changes:
            events = found.pop(change.name, []) + found.pop(change.new, [])
            wrong = self.misses(change, collections.Counter(event["type"] for event in events), batch)
            if wrong:
                claims.check(f"one event for {change.kind} {change.side} ({change.outcome})", False, (change.name, events))
        # The messages of a folder that is deleted at the server may go one by one.
        removed = {one for change in batch.changes if change.kind in ("remove", "rename") for one, folder in batch.placed if folder == change.name}
        rest = {name: [e["type"] for e in events] for name, events in found.items()
                if not (name in removed and {e["type"] for e in events} == {"message.deleted"})}
        claims.check("no event is of what nobody changed", not rest, list(rest.items())[:5], quiet=True)
        self.former = self.names

    def misses(self, change, types, batch):
        """Whether the events are not those of the change."""
        if types["message.added"]:
            types["message.received"] += types.pop("message.added")
        wanted = [self.WANTED[change.kind]]
        if change.kind == "delete" and (change.side == "there" or change.outcome == "unsure"):
            # Deleting is two changes by IMAP, of which the first may be seen, or be all that was done.
            wanted.append({"message.flags_changed": 1, "message.deleted": 1})
            wanted += [{"message.flags_changed": 1}] * (change.outcome == "unsure")
        if change.kind == "move" and change.side == "there":
            # So is moving, when somebody looks between.
            wanted.append({"message.received": 1, "message.deleted": 1})
            self.split += types == wanted[-1]
        if change.kind == "rename" and change.side == "there":
            # A folder that never had a message has nothing that it could be known by.
            wanted.append({"folder.deleted": 1, "folder.created": 1})
        if change.outcome == "unsure":
            wanted += [{}, {"message.received": 1}, {"message.received": 1, "message.deleted": 1}]
        return types not in [collections.Counter(one) for one in wanted]

    # MARK: All

    def go(self):
        self.lock = threading.Lock()
        self.there.connect()
        for folder in ROLES:
            for _ in range(30):
                self.there.do("append", folder, None, None, self.text(self.fresh("o")))
        self.there.do("create", "F0")
        server = {"host": "127.0.0.1", "port": self.relay.port, "tls": "implicit", "username": "u3", "password": "pw"}
        with open(f"{options.dovecot}/cert.pem") as file:
            server["certificateSHA256"] = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
        made = self.here.call("POST", "/v1/accounts", {"kind": "imap", "address": "u3@x.example", "alias": "u3", "imap": server})
        claims.check("an account at the server is made", made and made[0] == 201, made)
        self.settle()
        messages, folders = self.here.messages()
        self.mailbox = Mailbox(messages, folders, self.here.client.json("GET", f"{BASE}/events?after=newest")["next"])
        self.former = self.names
        while self.counts["here"] + self.counts["there"] < options.operations:
            self.run_batch()
            if len(claims.failed) > 10:
                break
        claims.check("nothing was refused", not self.unhappy, self.unhappy[:5])
        claims.check("all that was to happen did", not self.due and self.kills == options.kills and self.dovecot.starts == options.restarts, self.due)
        self.compare_octets()
        self.here.client.connection.close()
        claims.check("it ends in order", self.server.stop() == 0)
        self.compare_uids()
        claims.check("the store is sound", not (found := verify(options.postern, self.data)), found)

    def run_batch(self):
        batch = Batch(self.placed, self.there.folders())
        half = min(options.batch, options.operations - self.counts["here"] - self.counts["there"] + 1) // 2 or 1

        def here():
            for _ in range(half):
                if not self.change_here(batch):
                    break

        thread = threading.Thread(target=here)
        thread.start()
        for _ in range(half):
            self.disturb()
            self.counts["there"] += self.change_there(batch)
        thread.join()
        self.counts["batches"] += 1
        if self.counts["batches"] % 10 == 0:
            print(f"{self.counts['here'] + self.counts['there']} changes, {time.monotonic() - begun:.0f} s", flush=True)
        for change in batch.changes:
            self.counts[f"{change.side}: {change.kind}"] += 1
        self.settle()
        self.check(batch)

    def compare_octets(self):
        theirs = self.there.digests()
        wrong = []
        for (name, path), id in self.known.items():
            answer = self.here.call("GET", f"{BASE}/messages/{id}/raw")
            digest = hashlib.sha256(answer[1]).hexdigest() if answer else None
            if digest != theirs.get((path, self.placed[name, path][0])):
                wrong.append((name, path, answer and answer[0]))
        claims.check(f"all {len(self.known)} messages have the server's octets", not wrong, wrong[:5])

    def compare_uids(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/postern.sqlite?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT f.name, m.remote_uid, m.id FROM messages m JOIN folders f ON f.pk = m.folder").fetchall()
        mine = sorted((str(name).replace("/", SEPARATOR), uid) for name, uid, _ in rows)
        theirs = sorted((path, uid) for (_, path), (uid, _) in self.placed.items())
        claims.check("all messages have the server's UIDs", mine == theirs, (len(mine), len(theirs), sorted(set(mine) ^ set(theirs))[:6]))


begun = time.monotonic()
run = Run()
try:
    run.go()
finally:
    run.server.is_running() and run.server.kill()
    run.dovecot.end()
print(f"{dict(sorted(run.counts.items()))}\nevents {dict(sorted(run.types.items()))}\n"
      f"{run.relay.cuts} connections cut, {run.dovecot.starts} restarts, {run.kills} kills; "
      f"{run.split} moves there were seen as a copy and a deletion; {time.monotonic() - begun:.0f} s")
claims.end()
