# SPDX-License-Identifier: Apache-2.0
"""Cases that are run in turn, and the Markdown table of their medians."""
import json, re, statistics, subprocess, time
from machine import CLIENT, say


class Figures:
    """What one run of a case gave: operations per second, CPU microseconds of the server for each, milliseconds of latency."""

    def __init__(self, rate, cpu, p50, p99):
        self.rate, self.cpu, self.p50, self.p99 = rate, cpu, p50, p99


def settle(seconds_of):
    """Waits until a server has nothing more to do of its own accord, such as to index what came."""
    quiet, deadline = 0, time.monotonic() + 60
    while quiet < 3 and time.monotonic() < deadline:
        before = seconds_of()
        time.sleep(0.2)
        # Some look after something every now and then even at rest: a tick of the kernel's clock is nothing.
        quiet = quiet + 1 if seconds_of() - before < 0.015 else 0


def measured(seconds_of, run, settles=False):
    """Runs a client; `run` gives operations, seconds, p50, p99, and `seconds_of()` the CPU time of the server so far.

    Where it `settles`, what the server does behind its answers counts too.
    """
    before = seconds_of()
    operations, seconds, p50, p99 = run()
    if settles:
        settle(seconds_of)
    spent = seconds_of() - before
    return Figures(operations / seconds, spent / operations * 1e6, p50, p99)


def wrk(url, connections, seconds, headers=()):
    command = [*CLIENT, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    output = subprocess.run(command + [url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{url} was refused:\n{output}")
    operations = int(re.search(r"(\d+) requests in", output).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))

    def milliseconds(percent):
        number, unit = re.search(percent + r"%\s+([\d.]+)(us|ms|s)", output).groups()
        return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    return operations, operations / rate, milliseconds("50"), milliseconds("99")


def load(program, *arguments, errors=0):
    """Runs our own client (load.c)."""
    output = subprocess.run([*CLIENT, program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    result = json.loads(output)
    if result["errors"] > errors or result["operations"] == 0:
        raise SystemExit(f"load {arguments}: {output}")
    return result["operations"], result["seconds"], result["p50"], result["p99"]


def write_requests(path, requests):
    with open(path, "wb") as file:
        for request in requests:
            file.write(b"%d\n" % len(request) + request)
    return path


def request(method, path, host, headers=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if body or method in ("POST", "PATCH", "PUT"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines + ["", ""]).encode() + body


class Comparison:
    """Cases beside each other: in each round all of them in turn, so that a busy moment of the machine meets all alike."""

    def __init__(self, title, rounds):
        self.title, self.rounds, self.cases = title, rounds, []

    def add(self, name, run, against=None):
        """`against` is the name of the case whose figures this one's are divided by."""
        self.cases.append((name, run, against))

    def print(self):
        readings = {name: [] for name, *_ in self.cases}
        for number in range(self.rounds):
            say(f"{self.title}: round {number + 1} of {self.rounds} …")
            for name, run, _ in self.cases:
                readings[name].append(run())
        median = {
            name: Figures(*(statistics.median(getattr(f, field) for f in rows) for field in ("rate", "cpu", "p50", "p99")))
            for name, rows in readings.items()
        }
        print(f"\n### {self.title}\n")
        print("| case | operations/s | CPU µs/operation | min–max | p50 ms | p99 ms | CPU ratio | rate ratio |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name, _, against in self.cases:
            figures, cpus = median[name], [f.cpu for f in readings[name]]
            ratios = "| |"
            if against:
                base = median[against]
                ratios = f"| {figures.cpu / base.cpu:.3g} | {figures.rate / base.rate:.3g} |" if base.cpu else "| |"
            print(f"| {name} | {figures.rate:,.0f} | {figures.cpu:,.1f} | {min(cpus):,.1f}–{max(cpus):,.1f} | {figures.p50:.2f} "
                  f"| {figures.p99:.2f} {ratios}", flush=True)
        print(flush=True)
        return median
