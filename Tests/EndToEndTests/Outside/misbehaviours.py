# SPDX-License-Identifier: Apache-2.0
"""Accounts at servers that each do one thing wrong (`postern simulate`), all at one gateway at a time, and one account at a
server that does not: the gateway stays in bounds of memory, says what is wrong with each, goes on with the other, and shows
no password before verified TLS.

    misbehaviours.py POSTERN FOLDER [NAME ...]

Without names: all that `postern simulate --list` knows, for a release build.
"""
import json, signal, subprocess, sys, time

from server import Claims, Server

POSTERN, FOLDER, NAMES = sys.argv[1], sys.argv[2], sys.argv[3:]
claims = Claims()
SETTINGS = ("egress.allow=127.0.0.0/8", "egress.mailPorts=any")


class Simulation:
    """Simulated servers of one kind, one for each misbehaviour and one that behaves; and what their clients did to them."""

    def __init__(self, service, tls, names):
        self.processes, self.servers = [], []
        sets = [["--all"]] if not NAMES else [[]] + [["--misbehaviour", name] for name in names if name in NAMES]
        for options in sets:
            process = subprocess.Popen([POSTERN, "simulate", "--service", service, "--tls", tls, *options],
                                       stdout=subprocess.PIPE, text=True)
            self.processes.append(process)
            for _ in range(len(names) + 1 if not NAMES else 1):
                self.servers.append(json.loads(process.stdout.readline()))

    def end(self):
        counts = []
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
            counts += [json.loads(line) for line in process.stdout]
            process.wait()
        return counts


def memory(process, member):
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(member + ":"))


listed = subprocess.run([POSTERN, "simulate", "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
kinds = {service: [line.split()[0] for line in listed if service in line[line.index("("):line.index(")")]]
         for service in ("imap", "pop3")}
simulations = {service: Simulation(service, "none", names) for service, names in kinds.items()}
guarded = Simulation("imap", "starttls", kinds["imap"])
print(", ".join(f"{len(one.servers) - 1} misbehaviours at {service} servers" for service, one in simulations.items()))

server = Server(POSTERN, FOLDER, settings=SETTINGS)
base = memory(server.pid, "VmRSS")
accounts = []


def call(method, path, body=None):
    status, _, content = server.client().call(method, path, body)
    return status, content if isinstance(content, (dict, list)) else json.loads(content or b"null")


def add(service, security, entry):
    name = (entry["misbehaviours"] or ["behaves"])[0]
    login = {"host": "127.0.0.1", "port": entry["port"], "tls": security, "username": "user", "password": "pw"}
    body = {"kind": service, "address": f"{name}.{security}@{service}.example.com", service: login}
    status, made = call("POST", "/v1/accounts", body)
    claims.check(f"an account at an {service} server that {name} is made", status == 201, made, quiet=True)
    accounts.append((service, security, name, made["id"]))


for service in kinds:
    for entry in simulations[service].servers:
        add(service, "none", entry)
for entry in guarded.servers:
    # Their certificates are of nobody that is trusted.
    add("imap", "starttls", entry)

def is_told(id):
    """Whether the account works, or says why not; at a server that drips, mail is what shows it."""
    state = call("GET", f"/v1/accounts/{id}")[1]["connection"]
    return state["state"] == "connected" or state.get("lastError") or call("GET", f"/v1/accounts/{id}/messages?limit=1")[1]["items"]


good = next(id for service, security, name, id in accounts if (service, security, name) == ("imap", "none", "behaves"))
slowest = 0.0
for _ in range(80):
    began = time.monotonic()
    status, page = call("GET", f"/v1/accounts/{good}/messages?limit=50")
    slowest = max(slowest, time.monotonic() - began)
    time.sleep(0.25)
claims.check("the account at the server that behaves is served", status == 200 and len(page["items"]) == 20, page)
print(f"the slowest list of it while the others were treated badly: {slowest * 1000:.0f} ms")
waiting = list(accounts)
for _ in range(360):
    # A server that hangs is given up when its time is up; one that drips has shown a first message after two and a half minutes.
    waiting = [one for one in waiting if not is_told(one[3])]
    if not waiting:
        break
    time.sleep(0.5)
claims.check("each account either works or says what is wrong", not waiting, waiting)
status, health = call("GET", "/readyz")
claims.check("the gateway is ready", status == 200, health)
growth = memory(server.pid, "VmHWM") - base
claims.check(f"memory grew by at most 64 MiB: {growth / 1024:.1f}", growth <= 64 * 1024)
for one in accounts:
    state = call("GET", f"/v1/accounts/{one[3]}")[1]["connection"]
    print(" ".join(one[:3]), state["state"], (state.get("lastError") or {}))
claims.check("it ends in order", server.stop() == 0)

counts = {"none": [count for one in simulations.values() for count in one.end()], "starttls": guarded.end()}
seen = [count for count in counts["starttls"] if count["clearLogins"] or count["logins"]]
claims.check("no password is shown where TLS is not verified", not seen, seen)
reached = [count for count in counts["none"] if count["connections"] == 0]
claims.check("each server was tried", not reached, reached)
claims.end()
