# SPDX-License-Identifier: Apache-2.0
"""What the scripts beside this one share: a server of their own, requests to it, claims about it."""
import http.client, json, os, resource, signal, socket, subprocess, sys, time

failures = []


def check(claim, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + claim, seen if not holds else "", flush=True)
    if not holds:
        failures.append(claim)


def until(condition, seconds=20):
    """Looks again and again; whether it came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


class Server:
    """A server on free ports, its log in a file beside its data."""

    def __init__(self, postern, data, *settings, descriptors=None):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
        ports = [f"listeners.{n}=127.0.0.1:0" for n in ("http", "https", "smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps")]
        arguments = [postern, "serve", "--data", data]
        for setting in ports + ["passwords.rounds=4096"] + list(settings):
            arguments += ["--set", setting]

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.data, self.log_path = data, data + ".log"
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=open(self.log_path, "ab"),
                                        env=environment, stdin=subprocess.DEVNULL, preexec_fn=limit)
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the server did not start: " + self.log())
        self.ready = json.loads(line)
        self.token = open(self.ready["adminTokenFile"]).read().strip()

    def address(self, name="http"):
        host, port = self.ready[name].rsplit(":", 1)
        return host, int(port)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def connection(self, timeout=60):
        return http.client.HTTPConnection(*self.address(), timeout=timeout)

    def socket(self, name="http", timeout=60):
        return socket.create_connection(self.address(name), timeout=timeout)

    def call(self, path, method="GET", body=None, headers=None, token=True, connection=None):
        """Status, fields (lower case), body; on a connection of its own unless one is given."""
        fields = {"Authorization": "Bearer " + (self.token if token is True else token)} if token else {}
        if body is not None:
            fields["Content-Type"] = "application/json"
            body = json.dumps(body)
        own = connection or self.connection()
        own.request(method, path, body, {**fields, **(headers or {})})
        answer = own.getresponse()
        content = answer.read()
        if connection is None:
            own.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content

    def local(self, path):
        """The same over the unix socket."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(self.data + "/postern.sock")
        return self.call(path, token=None, connection=connection)

    def resident(self):
        """Octets of memory in use."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def finish():
    if failures:
        sys.exit("failed: " + "; ".join(failures))
