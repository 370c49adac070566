# SPDX-License-Identifier: Apache-2.0
"""Postern under measurement: a server of its own, pinned, with its own data directory."""
import http.client, json, os, signal, subprocess, sys, time
import machine, table
from machine import SERVER


class Postern:
    """A running server with one event loop."""

    def __init__(self, binary, data, smtp=False, settings=()):
        self.binary, self.data = binary, data
        arguments = ["--set", "threads.loops=1", "--set", "log.level=error", "--set", "listeners.http=127.0.0.1:0",
                     "--set", "listeners.https=127.0.0.1:0", "--set", "listeners.submission=", "--set", "listeners.submissions=",
                     "--set", "listeners.pop3=", "--set", "listeners.pop3s=", "--set", "listeners.imap=", "--set", "listeners.imaps=",
                     "--set", "listeners.smtp=" + ("127.0.0.1:0" if smtp else "")]
        for setting in settings:
            arguments += ["--set", setting]
        self.began = time.perf_counter()
        self.process = subprocess.Popen([*SERVER, binary, "serve", "--data", data, *arguments], stdout=subprocess.PIPE,
                                        stderr=sys.stderr)
        self.ready = json.loads(self.process.stdout.readline())
        self.started = time.perf_counter() - self.began
        self.token = open(self.ready["adminTokenFile"]).read().strip()
        self.pid = self.process.pid

    @property
    def authorization(self):
        return "Authorization: Bearer " + self.token

    @property
    def port(self):
        return int(self.ready["http"].rsplit(":", 1)[1])

    @property
    def smtp_port(self):
        return int(self.ready["smtp"].rsplit(":", 1)[1])

    def seconds(self):
        return machine.threads_seconds(self.pid)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.ready["http"])
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {text.decode()}")
        return json.loads(text)

    def items(self, path):
        """All items of a list, page by page."""
        cursor = ""
        while cursor is not None:
            page = self.call("GET", path + ("&" if "?" in path else "?") + "limit=200" + (cursor and "&cursor=" + cursor))
            yield from page["items"]
            cursor = page["next"]

    def add_account(self, name):
        self.call("POST", "/v1/accounts", {"kind": "local", "address": name + "@example.org", "alias": name})

    def fill(self, account, *mboxes):
        """Imports mboxes as a user would, all at once, and gives the seconds that took."""
        began = time.monotonic()
        imports = [subprocess.Popen([self.binary, "import", "--data", self.data, "--account", account, mbox], stderr=subprocess.DEVNULL)
                   for mbox in mboxes]
        if any([one.wait() for one in imports]):
            raise SystemExit("the import failed")
        return time.monotonic() - began

    def settle(self):
        table.settle(self.seconds)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(120) != 0:
            raise SystemExit("the server did not end in order")
