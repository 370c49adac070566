#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every string that openapi.yaml lets a client send, with what breaks out of strings elsewhere; and every operation with the ids
and tokens of others.

usage: field_injection.py POSTERN DATA OPENAPI
Starts the server itself. Operations and fields are taken from the contract, so that a new one is tried with its first line there.
"""
import base64, copy, http.client, json, os, re, signal, socket, subprocess, sys, urllib.parse
import yaml

postern, data, contract = sys.argv[1:4]
spec = yaml.safe_load(open(contract))
failures, count = [], {"requests": 0, "refused": 0, "taken": 0, "checked messages": 0, "access": 0}
LURE = "X-Injected: yes"
# As characters; a lone surrogate cannot be one in UTF-8 and is sent as its JSON escape, or as the octets that it would be.
HOSTILE = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "NUL": "\0", "U+2028": "\u2028", "U+0085": "\u0085", "U+010A": "\u010a",
           "U+010D": "\u010d", "U+760A": "\u760a", "U+760D": "\u760d", "DEL": "\x7f", "quote": '"', "backslash": "\\",
           "surrogate": "\ud800", "NFD": "e\u0301", "70 KB": "x" * 70_000}


def fail(claim, *seen):
    failures.append(claim)
    if len(failures) <= 40:
        print("FAIL", claim, *[repr(s)[:400] for s in seen])


def start():
    os.makedirs(data, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
    for name in ("HTTP", "HTTPS", "SMTP", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S"):
        environment[f"POSTERN_LISTENERS_{name}"] = "127.0.0.1:0"
    environment["POSTERN_PASSWORDS_ROUNDS"] = "4096"
    environment.update(POSTERN_OAUTH_GOOGLE_CLIENT_ID="us", POSTERN_OAUTH_PUBLIC_URL="https://mail.example",
                       POSTERN_OAUTH_RETURN_URLS="https://app.example")
    process = subprocess.Popen([postern, "serve", "--data", data], stdout=subprocess.PIPE, env=environment,
                               stderr=open(os.path.join(data, "..", "injection.log"), "ab"), stdin=subprocess.DEVNULL)
    ready = json.loads(process.stdout.readline())
    return process, ready["http"].rsplit(":", 1), open(ready["adminTokenFile"]).read().strip()


server, (host, port), admin = start()
connection = None


def call(method, path, body=None, kind="application/json", token=None, headers={}):
    """Status, fields, content. `path` is octets as they are to be sent, escaped already."""
    global connection
    fields = {"Authorization": "Bearer " + (token or admin), **headers}
    if body is not None:
        fields["Content-Type"] = kind
    for attempt in range(2):
        try:
            if connection is None:
                connection = http.client.HTTPConnection(host, int(port), timeout=60)
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            content = answer.read()
            break
        except (ConnectionError, http.client.HTTPException):
            connection.close()
            connection = None
            if attempt:
                raise
    if answer.will_close:
        connection.close()
        connection = None
    count["requests"] += 1
    return answer.status, answer.getheaders(), content


def made(method, path, body, kind="application/json", token=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, answer = call(method, path, content, kind, token)
    if status not in (200, 201, 202):
        raise SystemExit(f"{method} {path}: {status} {answer[:400]}")
    return json.loads(answer)


# What there is.

MAIL = ("From: Ann <ann@outside.example>\r\nTo: a@inject.example\r\nSubject: Seed\r\nMessage-ID: <seed-%s@outside.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
        "Content-Type: application/pdf; name=f.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n")


def settle(alias):
    account = made("POST", "/v1/accounts", {"kind": "local", "address": f"{alias}@inject.example", "alias": alias,
                                            "password": "correct horse battery"})["id"]
    message = made("POST", f"/v1/accounts/{alias}/messages", (MAIL % alias).encode(), "message/rfc822")
    token = made("POST", "/v1/tokens", {"name": alias, "scopes": ["read", "write", "send"], "accounts": [account]})
    return {"account": account, "message": message["id"], "thread": message["threadId"], "part": "2", "token": token["id"],
            "secret": token["token"], "address": f"{alias}@inject.example",
            "folder": made("POST", f"/v1/accounts/{alias}/folders", {"name": f"of {alias}"})["id"],
            "submission": made("POST", f"/v1/accounts/{alias}/send", {"to": f"{alias}@inject.example", "text": "x"})["id"],
            "webhook": made("POST", "/v1/webhooks", {"name": alias, "url": "https://hook.example/a", "accounts": [account]})["id"]}


ours, theirs = settle("a"), settle("b")


# Values that the contract allows.

def resolved(schema):
    while "$ref" in schema:
        node = spec
        for step in schema["$ref"][2:].split("/"):
            node = node[step]
        schema = node
    return schema


KNOWN = {"to": ours["address"], "cc": ours["address"], "bcc": ours["address"], "from": ours["address"],
         "replyTo": ours["address"], "message": ours["message"], "folder": "archive", "password": "correct horse battery",
         "expiresAt": "2099-01-01T00:00:00Z", "content": "AAEC", "contentType": "text/plain", "q": "seed", "alias": "z9",
         "parent": "archive"}
# Members of one operation's example; None takes one out.
TWEAKS = {"updateAccount": {"alias": "a", "imap": None, "pop3": None, "smtp": None},
          "authorizeAccount": {"provider": "google", "account": None, "imap": None, "smtp": None,
                               "returnUrl": "https://app.example"},
          "replayWebhook": {"failed": None, "since": None, "before": None}}
CANDIDATES = ["abcd", "a", "X-Own", "inbox", "new@inject.example", "https://hook.example/a", "https://app.example", "text/plain",
              "2026-01-01T00:00:00Z", "2026-01-01", "AAEC", "0" * 32, "192.0.2.1", "1", "whsec_" + base64.b64encode(b"0" * 32).decode()]
CANDIDATES += [ours[name] for name in ("account", "folder", "message", "thread", "submission", "token")]


def types(schema):
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def fits(value, schema):
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 30):
        return False
    if schema.get("format") in ("date-time", "date") and not value[:4].isdigit():
        return False
    return re.search(schema.get("pattern", ""), value) is not None


def example(schema, name=""):
    """A full value, every optional member there; None where none can be thought of."""
    schema = resolved(schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" not in schema:
        for choice in schema.get("oneOf", []) + schema.get("anyOf", []):
            if "null" not in types(resolved(choice)):
                return example(choice, name)
    kind = types(schema)
    if "object" in kind or "properties" in schema:
        members = {key: example(value, key) for key, value in schema.get("properties", {}).items()}
        return {key: value for key, value in members.items() if value is not None}
    if "array" in kind:
        item = example(schema.get("items", {}), name)
        return None if item is None else [item]
    if "boolean" in kind:
        return schema.get("default", False)
    if "integer" in kind or "number" in kind:
        return max(schema.get("minimum", 1), 1)
    if name in KNOWN and fits(KNOWN[name], schema):
        return KNOWN[name]
    return next((value for value in CANDIDATES if fits(value, schema)), None)


def strings(value, place=()):
    """The places of all strings in a value."""
    if isinstance(value, str):
        yield place
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from strings(inner, place + (key,))


def replaced(value, place, text):
    if not place:
        return text
    value = copy.copy(value)
    value[place[0]] = replaced(value[place[0]], place[1:], text)
    return value


def at(value, place):
    for step in place:
        value = value[step]
    return value


operations = []
for path, item in spec["paths"].items():
    for method in ("get", "post", "put", "patch", "delete"):
        if method in item:
            operation = item[method]
            parameters = [resolved(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
            operations.append((path, method.upper(), operation, parameters))


def address(path, values, query=()):
    for name, value in values.items():
        path = path.replace("{%s}" % name, value)
    return path + ("?" + "&".join(f"{k}={v}" for k, v in query) if query else "")


def escaped(text):
    return urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")


def names(path, of=ours):
    return {name: of.get(name, "abcd") for name in re.findall(r"{(\w+)}", path)}


def required_query(parameters):
    return [(p["name"], escaped(str(example(p["schema"], p["name"])))) for p in parameters if p["in"] == "query" and p.get("required")]


def body_of(operation):
    """The content types and full examples of a request body; only JSON has members."""
    content = resolved(operation.get("requestBody", {})).get("content", {})
    bodies = {}
    for kind, media in content.items():
        schema = resolved(media.get("schema", {}))
        if kind == "application/json" or kind == "multipart/form-data":
            members = {**example(schema), **TWEAKS.get(operation["operationId"], {})}
            bodies[kind] = {key: value for key, value in members.items() if value is not None}
        else:
            bodies[kind] = MAIL.replace("ann@outside.example", ours["address"]) % "body"
    return bodies


def encoded(kind, value):
    """The octets of a body and their content type."""
    if kind == "application/json":
        # A lone surrogate goes as its escape.
        return json.dumps(value).encode(), kind
    if kind == "multipart/form-data":
        parts = []
        for name, entry in value.items():
            for text in entry if isinstance(entry, list) else [entry]:
                text = text if isinstance(text, str) else json.dumps(text)
                attributes = '; filename="f.txt"' if name in ("attachment", "inline") else ""
                parts.append(f'--frontier\r\nContent-Disposition: form-data; name="{name}"{attributes}\r\n\r\n'.encode()
                             + text.encode("utf-8", "surrogatepass") + b"\r\n")
        return b"".join(parts) + b"--frontier--\r\n", "multipart/form-data; boundary=frontier"
    return value.encode("utf-8", "surrogatepass"), kind


# Harm.

FIELDS = {b"from", b"to", b"cc", b"bcc", b"subject", b"date", b"message-id", b"mime-version", b"content-type", b"reply-to",
          b"content-transfer-encoding", b"in-reply-to", b"references", b"received", b"return-path", b"x-own", b"sender",
          b"delivered-to", b"content-disposition", b"content-id", b"authentication-results"}


def header_names(octets):
    head = octets.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    if b"\r" in head or b"\0" in head:
        fail("a header has bare CR or NUL", head[:300])
    return [line.split(b":", 1)[0].strip().lower() for line in head.split(b"\n") if line[:1] not in (b" ", b"\t", b"")]


def check_message(claim, octets, more=frozenset()):
    count["checked messages"] += 1
    found = header_names(octets)
    strange = [n for n in found if n not in FIELDS and n not in more]
    if strange:
        fail(f"{claim}: another header field", strange, octets[:600])
    for name in (b"from", b"subject", b"to", b"message-id", b"content-type"):
        if found.count(name) > 1:
            fail(f"{claim}: {name} twice", octets[:600])
    for boundary in re.findall(rb'boundary="?([^"\r\n;]+)', octets)[:20]:
        for section in octets.split(b"--" + boundary)[1:]:
            head = section.lstrip(b"\r\n").split(b"\r\n\r\n", 1)[0]
            if LURE.lower().encode() in head.lower().replace(b"\r\n ", b"") and re.search(rb"(?im)^x-injected", head):
                fail(f"{claim}: another field in a part's header", head[:300])


def check_answer(claim, method, path, status, fields, content, own=frozenset(), kind=""):
    if status >= 500:
        fail(f"{claim}: {status}", content[:300])
    if any(name.lower() == "x-injected" for name, _ in fields):
        fail(f"{claim}: another header field in the answer", fields)
    if 400 <= status < 500:
        count["refused"] += 1
        try:
            problem = json.loads(content)
            if not {"type", "title", "status", "code", "requestId"} <= set(problem) or problem["status"] != status:
                fail(f"{claim}: no clear problem", problem)
        except ValueError:
            fail(f"{claim}: the problem is no JSON", status, content[:300])
        return
    count["taken"] += 1
    answer = dict((name.lower(), value) for name, value in fields)
    if status == 200 and answer.get("content-type", "").startswith("message/rfc822"):
        check_message(claim, content, own)
    if status in (201, 202) and kind != "message/rfc822" and kind != "application/octet-stream":
        try:
            made_one = json.loads(content)
        except ValueError:
            return fail(f"{claim}: the answer is no JSON", content[:300])
        message = made_one.get("message")
        if isinstance(message, str) and message.startswith("msg_"):
            state, _, octets = call("GET", f"/v1/accounts/a/messages/{message}/raw")
            if state != 200:
                fail(f"{claim}: its copy cannot be read", state, octets[:300])
            else:
                check_message(claim, octets, own)
                check_attachments(claim, message)


def check_attachments(claim, message):
    """The names and types that came from outside are in the header of an answer."""
    shown = json.loads(call("GET", f"/v1/accounts/a/messages/{message}")[2])
    for attachment in shown["attachments"]:
        status, fields, _ = call("GET", f"/v1/accounts/a/messages/{message}/attachments/{attachment['part']}")
        found = [name.lower() for name, _ in fields]
        if status != 200 or "x-injected" in found or found.count("content-disposition") != 1 or found.count("content-type") != 1:
            fail(f"{claim}: the attachment's answer", status, fields)
        if any(c in attachment["safeFilename"] for c in "/\\\r\n\0"):
            fail(f"{claim}: safeFilename", attachment["safeFilename"])


def own_fields(body):
    headers = body.get("headers", []) if isinstance(body, dict) else []
    headers = headers if isinstance(headers, list) else []
    return {h["name"].encode("utf-8", "surrogatepass").lower() for h in headers if isinstance(h, dict) and isinstance(h.get("name"), str)}


def variants(text):
    for name, character in HOSTILE.items():
        middle = max(len(text) // 2, 1)
        yield name, text[:middle] + character + text[middle:]
        yield name + " and a field", text + character + LURE


def try_fields(path, method, operation, parameters):
    label = operation["operationId"]
    bodies = body_of(operation)
    kinds = list(bodies) or [None]
    kind = "application/json" if "application/json" in bodies else kinds[0]
    whole, kind_sent = encoded(kind, bodies[kind]) if kind else (None, None)
    query = required_query(parameters)
    for kind_tried in bodies:
        octets, sent = encoded(kind_tried, bodies[kind_tried])
        status, _, answer = call(method, address(path, names(path), query), octets, sent)
        if status >= 300:
            fail(f"{label}, {kind_tried}: the example is refused; KNOWN or TWEAKS needs a value", status, answer[:300])
    for parameter in parameters:
        schema = resolved(parameter["schema"])
        value = example(schema, parameter["name"])
        value = value[0] if isinstance(value, list) else value
        value = ours.get(parameter["name"], value) if parameter["in"] == "path" else value
        if not isinstance(value, str):
            value = json.dumps(value)
        for name, text in variants(value):
            claim = f"{label}, {parameter['in']} {parameter['name']}, {name}"
            if parameter["in"] == "header":
                raw_header(claim, method, address(path, names(path), query), parameter["name"], text, whole, kind_sent)
                continue
            values, asked = names(path), query
            if parameter["in"] == "path":
                values[parameter["name"]] = escaped(text)
            else:
                asked = [q for q in query if q[0] != parameter["name"]] + [(parameter["name"], escaped(text))]
            check_answer(claim, method, path, *call(method, address(path, values, asked), whole, kind_sent or "application/json"))
    for kind, body in bodies.items():
        if not isinstance(body, dict):
            continue
        for place in strings(body):
            for name, text in variants(at(body, place)):
                changed = replaced(body, place, text)
                octets, sent = encoded(kind, changed)
                claim = f"{label}, {kind} /{'/'.join(map(str, place))}, {name}"
                check_answer(claim, method, path, *call(method, address(path, names(path), query), octets, sent),
                             own_fields(changed), kind)
                if label == "updateAccount" and place == ("displayName",):
                    # The name stands in what is sent from here.
                    sent_one = call("POST", "/v1/accounts/a/send", json.dumps({"to": ours["address"], "text": "x"}).encode())
                    check_answer(claim + ", then sendMessage", "POST", "/send", *sent_one)
                if server.poll() is not None:
                    raise SystemExit(f"{claim}: the server ended with {server.returncode}")


def raw_header(claim, method, target, name, text, body, kind):
    """A field with octets that no client library sends."""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {admin}\r\nConnection: close\r\n".encode()
    head += name.encode() + b": " + text.encode("utf-8", "surrogatepass") + b"\r\n"
    if body is not None:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
    count["requests"] += 1
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(head + b"\r\n" + (body or b""))
        except OSError:
            pass
        answer = b""
        try:
            while piece := connection.recv(1 << 16):
                answer += piece
        except OSError:
            pass
    first = answer.split(b"\r\n", 1)[0]
    if not re.match(rb"HTTP/1\.1 [234]\d\d ", first):
        fail(f"{claim}: no clear answer", answer[:300])
    if b"\nx-injected" in answer.split(b"\r\n\r\n", 1)[0].lower():
        fail(f"{claim}: another header field in the answer", answer[:300])


# Access.

def same(answer):
    """What of an answer tells something: all but the request's own id."""
    status, _, content = answer
    try:
        problem = json.loads(content)
        problem.pop("requestId", None)
        return status, json.dumps(problem, sort_keys=True)
    except ValueError:
        return status, content


