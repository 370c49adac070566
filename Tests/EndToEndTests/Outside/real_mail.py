#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real mail through every door: each message file of a corpus goes in by `postern import` and by SMTP, and comes back from
`raw` equal to what was accepted (CRLF line ends). A file that SMTP cannot carry is named with the reply it got.

usage: real_mail.py READY.json DATA POSTERN CORPUS... [--schema openapi.yaml]
  READY.json  the line that `postern serve` prints
  DATA        its data directory
  POSTERN     the binary
  CORPUS      folders of message files
"""
import argparse, collections, hashlib, json, os, re, smtplib, subprocess, sys, urllib.request

# What lies beside the messages in the corpora: expectations, decoded parts, pictures, licences.
NOT_MESSAGES = [
    r"\.(json|xml|out|golden|md|jpg|jpeg|png|gif|bmp|pbm|pgm|ppm|ras|sgi|tiff|webp|xbm|exr|wav|au|aiff|aifc|doc|b64|uu|qp)$",
    r"_decoded[_.]", r"(^|/)(LICENSE|COPYING|COPYRIGHT)[^/]*$", r"/emails/files/", r"/encoders/", r"\.uu-states$",
    r"-summary\.txt$", r"\.mbox(\.txt)?$", r"\.com$", r"\.dat$", r"/zbateson/headers/",
]


def messages(folders):
    good, other = [], []
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in sorted(names):
                path = os.path.join(root, name)
                (other if any(re.search(p, path) for p in NOT_MESSAGES) else good).append(path)
    return sorted(good), sorted(other)


def crlf(data):
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def stored(path):
    """What of a file `import` keeps: all of it; of an mbox file with one message, that message."""
    data = open(path, "rb").read()
    if not data.startswith(b"From "):
        return crlf(data)
    lines = crlf(data).split(b"\r\n")[1:]
    if lines[-2:] == [b"", b""]:
        lines.pop()  # the blank line that ends each message of an mbox
    return b"\r\n".join(lines)


class Api:
    def __init__(self, address, token):
        self.base, self.token = "http://" + address, token

    def call(self, method, path, body=None, kind="application/json", accept="application/json"):
        request = urllib.request.Request(self.base + path, data=body, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Accept", accept)
        if body is not None:
            request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def json(self, *arguments, **named):
        return json.loads(self.call(*arguments, **named))

    def account(self, alias):
        body = {"kind": "local", "address": alias + "@corpus.example", "alias": alias, "password": "correct horse battery"}
        return self.json("POST", "/v1/accounts", json.dumps(body).encode())

    def all_messages(self, alias):
        cursor = ""
        while cursor is not None:
            page = self.json("GET", f"/v1/accounts/{alias}/messages?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["items"]
            cursor = page["next"]

    def raw(self, alias, message):
        return self.call("GET", f"/v1/accounts/{alias}/messages/{message}/raw", accept="*/*")


def without_trace(raw):
    """The content behind the trace fields that our delivery put in front."""
    match = re.match(rb"Return-Path: [^\r\n]*\r\nReceived: [^\r\n]*\r\n(?:\t[^\r\n]*\r\n)*", raw)
    return raw[match.end():] if match else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ready"); parser.add_argument("data"); parser.add_argument("postern")
    parser.add_argument("corpus", nargs="+"); parser.add_argument("--schema")
    options = parser.parse_args()
    ready = json.load(open(options.ready))
    api = Api(ready["http"], open(ready["adminTokenFile"]).read().strip())
    good, other = messages(options.corpus)
    print(f"{len(good)} message files, {len(other)} other files")
    print("not messages:", json.dumps(collections.Counter(re.sub(r"[0-9]+", "N", os.path.splitext(p)[1]) for p in other)))
    validate = None
    if options.schema:
        import jsonschema, yaml
        document = yaml.safe_load(open(options.schema))
        validator = jsonschema.Draft202012Validator(
            {"$ref": "#/components/schemas/Message", "components": document["components"]},
            format_checker=jsonschema.FormatChecker())
        validate = lambda value: [e.message[:200] for e in validator.iter_errors(value)]
    failures = 0

    # Import: all files at once into one account; the multiset of raw octets must be the multiset of files.
    api.account("imported")
    done = subprocess.run(
        [options.postern, "import", "--data", options.data, "--account", "imported", *good],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        print("import says:", done.stderr[-2000:])
    empty = [p for p in good if os.path.getsize(p) == 0]
    print("empty files:", empty)
    want = collections.Counter(hashlib.sha256(stored(p)).digest() for p in good if p not in empty)
    names = {hashlib.sha256(stored(p)).digest(): p for p in good}
    got, count, invalid = collections.Counter(), 0, 0
    for item in api.all_messages("imported"):
        got[hashlib.sha256(api.raw("imported", item["id"])).digest()] += 1
        count += 1
        full = api.json("GET", f"/v1/accounts/imported/messages/{item['id']}")
        if validate and (errors := validate(full)):
            invalid += 1
            print("INVALID JSON", item["id"], errors[:3])
    lost, strange = want - got, got - want
    for digest in lost:
        print("LOST by import:", names[digest])
    print(f"import: {count} messages, {sum(lost.values())} lost, {sum(strange.values())} changed, {invalid} with JSON outside the schema")
    failures += sum(lost.values()) + sum(strange.values()) + invalid

    # SMTP: each file by itself; the newest message must be it, behind the trace fields.
    api.account("delivered")
    host, port = ready["smtp"].rsplit(":", 1)
    client, accepted, refused = None, [], collections.Counter()
    for path in good:
        data = open(path, "rb").read()
        try:
            if client is None:
                client = smtplib.SMTP(host, int(port), timeout=60)
            client.sendmail("corpus@elsewhere.example", ["delivered@corpus.example"], crlf(data), mail_options=["BODY=8BITMIME"])
            accepted.append(path)
        except smtplib.SMTPResponseException as error:
            refused[(error.smtp_code, error.smtp_error.decode("utf-8", "replace"))] += 1
            print("REFUSED by SMTP:", path, error.smtp_code, error.smtp_error)
            if error.smtp_code == 421: client = None
        except smtplib.SMTPException as error:
            print("FAILED by SMTP:", path, repr(error)); failures += 1; client = None
    # smtplib ends a message that lacks a line end; an empty one becomes one empty line.
    def sent(data):
        data = crlf(data)
        return data if data.endswith(b"\r\n") else data + b"\r\n"
    want = collections.Counter(hashlib.sha256(sent(open(p, "rb").read())).digest() for p in accepted)
    got, bad = collections.Counter(), 0
    for item in api.all_messages("delivered"):
        content = without_trace(api.raw("delivered", item["id"]))
        if content is None:
            bad += 1
        else:
            got[hashlib.sha256(content).digest()] += 1
    lost, strange = want - got, got - want
    names = {hashlib.sha256(sent(open(p, "rb").read())).digest(): p for p in accepted}
    for digest in lost:
        print("LOST by SMTP:", names[digest])
    print(f"smtp: {len(accepted)} accepted, {sum(refused.values())} refused, {sum(lost.values())} lost, {sum(strange.values()) + bad} changed")
    failures += sum(lost.values()) + sum(strange.values()) + bad
    print(f"{'PASS' if not failures else 'FAIL'}: {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
