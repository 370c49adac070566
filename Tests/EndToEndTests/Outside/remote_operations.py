#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every operation of the API that touches an account, with the same checks at each backend: the table of what passes and of what
a backend cannot do, as Markdown.

usage: remote_operations.py POSTERN FOLDER OPENAPI BACKENDS
BACKENDS is a JSON file: for each column but that of local accounts its name, and a server on loopback: kind (imap or pop3), port,
tls, username, password, certificate (a file, where there is TLS) and, for pop3, lmtp, the port where mail is taken for
username@mail.example.test. Each has the folders Drafts, Sent, Trash, Junk and Archive, and no mail.
"""
import argparse, base64, collections, hashlib, imaplib, json, os, smtplib, socket, ssl, threading, time, urllib.parse

import yaml

from server import Claims, Server

arguments = argparse.ArgumentParser()
for name in ("postern", "folder", "openapi", "backends"):
    arguments.add_argument(name)
options = arguments.parse_args()
claims = Claims()
DATA = os.path.abspath(options.folder) + "/data"
SETTINGS = ["egress.allow=127.0.0.0/8", "egress.mailPorts=any", "delivery.retrySeconds=600", "log.level=notice"]
with open(options.backends) as file:
    SERVERS = json.load(file)
BACKENDS = {"local": {"kind": "local"}, **{name: SERVERS[name] for name in sorted(SERVERS, key=lambda name: "POP3" in name)}}
for settings in SERVERS.values():
    settings.update({name: int(settings[name]) for name in ("port", "lmtp") if name in settings})

# What a backend cannot do, by operation: the problem's code. What is not here must pass.
LIMITATIONS = {}


class Problem(Exception):
    """The API's answer was a problem, of this code."""


class Sink:
    """A server that takes mail from whoever logs in, but for recipients who are asked to come later."""

    def __init__(self):
        self.listener, self.taken = socket.create_server(("127.0.0.1", 0)), []
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rwb") as stream:
            def say(text):
                stream.write(text.encode() + b"\r\n")
                stream.flush()

            say("220 sink.example ESMTP")
            for line in stream:
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say("250-sink.example\r\n250-8BITMIME\r\n250 AUTH PLAIN")
                elif verb == b"AUTH":
                    say("235 2.7.0 welcome")
                elif verb == b"RCPT" and b"<later@" in line:
                    say("451 4.7.1 come later")
                elif verb == b"DATA":
                    say("354 go on")
                    self.taken.append(b"".join(iter(stream.readline, b".\r\n")))
                    say("250 2.0.0 taken")
                elif verb == b"QUIT":
                    return say("221 2.0.0 bye")
                else:
                    say("250 2.0.0 ok")


def head(subject, **more):
    fields = {"From": "Ann <ann@far.example>", "To": "user@x.example", "Subject": subject,
              "Message-ID": f"<{subject.replace(' ', '.')}@far.example>", "Date": "Mon, 2 Nov 2026 10:00:00 +0000",
              "MIME-Version": "1.0", **more}
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())


PLAIN = (head("first", Content_Type="text/plain") + "\r\nThe marmalade is in the cupboard.\r\n").encode()
ANSWER = (head("Re: first", In_Reply_To="<first@far.example>", References="<first@far.example>", Content_Type="text/plain")
          + "\r\nI have found it.\r\n").encode()