UNKNOWN = {"account": "acc_" + "z" * 16, "message": "msg_" + "z" * 16, "folder": "fld_" + "z" * 16, "thread": "thr_" + "z" * 16,
           "submission": "out_" + "z" * 16, "token": "tok_" + "z" * 16, "part": "2", "webhook": "whk_" + "z" * 16}


def try_access(path, method, operation, parameters, tokens):
    label = operation["operationId"]
    security = operation.get("security", spec.get("security"))
    if security == [] or {} in security:
        return
    bodies = body_of(operation)
    kind = "application/json" if "application/json" in bodies else next(iter(bodies), None)
    whole, sent = encoded(kind, bodies[kind]) if kind else (None, "application/json")
    query = required_query(parameters)

    def ask(values, token, asked=None, body=None):
        count["access"] += 1
        return call(method, address(path, values, query if asked is None else asked), whole if body is None else body, sent, token)

    for state in ("revoked", "unknown"):
        answer = ask(names(path), tokens[state])
        if answer[0] != 401:
            fail(f"{label}: a token that is {state} gets {answer[0]}", answer[2][:300])
    scope = operation.get("x-scope")
    if scope in ("read", "write", "send", "admin"):
        answer = ask(names(path), tokens["without " + scope])
        if answer[0] != 403:
            fail(f"{label}: a token without {scope} gets {answer[0]}", answer[2][:300])
    if scope == "admin":
        return
    # A token of one account: the other's account, and the other's things in its own.
    for name in names(path):
        if name == "part":
            continue
        foreign, unknown = names(path, ours), names(path, ours)
        foreign[name], unknown[name] = theirs.get(name, UNKNOWN.get(name)), UNKNOWN.get(name, "abcd")
        if name == "account":
            foreign = names(path, theirs)
        a, b = ask(foreign, ours["secret"]), ask(unknown, ours["secret"])
        if a[0] not in (401, 403, 404) or b[0] not in (401, 403, 404):
            fail(f"{label}: {name} of another account gets {a[0]}, an unknown one {b[0]}", a[2][:300], b[2][:300])
        elif same(a) != same(b):
            fail(f"{label}: {name} of another account and an unknown one differ", same(a), same(b))
        if name == "account":
            for alias in ("b", theirs["address"]):
                foreign["account"] = escaped(alias)
                if same(ask(foreign, ours["secret"])) != same(b):
                    fail(f"{label}: the other account by {alias} is told from an unknown one")
    # Ids in parameters and bodies: whatever the answer, the same for foreign and unknown, and nothing is changed.
    for parameter in parameters:
        if parameter["in"] == "query" and parameter["name"] in UNKNOWN:
            others = [q for q in query if q[0] != parameter["name"]]
            a, b = (ask(names(path), ours["secret"], others + [(parameter["name"], of[parameter["name"]])]) for of in (theirs, UNKNOWN))
            if a[0] not in (400, 403, 404, 409, 422) or same(a) != same(b):
                fail(f"{label}: query {parameter['name']} of another account", same(a), same(b))
    if kind == "application/json" and isinstance(bodies[kind], dict):
        for place in strings(bodies[kind]):
            for name in UNKNOWN:
                if at(bodies[kind], place) in (ours.get(name), "archive" if name == "folder" else None) and name not in ("part", "token"):
                    a, b = (ask(names(path), ours["secret"], body=encoded(kind, replaced(bodies[kind], place, of[name]))[0])
                            for of in (theirs, UNKNOWN))
                    if a[0] not in (400, 403, 404, 409, 422) or same(a) != same(b):
                        fail(f"{label}: /{'/'.join(map(str, place))} of another account", same(a), same(b))


