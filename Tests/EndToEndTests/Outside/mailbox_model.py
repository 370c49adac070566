# SPDX-License-Identifier: Apache-2.0
"""Clients that change mailboxes through every door and know what must be there afterwards: what was acknowledged, and, where no
answer came, what was asked for."""
import http.client, json, random, secrets, smtplib, socket, threading, time

# What a server that is stopped, killed or out of room may do to a client; anything else is a finding.
CUT_OFF = (OSError, http.client.HTTPException, smtplib.SMTPServerDisconnected, socket.timeout)


def token():
    return "TKN" + secrets.token_hex(8)


class Refused(Exception):
    """The server said no, precisely: (status or reply code, problem code or text)."""


class Message:
    """One message by its token: its certain state, and the change that was asked for and not answered."""

    def __init__(self, name, folder):
        self.name, self.folder, self.flags, self.gone = name, folder, set(), False
        # Those that were sent have a text of their own.
        self.has_fox = folder == "inbox"
        self.id = None
        self.pending = None
        self.certain = False


class Mailbox:
    """An account that one client works on at a time."""

    def __init__(self, alias, domain="durable.example"):
        self.alias, self.address = alias, f"{alias}@{domain}"
        self.messages, self.folders = {}, {}

    # MARK: Changing

    def session(self, server, large=0):
        """Connections for one run; `large` is the share of messages whose body gets a file of its own."""
        return Session(self, server, large)

    # MARK: Looking

    def compare(self, client):
        """What is not as it must be."""
        wrong, seen = [], {}
        if not self.folders:
            self.folders = {f["id"]: f["role"] for f in client.json("GET", f"/v1/accounts/{self.alias}/folders")["items"]}
        for item in client.items(f"/v1/accounts/{self.alias}/messages?fields=id,subject,folderId,flags"):
            seen.setdefault(item["subject"], []).append(item)
        for name, message in self.messages.items():
            found = seen.pop(name, [])
            if len(found) > 1:
                wrong.append(f"{name} is there {len(found)} times")
            elif not found:
                if not self.may_be_missing(message):
                    wrong.append(f"{name} was acknowledged and is lost")
            else:
                wrong += self.differences(message, found[0])
            self.settle(message, found)
        wrong += [f"{name} came from nowhere" for name in seen]
        return wrong

    def unfound(self, client):
        """Messages whose words are not found, though they are there and the index says that it has them."""
        for _ in range(600):
            if not client.json("GET", f"/v1/accounts/{self.alias}/messages?fields=id&q=fox&limit=1").get("degraded"):
                break
            time.sleep(0.1)
        found = {item["subject"] for item in client.items(f"/v1/accounts/{self.alias}/messages?fields=subject&q=fox", limit=100)}
        wanted = {message.name for message in self.messages.values() if message.certain and not message.gone and message.has_fox}
        return sorted(wanted - found)

    @staticmethod
    def may_be_missing(message):
        return not message.certain or message.gone or message.pending == ("delete",)

    def differences(self, message, item):
        wrong, name = [], message.name
        folder, flags = self.folders.get(item["folderId"]), set(item["flags"])
        if message.gone:
            wrong.append(f"{name} was deleted and is back")
        allowed = {message.folder}
        if message.pending and message.pending[0] == "move":
            allowed.add(message.pending[1])
        if folder not in allowed:
            wrong.append(f"{name} is in {folder} instead of {allowed}")
        extra = {message.pending[1]} if message.pending and message.pending[0] == "flag" else set()
        if not message.flags <= flags or flags - message.flags - extra - {"seen"}:
            wrong.append(f"{name} has {sorted(flags)} instead of {sorted(message.flags)} {sorted(extra)}")
        return wrong

    def settle(self, message, found):
        """From now on what was found is what must be."""
        message.pending = None
        if found:
            item = found[0]
            message.id, message.folder, message.certain = item["id"], self.folders.get(item["folderId"]), True
            message.flags, message.gone = set(item["flags"]) - {"seen"}, False
        else:
            message.gone = message.certain = True


