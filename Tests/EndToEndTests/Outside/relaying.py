#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two servers, of which one sends what its users have for others through the other one: handed in by SMTP and by HTTP, read there
by HTTP and POP3; while it is away, through a kill -9, and where it refuses.

usage: relaying.py POSTERN FOLDER
"""
import argparse, email, poplib, smtplib, socket, ssl

from server import Claims, Server, message, verify
from serving import until

parser = argparse.ArgumentParser()
parser.add_argument("postern"), parser.add_argument("folder")
options = parser.parse_args()
claims = Claims()
check = claims.check


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


port = free_port()


def far():
    """The server of b.example, at the same port each time."""
    # What the environment says is overridden by the command line.
    return Server(options.postern, f"{options.folder}/far", (f"listeners.smtp=127.0.0.1:{port}", "hostname=mx.b.example"))


def near(*more):
    """The server of a.example, whose users' mail to others goes to that one."""
    return Server(options.postern, f"{options.folder}/near", (
        "relay.host=127.0.0.1", f"relay.port={port}", "relay.security=none", "hostname=mx.a.example",
        "egress.allow=127.0.0.0/8", "egress.mailPorts=any", "delivery.retrySeconds=1,1,1,1", *more))


def subjects(server, alias):
    return [item["subject"] for item in server.client().items(f"/v1/accounts/{alias}/messages?folder=inbox")]


def raw(server, alias, subject):
    client = server.client()
    item = next(i for i in client.items(f"/v1/accounts/{alias}/messages?folder=inbox") if i["subject"] == subject)
    return email.message_from_bytes(client.call("GET", f"/v1/accounts/{alias}/messages/{item['id']}/raw")[2])


def submit(server, recipients, text, login=True, sender="ann@a.example"):
    """Hands a message in as a mail program does; None, or the error."""
    context = ssl._create_unverified_context()
    with smtplib.SMTP(*server.address("submission"), local_hostname="laptop.example.net", timeout=60) as smtp:
        smtp.starttls(context=context)
        try:
            if login:
                smtp.login("ann@a.example", "a long password")
            return smtp.sendmail(sender, recipients, text) or None
        except smtplib.SMTPException as error:
            return error


b = far()
rita = b.account("rita", "b.example")
b.client().json("PATCH", "/v1/accounts/rita", {"password": "a long password"})
a = near()
a.client().json("POST", "/v1/accounts", {
    "kind": "local", "address": "ann@a.example", "alias": "ann", "password": "a long password"})
a.account("bob", "a.example")

# Handed in by SMTP: to one here, one there, and a blind one there.
text = (b"From: Ann <ann@a.example>\r\nTo: rita@b.example, bob@a.example\r\nBcc: rita@b.example\r\nSubject: handed in\r\n\r\n"
        b".a line that begins with a dot\r\n")
check("a user's message to another server is taken", submit(a, [rita, "bob@a.example"], text) is None)
check("it is there", until(lambda: subjects(b, "rita") == ["handed in"]))
check("and with the one here", subjects(a, "bob") == ["handed in"])
there = raw(b, "rita", "handed in")
check("each server says that it had it", len(there.get_all("Received", [])) == 2, there.as_string())
check("the return path is the sender's", there.get_all("Return-Path") == ["<ann@a.example>"], there.get_all("Return-Path"))
check("nobody learns of the blind copy", there["Bcc"] is None)
check("its text is whole", there.get_payload() == ".a line that begins with a dot\r\n", repr(there.get_payload()))
submission, = a.client().json("GET", "/v1/accounts/ann/outbox")["items"]
check("the outbox has the one who is elsewhere", [(r["address"], r["state"]) for r in submission["recipients"]]
      == [(rita, "delivered")], submission)
check("its Message-ID is the message's", submission["messageId"] == there["Message-ID"], (submission, there["Message-ID"]))
pop = poplib.POP3_SSL(*b.address("pop3s"), context=ssl._create_unverified_context())
pop.user(rita), pop.pass_("a long password")
check("POP3 has it", b"Subject: handed in" in pop.retr(1)[1])
pop.quit()

# Handed in by HTTP.
sent = a.client().json("POST", "/v1/accounts/ann/send", {"to": [rita, "bob@a.example"], "subject": "posted", "text": "x"})
check("who is elsewhere waits, who is here has it", [r["state"] for r in sent["recipients"]] == ["queued", "delivered"], sent)
check("it is there, too", until(lambda: "posted" in subjects(b, "rita")))

# Who may not.
answer = submit(a, [rita], text, login=False)
check("who has not logged in is not relayed", isinstance(answer, smtplib.SMTPException), answer)
with a.mailer() as smtp:
    smtp.ehlo(), smtp.mail("ann@a.example")
    code, words = smtp.rcpt(rita)
    check("nor is anybody at the door for other servers", code == 550 and b"5.7.1" in words, (code, words))
answer = submit(a, [rita], text, sender="bob@a.example")
check("nor one who says to be somebody else", isinstance(answer, smtplib.SMTPException), answer)
answer = submit(a, ["nobody@a.example"], text)
check("an address of ours that is not there is refused at once",
      isinstance(answer, smtplib.SMTPRecipientsRefused) and answer.recipients["nobody@a.example"][0] == 550, answer)

# Refused there: the sender is told, once.
check("an address that is not there is found out later",
      submit(a, ["nobody@b.example"], text.replace(b"handed in", b"in vain")) is None)
check("the sender gets a report", until(lambda: len(subjects(a, "ann")) == 1))
report, = a.client().items("/v1/accounts/ann/messages?folder=inbox")
report = raw(a, "ann", report["subject"])
check("it is one of RFC 3464", report.get_content_type() == "multipart/report" and b"5.1.1" in report.as_bytes(), report.as_string())

# While the other is away, and through a kill.
b.stop()
check("a message is taken while the relay is away", submit(a, [rita], text.replace(b"handed in", b"patient")) is None)
check("it waits", until(lambda: [r["state"] for s in a.client().items("/v1/accounts/ann/outbox") for r in s["recipients"]
                                 if r["state"] == "deferred"] == ["deferred"]))
a.kill()
b = far()
a = near()
check("it arrives", until(lambda: "patient" in subjects(b, "rita"), 60))
many = [f"many {number}" for number in range(40)]
with smtplib.SMTP(*a.address("submission"), local_hostname="laptop.example.net", timeout=60) as smtp:
    smtp.starttls(context=ssl._create_unverified_context())
    smtp.login("ann@a.example", "a long password")
    for subject in many:
        smtp.sendmail("ann@a.example", [rita], message(subject, rita, sender="ann@a.example"))
a.kill()
a = near()
check("what was acknowledged before a kill arrives", until(lambda: set(many) <= set(subjects(b, "rita")), 60),
      set(many) - set(subjects(b, "rita")))
arrived = [s for s in subjects(b, "rita") if s in many]
# At a kill a message may be on its way over each of the four connections.
check("and at most what was on its way twice", len(arrived) - len(many) <= 4, len(arrived))
for server, name in ((a, "near"), (b, "far")):
    check(f"{name} ends in order", server.stop() == 0)
    check(f"{name} is sound", verify(options.postern, f"{options.folder}/{name}") == "")
claims.end()