def snapshot():
    """Everything of the other account, so that a change to it shows."""
    messages = json.loads(call("GET", "/v1/accounts/b/messages?limit=200")[2])["items"]
    folders = json.loads(call("GET", "/v1/accounts/b/folders")[2])["items"]
    return json.dumps([messages, folders, json.loads(call("GET", "/v1/accounts/b")[2])], sort_keys=True)


try:
    tokens = {"unknown": "pst_" + "a" * 52}
    gone = made("POST", "/v1/tokens", {"name": "gone", "scopes": ["read", "write", "send", "admin"]})
    tokens["revoked"] = gone["token"]
    if call("DELETE", f"/v1/tokens/{gone['id']}")[0] not in (200, 204):
        fail("a token cannot be revoked")
    for scope in ("read", "write", "send", "admin"):
        others = [s for s in ("read", "write", "send") if s != scope]
        tokens["without " + scope] = made("POST", "/v1/tokens", {"name": "narrow", "scopes": others})["token"]
    before = snapshot()
    # What deletes comes last, so that the ids that others need are still there.
    operations.sort(key=lambda o: (o[1] == "DELETE", len(names(o[0])) == 1))
    for path, method, operation, parameters in operations:
        try_access(path, method, operation, parameters, tokens)
    if snapshot() != before:
        fail("the other account changed")
    for path, method, operation, parameters in operations:
        if path.startswith("/v1"):
            try_fields(path, method, operation, parameters)
    if call("GET", "/healthz")[0] != 200:
        fail("the server does not answer any more")
finally:
    lives = server.poll() is None
    server.send_signal(signal.SIGTERM)
    status = server.wait(60)
if not lives or status != 0:
    fail(f"the server ended with {status}")
print(len(operations), "operations,", ", ".join(f"{v} {k}" for k, v in count.items()))
print("PASS" if not failures else f"FAIL: {len(failures)}")
sys.exit(1 if failures else 0)
