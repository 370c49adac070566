# SPDX-License-Identifier: Apache-2.0
"""What the scripts beside this one share: a server they start and end themselves, clients of its doors, a tally of claims."""
import http.client, json, os, signal, smtplib, subprocess, sys, threading, time

DOORS = ("http", "https", "smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps")


class Claims:
    """What was looked at and what did not hold; the script's last line and status."""

    def __init__(self):
        self.failed, self.lock = [], threading.Lock()

    def check(self, claim, holds, seen="", quiet=False):
        with self.lock:
            if not holds:
                self.failed.append(claim)
            if not holds or not quiet:
                print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
        return holds

    def end(self):
        print("PASS" if not self.failed else f"FAIL: {self.failed[:20]}")
        sys.exit(1 if self.failed else 0)


class Server:
    """`postern serve` on free ports; under `wrapper`, a command that becomes it (strace -D …)."""

    def __init__(self, postern, data, settings=(), wrapper=(), log=None, seconds=60):
        self.postern, self.data = postern, data
        os.makedirs(os.path.dirname(os.path.abspath(data)), exist_ok=True)
        self.log = log or os.path.abspath(data) + ".log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
        for door in DOORS:
            environment[f"POSTERN_LISTENERS_{door.upper()}"] = "" if door == "https" else "127.0.0.1:0"
        environment["POSTERN_PASSWORDS_ROUNDS"] = "4096"
        arguments = [word for setting in settings for word in ("--set", setting)]
        begun = time.monotonic()
        with open(self.log, "ab") as errors:
            self.process = subprocess.Popen([*wrapper, postern, "serve", "--data", data, *arguments], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        line = self.process.stdout.readline()
        self.seconds_to_ready = time.monotonic() - begun
        if not line:
            raise RuntimeError(f"it did not start: status {self.process.wait()}, see {self.log}")
        self.ready = json.loads(line)
        self.token = open(self.ready["adminTokenFile"]).read().strip()
        self.pid = self.process.pid

    def address(self, door):
        host, port = self.ready[door].rsplit(":", 1)
        return host, int(port)

    def client(self, seconds=120):
        return Client(self, seconds)

    def mailer(self, seconds=120):
        return smtplib.SMTP(*self.address("smtp"), local_hostname="client.example.net", timeout=seconds)

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, seconds=90):
        """Ends it in order; its status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process.stdout.close()
        return status

    def account(self, alias, domain="durable.example"):
        body = {"kind": "local", "address": f"{alias}@{domain}", "alias": alias}
        status, _, content = self.client().call("POST", "/v1/accounts", body)
        if status != 201:
            raise RuntimeError(f"account {alias}: {status} {content}")
        return f"{alias}@{domain}"


class Client:
    """One connection to the API, kept open; what goes wrong with it is an OSError or http.client.HTTPException."""

    def __init__(self, server, seconds):
        self.token = server.token
        self.connection = http.client.HTTPConnection(*server.address("http"), timeout=seconds)

    def call(self, method, path, body=None, headers={}, kind=None):
        if body is not None and not isinstance(body, bytes):
            body, kind = json.dumps(body).encode(), "application/json"
        fields = {"Authorization": "Bearer " + self.token, **headers}
        if body is not None:
            fields["Content-Type"] = kind or "message/rfc822"
        self.connection.request(method, path, body, fields)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, content

    def json(self, method, path, body=None, **named):
        status, _, content = self.call(method, path, body, **named)
        if status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {status} {content[:500]}")
        return json.loads(content) if content else None

    def items(self, path, limit=200):
        """Every item of a list, page after page."""
        cursor, mark = None, "&" if "?" in path else "?"
        while True:
            page = self.json("GET", f"{path}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return


def message(token, to, octets=600, sender="zoe@example.net"):
    """A message whose subject is its token, and about so many octets long."""
    head = f"From: {sender}\r\nTo: {to}\r\nSubject: {token}\r\nMessage-ID: <{token}@example.net>\r\n\r\n".encode()
    line = (token + " " + "the quick brown fox jumps over the lazy dog ")[:70].encode() + b"\r\n"
    return head + line * max(1, (octets - len(head)) // len(line))


def verify(postern, data):
    """What `postern verify` finds; empty is sound."""
    done = subprocess.run([postern, "verify", "--data", data], capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"status {done.returncode}"
