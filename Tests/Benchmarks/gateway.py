# SPDX-License-Identifier: Apache-2.0
"""The gateway that one would write without Postern: FastAPI over an IMAP server (imapclient) and an SMTP server (aiosmtplib).

It serves what the benchmark asks of the others: lists, messages, searches, flags, sending. Logged-in connections with the inbox
selected are kept for the next request. Credentials are those of the request, by HTTP Basic.
"""
import email, email.header, email.message, email.policy, os, queue
import aiosmtplib, imapclient, pydantic
from fastapi import Body, Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials

imap_port, smtp_port = int(os.environ["GATEWAY_IMAP_PORT"]), int(os.environ["GATEWAY_SMTP_PORT"])
application, credentials = FastAPI(), HTTPBasic()
kept = {}


class Session:
    """One connection for the time of a `with`, taken from those that wait, given back unless something went wrong."""

    def __init__(self, who):
        self.who = (who.username, who.password)

    def __enter__(self):
        self.waiting = kept.setdefault(self.who, queue.LifoQueue())
        try:
            self.client = self.waiting.get_nowait()
            self.client.noop()
        except queue.Empty:
            self.client = imapclient.IMAPClient("127.0.0.1", imap_port, ssl=False)
            try:
                self.client.login(*self.who)
            except imapclient.exceptions.LoginError:
                raise HTTPException(401)
            self.client.select_folder("INBOX")
        return self.client

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.waiting.put(self.client)
        else:
            self.client.shutdown()


def person(address):
    return {"name": address.name and address.name.decode(), "address": f"{address.mailbox.decode()}@{address.host.decode()}"}


def summaries(client, uids):
    found = client.fetch(uids, ["ENVELOPE", "FLAGS", "RFC822.SIZE", "INTERNALDATE"]) if uids else {}
    items = []
    for uid in reversed(uids):
        envelope = found[uid][b"ENVELOPE"]
        items.append({
            "id": uid, "subject": str(email.header.make_header(email.header.decode_header(envelope.subject.decode()))),
            "from": [person(a) for a in envelope.from_ or ()], "to": [person(a) for a in envelope.to or ()],
            "date": found[uid][b"INTERNALDATE"], "size": found[uid][b"RFC822.SIZE"],
            "flags": [flag.decode() for flag in found[uid][b"FLAGS"]], "messageId": envelope.message_id.decode(),
        })
    return {"items": items}


@application.get("/messages")
def messages(limit: int = 50, text: str | None = None, subject: str | None = None, who: HTTPBasicCredentials = Depends(credentials)):
    criteria = (["TEXT", text] if text else []) + (["SUBJECT", subject] if subject else [])
    with Session(who) as client:
        uids = client.search(criteria or "ALL", "UTF-8" if criteria else None)
        return summaries(client, uids[-limit:])


@application.get("/messages/{uid}")
def message(uid: int, who: HTTPBasicCredentials = Depends(credentials)):
    with Session(who) as client:
        found = client.fetch([uid], ["BODY.PEEK[]", "FLAGS"]).get(uid)
    if not found:
        raise HTTPException(404)
    content = email.message_from_bytes(found[b"BODY[]"], policy=email.policy.default)
    bodies = {name: content.get_body((name,)) for name in ("plain", "html")}
    return {
        "id": uid, "flags": [flag.decode() for flag in found[b"FLAGS"]], "headers": [(k, str(v)) for k, v in content.items()],
        **{name: body and body.get_content() for name, body in bodies.items()},
        "attachments": [{"name": part.get_filename(), "type": part.get_content_type()} for part in content.iter_attachments()],
    }


class FlagChange(pydantic.BaseModel):
    add: list[str] = []
    remove: list[str] = []


@application.patch("/messages/{uid}")
def change(uid: int, flags: FlagChange = Body(embed=True), who: HTTPBasicCredentials = Depends(credentials)):
    with Session(who) as client:
        if flags.add:
            client.add_flags([uid], flags.add)
        if flags.remove:
            client.remove_flags([uid], flags.remove)
        return {"id": uid, "flags": [flag.decode() for flag in client.get_flags([uid])[uid]]}


class Draft(pydantic.BaseModel):
    to: list[str]
    subject: str
    text: str


@application.post("/send", status_code=202)
async def send(draft: Draft, response: Response, who: HTTPBasicCredentials = Depends(credentials)):
    content = email.message.EmailMessage()
    content["From"], content["To"], content["Subject"] = who.username + "@example.org", ", ".join(draft.to), draft.subject
    content.set_content(draft.text)
    login = {"username": who.username, "password": who.password} if os.environ["GATEWAY_SMTP_LOGIN"] else {}
    _, said = await aiosmtplib.send(content, hostname="127.0.0.1", port=smtp_port, start_tls=False, **login)
    return {"said": said}