PAPER = bytes(range(256)) * 40
RICH = (head("with paper", Content_Type='multipart/mixed; boundary="b"')
        + '\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>See <b>the paper</b>.</p>\r\n'
        '--b\r\nContent-Type: application/pdf; name="paper.pdf"\r\nContent-Disposition: attachment; filename="paper.pdf"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(PAPER).decode().replace("\n", "\r\n") + "--b--\r\n").encode()
DRAFT = (head("a draft", Content_Type="text/plain") + "\r\nNot done yet.\r\n").encode()


class Backend:
    """An account at one of the backends, and the operations, each with its checks."""

    def __init__(self, name, settings, server, sink):
        self.column, self.settings, self.server, self.sink = name, settings, server, sink
        self.kind, self.name = settings["kind"], name.lower().replace(" ", "-")
        self.client, self.cells = server.client(), {}
        self.base = f"/v1/accounts/{self.name}"

    # MARK: Means

    def call(self, method, path, body=None, status=200, fresh=False, kind=None):
        """What is answered, JSON or octets; other than with that status it is a problem."""
        headers = {"Cache-Control": "no-cache"} if fresh else {}
        found, fields, content = self.client.call(method, path if path.startswith("/") else f"{self.base}/{path}", body, headers, kind)
        kind = (fields["Content-Type"] or "").split(";")[0]
        answer = json.loads(content) if kind.endswith("json") and content else content
        if kind == "application/problem+json":
            raise Problem(answer["code"], answer.get("detail"))
        assert found == status, (method, path, found, content[:300])
        return answer

    def until(self, body, seconds=30):
        end = time.monotonic() + seconds
        while not (found := body()) and time.monotonic() < end:
            time.sleep(0.05)
        assert found, "it does not come about"
        return found

    def refresh(self):
        """Has what is here compared with the server."""
        self.call("GET", "folders", fresh=True)

    def all(self, folder, fresh=True):
        """Messages of a folder by subject, as the server has them."""
        if fresh:
            self.refresh()
        return {item["subject"]: item for item in self.call("GET", f"messages?folder={folder}&limit=100")["items"]}

    def put(self, subject, folder="inbox"):
        """A message to do something to."""
        octets = (head(subject, Content_Type="text/plain") + f"\r\nThis is {subject}.\r\n").encode()
        return self.call("POST", f"messages?folder={folder}", octets, 201)

    def body(self):
        body = {"kind": self.kind, "address": f"{self.name}@x.example", "alias": self.name}
        if self.kind == "local":
            return body
        settings = self.settings
        server = {"host": "127.0.0.1", **{name: settings[name] for name in ("port", "tls", "username", "password")}}
        if "certificate" in settings:
            with open(settings["certificate"]) as file:
                server["certificateSHA256"] = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
        smtp = {"host": "127.0.0.1", "port": self.sink.port, "tls": "none", "username": "user", "password": "pw"}
        return {**body, self.kind: server, "smtp": smtp}

    def seed(self):
        """Mail that comes from elsewhere."""
        mail = (PLAIN, RICH, ANSWER)
        if self.kind == "local":
            with self.server.mailer() as mailer:
                for octets in mail:
                    mailer.sendmail("ann@far.example", [f"{self.name}@x.example"], octets)
        elif self.kind == "pop3":
            with smtplib.LMTP("127.0.0.1", self.settings["lmtp"]) as mailer:
                for octets in mail:
                    mailer.sendmail("ann@far.example", [f"{self.settings['username']}@mail.example.test"], octets)
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            isSecure = self.settings["tls"] == "implicit"
            client = imaplib.IMAP4_SSL("127.0.0.1", self.settings["port"], ssl_context=context) if isSecure \
                else imaplib.IMAP4("127.0.0.1", self.settings["port"])
            client.login(self.settings["username"], self.settings["password"])
            for octets in mail:
                assert client.append("INBOX", None, None, octets)[0] == "OK"
            client.logout()

    # MARK: Accounts

    def createAccount(self):
        body = self.body()
        if self.kind != "local":
            tried = self.call("POST", "/v1/accounts?dryRun=true", body)
            assert tried["ok"], tried
        made = self.call("POST", "/v1/accounts", body, 201)
        assert made["kind"] == self.kind and "password" not in json.dumps(made), made
        if self.kind != "local":
            self.until(lambda: self.call("GET", self.base)["connection"]["state"] == "connected")

    def listAccounts(self):
        assert self.name in [one["alias"] for one in self.server.client().items("/v1/accounts")]

    def getAccount(self):
        assert self.call("GET", self.base)["address"] == f"{self.name}@x.example"

    def updateAccount(self):
        assert self.call("PATCH", self.base, {"displayName": "Some User"})["displayName"] == "Some User"

    def deleteAccount(self):
        self.call("DELETE", self.base, status=204)
        try:
            self.call("GET", self.base)
            assert False, "it is still there"
        except Problem as problem:
            assert problem.args[0] == "not_found", problem

    # MARK: Folders

    def listFolders(self):
        roles = {folder["role"] for folder in self.call("GET", "folders", fresh=True)["items"]}
        assert roles >= {"inbox", "sent", "drafts", "trash", "junk", "archive"}, roles

    def getFolder(self):
        self.until(lambda: self.call("GET", "folders/inbox", fresh=True)["messages"] == 3)

    def createFolder(self):
        made = self.call("POST", "folders", {"name": "Küche"}, 201)
        inner = self.call("POST", "folders", {"name": "Regal & Schrank", "parent": made["id"]}, 201)
        self.refresh()
        assert self.call("GET", f"folders/{inner['id']}")["path"] == made["path"] + "/Regal & Schrank"
        self.folders = made, inner

    def updateFolder(self):
        outer, inner = self.folders
        self.call("PATCH", f"folders/{outer['id']}", {"name": "Cuisine"})
        self.refresh()
        assert self.call("GET", f"folders/{inner['id']}")["path"].endswith("Cuisine/Regal & Schrank")

    def deleteFolder(self):
        for folder in reversed(self.folders):
            self.call("DELETE", f"folders/{folder['id']}", status=204)
        self.refresh()
        assert not {one["id"] for one in self.folders} & {one["id"] for one in self.call("GET", "folders")["items"]}

    # MARK: Messages

    def listMessages(self):
        found = self.all("inbox")
        assert set(found) == {"first", "with paper", "Re: first"}, found
        assert found["with paper"]["hasAttachments"] and not found["first"]["hasAttachments"], found
        listed = self.until(lambda: self.call("GET", "messages?q=marmalade")["items"])
        assert [one["subject"] for one in listed] == ["first"], listed
        assert len(self.call("GET", "messages?folder=inbox&unread=true")["items"]) == 3

    def appendMessage(self):
        made = self.call("POST", "messages?folder=drafts&flags=draft,seen", DRAFT, 201)
        found = self.all("drafts")["a draft"]
        assert found["id"] == made["id"] and {"draft", "seen"} <= set(found["flags"]), found
        assert self.call("GET", f"messages/{made['id']}/raw") == DRAFT

    def message(self, subject, member=""):
        return self.call("GET", f"messages/{self.all('inbox', False)[subject]['id']}{member}")

    def getMessage(self):
        shown = self.message("first")
        assert "marmalade" in shown["text"] and shown["from"][0]["address"] == "ann@far.example", shown
        shown = self.message("with paper")
        assert [one["filename"] for one in shown["attachments"]] == ["paper.pdf"], shown

    def getRawMessage(self):
        # Who delivers a message puts trace fields in front of it.
        assert all(self.message(subject, "/raw").endswith(octets) for subject, octets in
                   (("first", PLAIN), ("with paper", RICH), ("Re: first", ANSWER)))

    def getMessageText(self):
        assert b"marmalade" in self.message("first", "/text") and b"the paper" in self.message("with paper", "/text")

    def getMessageHTML(self):
        assert b"<b>the paper</b>" in self.message("with paper", "/html")

    def getAttachment(self):
        part = self.message("with paper")["attachments"][0]["part"]
        assert self.message("with paper", f"/attachments/{part}") == PAPER

    def updateMessage(self):
        one = self.put("to be moved")
        self.call("PATCH", f"messages/{one['id']}", {"flags": {"add": ["flagged", "work"], "remove": ["seen"]}})
        found = self.all("inbox")["to be moved"]
        assert {"flagged", "work"} <= set(found["flags"]) and "seen" not in found["flags"], found
        self.call("PATCH", f"messages/{one['id']}", {"folder": "archive"})
        found = self.all("archive")["to be moved"]
        assert found["id"] == one["id"] and "flagged" in found["flags"], found

    def copyMessage(self):
        one = self.put("to be copied")
        made = self.call("POST", f"messages/{one['id']}/copy", {"folder": "archive"}, 201)
        found = self.all("archive")["to be copied"]
        assert found["id"] == made["id"] != one["id"] and "to be copied" in self.all("inbox"), found

    def deleteMessage(self):
        one = self.put("to be deleted")
        self.call("DELETE", f"messages/{one['id']}", status=204)
        assert self.all("trash")["to be deleted"]["id"] == one["id"]
        self.call("DELETE", f"messages/{one['id']}", status=204)
        assert "to be deleted" not in {**self.all("trash"), **self.all("inbox")}

    def updateMessages(self):
        for number in range(3):
            self.put(f"of many {number}", "junk")
        done = self.call("PATCH", "messages?folder=junk&subject=many", {"flags": {"add": ["seen", "flagged"]}, "folder": "archive"})
        found = [one for subject, one in self.all("archive").items() if subject.startswith("of many")]
        assert done["changed"] == 3 and len(found) == 3 and all("flagged" in one["flags"] for one in found), (done, found)

    def deleteMessages(self):
        for number in range(3):
            self.put(f"of no use {number}", "junk")
        done = self.call("DELETE", "messages?folder=junk&subject=use&permanent=true")
        assert done["changed"] == 3 and not self.all("junk"), done

    # MARK: Threads, events

    def listThreads(self):
        found = {one["subject"]: one for one in self.call("GET", "threads?folder=inbox&limit=100")["items"]}
        self.thread = next(one for subject, one in found.items() if subject in ("first", "Re: first"))
        assert self.thread["messages"] == 2, found

    def getThread(self):
        found = self.call("GET", f"threads/{self.thread['id']}")["messages"]
        assert sorted(one["subject"] for one in found) == ["Re: first", "first"], found

    def listEvents(self):
        found = self.call("GET", "events?limit=1000")["items"]
        assert [one["seq"] for one in found] == list(range(1, len(found) + 1)), found
        types = collections.Counter(one["type"] for one in found)
        assert {"message.received", "message.added", "message.flags_changed", "message.moved", "message.deleted"} <= set(types), types

    def listAllEvents(self):
        id, found, cursor = self.call("GET", self.base)["id"], 0, ""
        while (page := self.call("GET", f"/v1/events?limit=1000{cursor}"))["items"]:
            found += sum(one["accountId"] == id for one in page["items"])
            cursor = "&after=" + urllib.parse.quote(page["next"])
        assert found == len(self.call("GET", "events?limit=1000")["items"]), found

    # MARK: Sending

    def sendMessage(self):
        subject = f"sent by {self.name}"
        body = {"to": "friend@sink.example", "subject": subject, "text": "Hello there."}
        self.sent = self.call("POST", "send", body, 202)
        self.until(lambda: any(subject.encode() in octets for octets in self.sink.taken))
        self.until(lambda: subject in self.all("sent"))
        assert self.all("sent")[subject]["id"] == self.sent["message"]

    def getSubmission(self):
        self.until(lambda: self.call("GET", f"outbox/{self.sent['id']}")["recipients"][0]["state"] == "delivered")

    def listSubmissions(self):
        assert self.sent["id"] in [one["id"] for one in self.call("GET", "outbox")["items"]]

    def retrySubmission(self):
        body = {"to": "later@sink.example", "subject": "for later", "text": "No hurry."}
        self.late = self.call("POST", "send", body, 202)["id"]
        state = lambda: self.call("GET", f"outbox/{self.late}")["recipients"][0]
        self.until(lambda: state()["attempts"] == 1 and state()["state"] == "deferred")
        self.call("POST", f"outbox/{self.late}/retry")
        self.until(lambda: state()["attempts"] == 2 and state()["state"] == "deferred")

    def cancelSubmission(self):
        self.call("DELETE", f"outbox/{self.late}")
        assert self.call("GET", f"outbox/{self.late}")["recipients"][0]["state"] == "cancelled"

    # MARK: The table

    OPERATIONS = ("createAccount listAccounts getAccount updateAccount listFolders getFolder listMessages getMessage getRawMessage"
                  " getMessageText getMessageHTML getAttachment listThreads getThread createFolder updateFolder deleteFolder"
                  " appendMessage updateMessage copyMessage deleteMessage updateMessages deleteMessages sendMessage getSubmission"
                  " listSubmissions retrySubmission cancelSubmission listEvents listAllEvents deleteAccount").split()

    def run(self):
        for operation in self.OPERATIONS:
            if operation == "listFolders":
                self.seed()
            wanted = LIMITATIONS.get((operation, self.column), "pass")
            try:
                getattr(self, operation)()
                found, seen = "pass", ""
            except Problem as problem:
                found, seen = problem.args
            except Exception as error:
                found, seen = "fails", repr(error)[:1500]
            self.cells[operation] = found
            claims.check(f"{operation} at {self.column}", found == wanted, (found, wanted, seen), quiet=True)


def covered():
    """The operations of the document that touch an account."""
    with open(options.openapi) as file:
        paths = yaml.safe_load(file)["paths"]
    return {operation["operationId"] for path, item in paths.items() if path.startswith(("/v1/accounts", "/v1/events"))
            for operation in item.values() if isinstance(operation, dict) and "operationId" in operation}


sink = Sink()
relay = ["relay.host=127.0.0.1", f"relay.port={sink.port}", "relay.security=none"]
server = Server(options.postern, DATA, SETTINGS + relay)
backends = [Backend(name, settings, server, sink) for name, settings in BACKENDS.items()]
claims.check("every operation that touches an account is here", covered() == set(Backend.OPERATIONS), covered() ^ set(Backend.OPERATIONS))
try:
    threads = [threading.Thread(target=backend.run) for backend in backends]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    claims.check("it ends in order", server.stop() == 0)
finally:
    server.is_running() and server.kill()
print("| operation | " + " | ".join(backend.column for backend in backends) + " |")
print("|---" * (len(backends) + 1) + "|")
for operation in Backend.OPERATIONS:
    print(f"| {operation} | " + " | ".join(backend.cells.get(operation, "") for backend in backends) + " |")
claims.end()