class Session:
    def __init__(self, mailbox, server, large):
        self.mailbox, self.large = mailbox, large
        self.api, self.smtp = server.client(), server.mailer()
        self.acknowledged, self.current = 0, None

    def body(self, name):
        from server import message
        return message(name, self.mailbox.address, 300_000 if random.random() < self.large else random.choice([600, 3000, 90_000]))

    def expect(self, answer, wanted):
        status, _, content = answer
        if status != wanted:
            raise Refused(status, content.decode("utf-8", "replace"))
        self.acknowledged += 1
        return content

    def path(self, message=None):
        return f"/v1/accounts/{self.mailbox.alias}/messages" + (f"/{message.id}" if message else "")

    def begin(self, folder):
        name = token()
        self.current = self.mailbox.messages[name] = Message(name, folder)
        return self.current, name

    def deliver(self):
        note, name = self.begin("inbox")
        try:
            self.smtp.sendmail("zoe@example.net", [self.mailbox.address], self.body(name))
        except smtplib.SMTPResponseException as error:
            self.smtp.rset() if error.smtp_code != 421 else None
            raise Refused(error.smtp_code, error.smtp_error.decode())
        except smtplib.SMTPRecipientsRefused as error:
            raise Refused(*next(iter(error.recipients.values())))
        self.acknowledged += 1
        note.certain = True

    def append(self):
        note, name = self.begin("inbox")
        note.id = json.loads(self.expect(self.api.call("POST", self.path() + "?folder=inbox", self.body(name)), 201))["id"]
        note.certain = True

    def send(self):
        """To itself: the copies in the inbox and in Sent have the subjects' tokens apart, so it sends to another mailbox."""
        note, name = self.begin("sent")
        body = {"to": "sink@durable.example", "subject": name, "text": "hello " + name}
        self.expect(self.api.call("POST", f"/v1/accounts/{self.mailbox.alias}/send", body), 202)
        note.certain = True

    def any(self):
        known = [m for m in self.mailbox.messages.values() if m.id and m.certain and not m.gone and not m.pending]
        self.current = random.choice(known) if known else None
        return self.current

    def flag(self):
        if message := self.any():
            message.pending = ("flag", token().lower())
            self.expect(self.api.call("PATCH", self.path(message), {"flags": {"add": [message.pending[1]]}}), 200)
            message.flags.add(message.pending[1])
            message.pending = None

    def move(self):
        if message := self.any():
            target = random.choice([f for f in ("inbox", "archive", "junk") if f != message.folder])
            message.pending = ("move", target)
            self.expect(self.api.call("PATCH", self.path(message), {"folder": target}), 200)
            message.folder, message.pending = target, None

    def delete(self):
        if message := self.any():
            message.pending = ("delete",)
            self.expect(self.api.call("DELETE", self.path(message) + "?permanent=true"), 204)
            message.gone, message.pending = True, None

    def forget_refused(self):
        """What was refused changed nothing: it must not be there, and not be different."""
        message = self.current
        message.pending = None
        if not message.certain:
            del self.mailbox.messages[message.name]

    CHANGES = ("deliver", "deliver", "append", "append", "send", "flag", "flag", "move", "delete")

    def work(self, until, refusals=None):
        """Changes things at random until `until` says so or the server is gone; what it refused goes to `refusals`."""
        while not until():
            try:
                getattr(self, random.choice(self.CHANGES))()
            except Refused as refusal:
                if refusals is None:
                    raise
                refusals.append(refusal.args)
                self.forget_refused()


def run_all(sessions, until, refusals=None):
    """Every session in a thread of its own; what went wrong in any of them, the server's going away left out."""
    errors = []

    def run(session):
        try:
            session.work(until, refusals)
        except CUT_OFF:
            pass
        except Exception as error:
            errors.append(repr(error)[:300])

    threads = [threading.Thread(target=run, args=(session,)) for session in sessions]
    [thread.start() for thread in threads]
    return threads, errors
