#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schemathesis, all checks, against a server that has what the paths name: no server error, no breach of the contract.

usage: contract.py POSTERN DATA OPENAPI [--examples N] [--schemathesis PROGRAM] [--seed N] [--report FILE]
Starts the server itself. N examples per operation and phase; the number of cases sent is printed. Without PROGRAM, schemathesis
is looked for in the path, then put by pip into a virtual environment under DATA/../schemathesis; exit status 77 says that this
could not be done. The dictionaries hold ids of things that exist, so that answers are mostly other than 404.
"""
import argparse, http.client, json, os, re, shutil, signal, subprocess, sys, venv

VERSION = "4.32.5"
here = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser()
arguments.add_argument("postern"), arguments.add_argument("data"), arguments.add_argument("openapi")
arguments.add_argument("--examples", type=int, default=20), arguments.add_argument("--schemathesis")
arguments.add_argument("--seed", type=int, default=None), arguments.add_argument("--report")
options = arguments.parse_args()
work = os.path.abspath(os.path.join(options.data, ".."))
os.makedirs(options.data, exist_ok=True)


def program():
    found = options.schemathesis or shutil.which("schemathesis")
    if found:
        return found
    place = os.path.join(work, "schemathesis")
    venv.create(place, with_pip=True)
    pip = subprocess.run([f"{place}/bin/pip", "install", "-q", "--disable-pip-version-check", f"schemathesis=={VERSION}"],
                         capture_output=True, text=True, timeout=300)
    if pip.returncode != 0:
        print("schemathesis could not be installed:", pip.stderr[-500:])
        sys.exit(77)
    return f"{place}/bin/schemathesis"


def start():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
    for name in ("HTTP", "HTTPS", "SMTP", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S"):
        environment[f"POSTERN_LISTENERS_{name}"] = "127.0.0.1:0"
    # The key derivation would be most of the time otherwise.
    environment["POSTERN_PASSWORDS_ROUNDS"] = "4096"
    process = subprocess.Popen([options.postern, "serve", "--data", options.data], stdout=subprocess.PIPE, env=environment,
                               stderr=open(os.path.join(work, "contract.log"), "ab"), stdin=subprocess.DEVNULL)
    ready = json.loads(process.stdout.readline())
    return process, ready["http"], open(ready["adminTokenFile"]).read().strip()


schemathesis = program()
server, address, token = start()


def call(method, path, body=None, kind="application/json"):
    connection = http.client.HTTPConnection(*address.rsplit(":", 1), timeout=60)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"Authorization": "Bearer " + token, "Content-Type": kind})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {content[:500]}")
    return json.loads(content) if content else None


MAIL = """From: Ann <ann@outside.example>\r\nTo: main@contract.example\r\nSubject: Number %d\r\nMessage-ID: <%d@outside.example>\r
Date: Wed, 1 Apr 2026 09:%02d:00 +0200\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r
Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\ntext %d\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--c--\r
--b\r\nContent-Type: application/pdf; name=f.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQF\r\n--b--\r\n"""


def seeded():
    """What the server is filled with; the dictionaries name it."""
    account = lambda name: call("POST", "/v1/accounts", {
        "kind": "local", "address": f"{name}@contract.example", "alias": name, "password": "correct horse battery"})["id"]
    values = {"accounts": [], "addresses": ["main@contract.example", "other@contract.example"], "parts": ["1.1", "1.2", "2"],
              "roles": ["inbox", "sent", "drafts", "trash", "junk", "archive"]}
    main = account("main")
    account("other")
    values["accounts"] = [main, "main", "main@contract.example"]
    values["accountsToDelete"] = [account(f"gone{n}") for n in range(20)]
    values["accountsToEmpty"] = [account(f"bulk{n}") for n in range(4)]
    put = lambda where, n: call("POST", f"/v1/accounts/{where}/messages", (MAIL % (n, n, n % 60, n)).encode(), "message/rfc822")["id"]
    values["messages"] = [put("main", n) for n in range(30)] + ["latest"]
    values["messagesToDelete"] = [put("main", n) for n in range(100, 160)]
    for n in range(4):
        for m in range(10):
            put(f"bulk{n}", m)
    folder = lambda name: call("POST", "/v1/accounts/main/folders", {"name": name})["id"]
    values["folders"] = [folder(f"kept {n}") for n in range(5)] + ["archive"]
    values["foldersToDelete"] = [folder(f"gone {n}") for n in range(40)]
    values["roles"] += values["folders"][:2]
    send = lambda n: call("POST", "/v1/accounts/main/send", {"to": "other@contract.example", "subject": f"s {n}", "text": "t"})["id"]
    values["submissions"] = [send(n) for n in range(5)]
    values["threads"] = [t["id"] for t in call("GET", "/v1/accounts/main/threads?limit=20")["items"]]
    made = lambda n: call("POST", "/v1/tokens", {"name": f"t{n}", "scopes": ["read"], "accounts": [main]})["id"]
    values["tokens"] = [made(n) for n in range(3)]
    values["tokensToRevoke"] = [made(n) for n in range(10, 50)]
    hook = lambda n: call("POST", "/v1/webhooks", {"name": f"hook {n}", "url": f"https://hook.contract.example/{n}"})["id"]
    values["webhooks"] = [hook(n) for n in range(3)]
    values["webhooksToDelete"] = [hook(n) for n in range(10, 40)]
    return values


def configuration(values):
    lines = open(os.path.join(here, "schemathesis.toml")).read()
    for name, entries in values.items():
        lines += f"\n[dictionaries.{name}]\nvalues = {json.dumps(entries)}\n"
    lines += f"\n[auth.openapi.bearer]\nbearer = {json.dumps(token)}\n"
    path = os.path.join(work, "schemathesis.toml")
    with open(path, "w") as file:
        file.write(lines)
    return path


try:
    command = [schemathesis, "--config-file", configuration(seeded()), "--no-color", "run", options.openapi, "--url",
               f"http://{address}", "--checks", "all", "--max-examples", str(options.examples), "--continue-on-failure",
               "--workers", "1"]
    if options.seed is not None:
        command += ["--seed", str(options.seed)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=work, timeout=3600)
    if options.report:
        open(options.report, "w").write(run.stdout + run.stderr)
    lives = server.poll() is None
    cases = re.search(r"(\d+) generated", run.stdout.replace(",", ""))
    print(run.stdout[-6000:] if run.returncode else run.stdout[-1500:], run.stderr[-2000:])
    print("cases:", cases.group(1) if cases else "unknown", "server lives:", lives)
    failed = run.returncode != 0 or not lives
finally:
    server.send_signal(signal.SIGTERM)
    status = server.wait(60)
if status != 0:
    print("the server ended with", status)
print("FAIL" if failed or status else "PASS")
sys.exit(1 if failed or status else 0)
